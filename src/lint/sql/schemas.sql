SELECT n.oid, n.nspname::text, n.nspowner,
       -- a NULL acl is the built-in default: only the owner
       ARRAY(SELECT a.grantee FROM pg_catalog.aclexplode(n.nspacl) a
             WHERE a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
             -- whoever owns it: pg_database_owner stands for the owner of the database
             UNION
             SELECT r.oid
             FROM pg_catalog.pg_database d, pg_catalog.pg_roles o, pg_catalog.pg_roles r
             WHERE d.datname = pg_catalog.current_database() AND o.oid = n.nspowner
               AND r.oid = CASE o.rolname WHEN 'pg_database_owner' THEN d.datdba ELSE o.oid END
               AND NOT r.rolsuper),
       EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'USAGE')
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
