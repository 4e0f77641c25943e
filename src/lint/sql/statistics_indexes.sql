SELECT c.oid, i.indrelid, pg_catalog.pg_stat_get_numscans(c.oid), (extract(epoch FROM {last_scan}) * 1000000)::int8,
       h.inhparent, c.relpages::int8
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
