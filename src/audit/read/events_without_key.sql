-- $1 versions of the table, $2 the moment. Columns as in events.sql, and the image after the change.
SELECT c.key, c.id, c.xact, c.at, c.op, NULL, c.old, c.relation, c.new
FROM dbguard.audit_change c
WHERE c.relation = ANY ($1) AND c.at > $2
UNION ALL
SELECT u.key, p.id + u.number, p.xact, p.at, u.op, NULL, u.old, p.relation, u.new
FROM dbguard.audit_pack p
CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
WHERE p.relation = ANY ($1) AND p.at > $2
