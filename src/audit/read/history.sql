-- $1 versions of the table, $2 key, $3 since, $4 until.
-- The key, and before each change of key the one the row had until then. Ids are drawn when changes are
-- written, with their rows locked: transactions came to a row in the order of their ids. Within one, a
-- trigger's changes may be written before those of the statement that fired it: the time tells.
WITH RECURSIVE names(name, id, xact, at) AS (
  SELECT $2 COLLATE "C", 9223372036854775807, NULL::xid8, NULL::timestamptz
  UNION ALL
  SELECT earlier.old_key, earlier.id, earlier.xact, earlier.at
  FROM names CROSS JOIN LATERAL (
    SELECT c.old_key, c.id, c.xact, c.at
    FROM dbguard._audit_of_key($1, names.name, $3, NULL) c
    WHERE c.key = names.name AND c.old_key IS NOT NULL
      AND CASE WHEN c.xact = names.xact THEN (c.at, c.id) < (names.at, names.id) ELSE c.id < names.id END
    ORDER BY max(c.id) OVER (PARTITION BY c.xact) DESC, c.at DESC, c.id DESC LIMIT 1) earlier
) CYCLE id SET again USING path, found AS (
  SELECT DISTINCT ON (c.id) c.*
  FROM names CROSS JOIN LATERAL dbguard._audit_of_key($1, names.name, $3, $4) c
  WHERE c.op = 'X' OR (c.old_key = $2 AND names.xact IS NULL)
     OR (c.key = names.name
         AND CASE WHEN c.xact = names.xact THEN (c.at, c.id) < (names.at, names.id) ELSE c.id < names.id END)
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
       CASE f.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE'
            WHEN 'S' THEN 'SOFT DELETE' WHEN 'B' THEN 'RESTORE' ELSE 'UNREADABLE' END,
       t.actor, t.current_user_name, f.old, f.new, f.xact, f.tenant, t.application_name, t.client_addr, t.context, t.query
FROM ordered f
LEFT JOIN dbguard.audit_context t ON t.id = f.context AND t.at <= f.at AND t.at > f.at - interval '1 hour'
-- a table is emptied more often than a row is in it
WHERE f.op <> 'T' OR f.before IN ('I', 'U', 'S', 'B')
ORDER BY f.place
