-- only those that something is sorted by; NULL: the provider has no versions
SELECT l.oid, n.nspname::text, l.collname::text, l.collversion, pg_catalog.pg_collation_actual_version(l.oid)
FROM pg_catalog.pg_collation l
JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
WHERE l.collversion IS NOT NULL
  AND l.oid IN (SELECT pg_catalog.unnest(i.indcollation::oid[]) FROM pg_catalog.pg_index i WHERE i.indrelid >= 16384
                UNION SELECT pg_catalog.unnest(p.partcollation::oid[]) FROM pg_catalog.pg_partitioned_table p)
UNION ALL
-- 100 is "default": the database's own
SELECT 100::oid, '', d.datname::text, d.datcollversion, pg_catalog.pg_database_collation_actual_version(d.oid)
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database() AND d.datcollversion IS NOT NULL
