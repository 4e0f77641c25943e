SELECT l.pid, extract(epoch FROM pg_catalog.clock_timestamp() - l.waitstart)::float8, pg_catalog.pg_blocking_pids(l.pid)
FROM pg_catalog.pg_locks l
WHERE NOT l.granted AND l.pid IS NOT NULL AND l.waitstart IS NOT NULL
ORDER BY l.waitstart
