-- what kind of backend it is shows only to its role and monitors
SELECT a.usesysid, coalesce(a.application_name, ''), pg_catalog.count(*)
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.usesysid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
GROUP BY 1, 2
ORDER BY 1, 2
