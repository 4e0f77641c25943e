-- the file is written once, when the database is made
SELECT (extract(epoch FROM f.modification) * 1000000)::int8
FROM pg_catalog.pg_database d, pg_catalog.pg_stat_file('base/' || d.oid || '/PG_VERSION', true) f
WHERE d.datname = pg_catalog.current_database() AND f.modification IS NOT NULL
