SELECT p.polrelid, p.polname::text FROM pg_catalog.pg_policy p ORDER BY p.polrelid, p.polname
