-- where the extension is, and whether the view $1 there is its own
SELECT n.nspname::text,
       EXISTS (SELECT FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_catalog.pg_class'::regclass
                    AND d.refclassid = 'pg_catalog.pg_extension'::regclass
               WHERE c.relname = $1 AND c.relnamespace = e.extnamespace)
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
