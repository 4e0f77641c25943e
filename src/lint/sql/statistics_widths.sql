-- of tables from 100 MB on
SELECT c.oid, pg_catalog.sum((1 - s.null_frac) * s.avg_width)::float8, pg_catalog.bool_or(s.null_frac > 0),
       pg_catalog.count(*)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited
-- expressions of indexes have statistics too, under the index's name
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relpages >= 12800
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY c.oid
