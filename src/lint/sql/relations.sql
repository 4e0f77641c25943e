SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence = 'u',
       c.relispartition, i.inhparent, c.relhassubclass, c.reloftype <> 0, c.relrowsecurity,
       c.relreplident::text, c.reltuples::float8, c.relpages::int8, c.reloptions,
       -- a bound has no columns; with its relation named, pg_get_expr would wait for a lock on it
       pg_catalog.pg_get_expr(c.relpartbound, 0), p.partstrat::text, p.partattrs::int2[], c.relnatts,
       c.relforcerowsecurity, c.relowner, p.partcollation::oid[], coalesce(o.relpages, 0)::int8
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_class o ON o.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
