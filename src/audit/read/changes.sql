-- $1 lineage, $2 actor, $3 tenant, $4 since, $5 until. An actor's changes lie where his contexts say:
-- from the first of them until an hour after the last.
SELECT l.id, l.at, l.op, l.schema_name, l.table_name, l.key, l.old_key, l.old, l.new, l.actor, l.tenant,
       l.session_user_name, l.current_user_name, l.xact, l.application_name, l.client_addr, l.context, l.query
FROM dbguard.audit_log l
WHERE ($1 IS NULL OR l.lineage = $1)
  AND ($2 IS NULL OR (l.actor = $2
    AND l.at >= (SELECT min(t.at) FROM dbguard.audit_context t WHERE t.actor = $2)
    AND l.at < (SELECT max(t.at) + interval '1 hour' FROM dbguard.audit_context t WHERE t.actor = $2)))
  AND ($3 IS NULL OR l.tenant = $3)
  AND ($4 IS NULL OR l.at >= $4)
  AND ($5 IS NULL OR l.at < $5)
ORDER BY l.at, l.id
