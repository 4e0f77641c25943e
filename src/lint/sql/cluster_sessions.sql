-- what kind of backend it is shows only to its role and monitors
SELECT a.pid, a.usename::text, coalesce(a.application_name, ''), coalesce(a.state, ''),
       coalesce(pg_catalog.lower(pg_catalog.substring(a.query, '^[[:space:]]*([[:alpha:]]+)')), ''),
       a.datname = pg_catalog.current_database(),
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8,
       greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid))::int8,
       coalesce(a.usesysid, 0)
FROM pg_catalog.pg_stat_activity a
WHERE (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL)
  AND a.pid <> pg_catalog.pg_backend_pid()
ORDER BY a.pid
