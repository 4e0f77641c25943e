-- $1 versions of the table, $2 the moment, $3 a key. As events.sql, for one place; the log is looked up
-- from the moment on, and the moment itself is not after it.
SELECT $3, c.id, c.xact, c.at,
       CASE WHEN c.old_key IS NULL OR c.op NOT IN ('U', 'S', 'B') THEN c.op WHEN c.old_key = $3 THEN 'L' ELSE 'A' END,
       c.key, CASE WHEN c.old_key IS NULL OR c.old_key = $3 THEN c.old END, c.relation
FROM dbguard._audit_of_key($1, $3, $2, NULL) c
WHERE c.at > $2
UNION ALL
-- nothing is known of before a TRUNCATE
SELECT NULL, c.id, c.xact, c.at, c.op, NULL, NULL, c.relation
FROM dbguard.audit_change c
WHERE c.relation = ANY ($1) AND c.key IS NULL AND c.at > $2
ORDER BY 1 NULLS FIRST, 2
