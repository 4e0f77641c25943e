-- $1 versions of the table, $2 the moment. A change of key is two events: one leaves, one arrives.
SELECT e.place, e.id, e.xact, e.at, e.act, e.other, e.old, e.relation
FROM (
  SELECT c.key, c.id, c.xact, c.at, CASE WHEN c.op IN ('U', 'S', 'B') AND c.old_key IS NOT NULL THEN 'A' ELSE c.op END,
         NULL::text COLLATE "C", CASE WHEN c.old_key IS NULL THEN c.old END, c.relation
  FROM dbguard.audit_change c
  WHERE c.relation = ANY ($1) AND c.at > $2
  UNION ALL
  SELECT c.old_key, c.id, c.xact, c.at, 'L', c.key, c.old, c.relation
  FROM dbguard.audit_change c
  WHERE c.relation = ANY ($1) AND c.at > $2 AND c.old_key IS NOT NULL
  UNION ALL
  SELECT CASE v.leaves WHEN 1 THEN u.old_key ELSE u.key END, p.id + u.number, p.xact, p.at,
         CASE WHEN v.leaves = 1 THEN 'L' WHEN u.op IN ('U', 'S', 'B') AND u.old_key IS NOT NULL THEN 'A' ELSE u.op END,
         u.key, u.old, p.relation
  FROM dbguard.audit_pack p
  CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
  CROSS JOIN LATERAL generate_series(0, CASE WHEN u.old_key IS NULL THEN 0 ELSE 1 END) v(leaves)
  WHERE p.relation = ANY ($1) AND p.at > $2
) e(place, id, xact, at, act, other, old, relation)
ORDER BY e.place NULLS FIRST, e.id
