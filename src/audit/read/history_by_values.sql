-- $1 lineage, $2 columns and values, $3 since, $4 until: the changes whose row, before or after, holds
-- the values. For tables without a primary key.
SELECT l.id, l.at, l.op, l.actor, l.current_user_name, l.old, l.new,
       l.xact, l.tenant, l.application_name, l.client_addr, l.context, l.query
FROM dbguard.audit_log l
WHERE l.lineage = $1
  AND (l.old @> $2 OR l.new @> $2)
  AND ($3 IS NULL OR l.at >= $3)
  AND ($4 IS NULL OR l.at < $4)
ORDER BY min(l.id) OVER (PARTITION BY l.xact), l.at, l.id
