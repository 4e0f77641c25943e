SELECT pg_catalog.current_database()::text,
       pg_catalog.current_setting('server_version_num')::int4,
       (extract(epoch FROM pg_catalog.now()) * 1000000)::int8,
       pg_catalog.current_setting('autovacuum'), pg_catalog.current_setting('track_counts'),
       coalesce(pg_catalog.current_setting('pgaudit.log', true), ''),
       coalesce(pg_catalog.current_setting('pgaudit.role', true), '')
