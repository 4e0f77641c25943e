SELECT n.oid, n.nspname::text, n.nspowner,
       -- a NULL acl is the built-in default: only the owner
       ARRAY(SELECT a.grantee FROM pg_catalog.aclexplode(n.nspacl) a
             WHERE a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner)
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
