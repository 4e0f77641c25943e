-- of relations and of columns, to others than the owner
SELECT c.oid, 0::int2, a.grantee, pg_catalog.array_agg(DISTINCT a.privilege_type)
FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND a.grantee <> c.relowner
  AND c.oid >= 16384
GROUP BY c.oid, a.grantee
UNION ALL
SELECT c.oid, t.attnum, a.grantee, pg_catalog.array_agg(DISTINCT a.privilege_type)
FROM pg_catalog.pg_attribute t
JOIN pg_catalog.pg_class c ON c.oid = t.attrelid, pg_catalog.aclexplode(t.attacl) a
WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND a.grantee <> c.relowner AND c.oid >= 16384
GROUP BY c.oid, t.attnum, a.grantee
ORDER BY 1, 2, 3
