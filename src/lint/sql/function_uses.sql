-- what relies on functions of users: indexes, partition keys, generated columns, CHECKs
SELECT d.refobjid, CASE c.relkind WHEN 'p' THEN 'p' ELSE 'i' END, coalesce(i.indrelid, c.oid), c.oid, 0::int2
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.objid
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.classid = 'pg_catalog.pg_class'::regclass
  AND c.relkind IN ('i', 'I', 'p')
UNION
SELECT d.refobjid, 'g', a.attrelid, 0::oid, a.attnum
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_attrdef e ON e.oid = d.objid
JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attgenerated <> ''
WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.classid = 'pg_catalog.pg_attrdef'::regclass
UNION
SELECT d.refobjid, 'c', k.conrelid, k.oid, 0::int2
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_constraint k ON k.oid = d.objid
WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.classid = 'pg_catalog.pg_constraint'::regclass
  AND k.contype = 'c' AND k.conrelid <> 0
ORDER BY 1, 2, 3, 4, 5
