SELECT p.gid, p.database = pg_catalog.current_database(),
       extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8, pg_catalog.age(p.transaction)::int8
FROM pg_catalog.pg_prepared_xacts p
ORDER BY p.prepared
