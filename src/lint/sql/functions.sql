SELECT p.oid, n.nspname::text, p.proname::text, p.proowner, l.lanname::text,
       pg_catalog.pg_get_function_identity_arguments(p.oid), p.prosecdef, p.proconfig,
       CASE WHEN p.prorettype = 'pg_catalog.trigger'::regtype THEN p.prosrc END,
       -- a NULL acl is the built-in default: everybody
       p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) a WHERE a.grantee = 0),
       p.prorettype IN ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype), p.provolatile::text
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
