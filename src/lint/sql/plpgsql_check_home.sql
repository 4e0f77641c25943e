-- where the extension is, and the parameters of its own function; more than one row: another version's forms of it
SELECT n.nspname::text, p.proargnames[1:p.pronargs],
       ARRAY(SELECT pg_catalog.format_type(p.proargtypes[i - 1], NULL) FROM pg_catalog.generate_series(1, p.pronargs) i),
       ARRAY(SELECT pg_catalog.pg_get_function_arg_default(p.oid, i) FROM pg_catalog.generate_series(1, p.pronargs) i)
FROM pg_catalog.pg_extension e
LEFT JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.refclassid = 'pg_catalog.pg_extension'::regclass
     AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.proname = 'plpgsql_check_function_tb'
     AND p.proargtypes[0] = 'pg_catalog.regprocedure'::regtype
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE e.extname = 'plpgsql_check'
ORDER BY p.oid LIMIT 1
