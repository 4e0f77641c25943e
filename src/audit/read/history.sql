-- $1 versions of the table, $2 key, $3 since, $4 until.
-- The key, and before each change of key the one the row had until then.
WITH RECURSIVE names(name, until) AS (
  SELECT $2 COLLATE "C", 9223372036854775807
  UNION ALL
  SELECT earlier.old_key, earlier.id
  FROM names CROSS JOIN LATERAL (
    SELECT c.old_key, c.id
    FROM dbguard._audit_of_key($1, names.name, $3, NULL) c
    WHERE c.key = names.name AND c.id < names.until AND c.old_key IS NOT NULL
    ORDER BY c.id DESC LIMIT 1) earlier
), found AS (
  SELECT DISTINCT ON (c.id) c.*
  FROM names CROSS JOIN LATERAL dbguard._audit_of_key($1, names.name, $3, $4) c
  WHERE (c.key = names.name AND c.id < names.until) OR c.op = 'X'
     OR (c.old_key = $2 AND names.until = 9223372036854775807)
  ORDER BY c.id
), emptied AS (
  -- of the whole table; of a partition only nobody knows whether the row was in it
  SELECT c.id, c.at, c.xact, c.context, c.relation, c.op, c.tenant, c.key, c.old_key, c.old, c.new
  FROM dbguard.audit_change c
  WHERE c.relation = ANY ($1) AND c.key IS NULL AND c.op = 'T' AND c.new IS NULL
    AND c.at >= coalesce($3, '-infinity') AND c.at < coalesce($4, 'infinity') AND EXISTS (SELECT FROM found)
), ordered AS (
  -- transactions by their ids; in one, a statement before what its triggers changed
  SELECT f.*, row_number() OVER (ORDER BY first, at, id) AS place, lag(op) OVER (ORDER BY first, at, id) AS before
  FROM (SELECT e.*, min(id) OVER (PARTITION BY xact) AS first FROM (TABLE found UNION ALL TABLE emptied) e) f
)
SELECT f.id,
       f.at,
       CASE f.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE' ELSE 'UNREADABLE' END,
       t.actor, t.current_user_name, f.old, f.new, f.xact, f.tenant, t.application_name, t.client_addr, t.context, t.query
FROM ordered f
LEFT JOIN dbguard.audit_context t ON t.id = f.context AND t.at <= f.at AND t.at > f.at - interval '1 hour'
-- a table is emptied more often than a row is in it
WHERE f.op <> 'T' OR f.before IN ('I', 'U')
ORDER BY f.place
