SELECT CASE d.classid WHEN 'pg_catalog.pg_class'::regclass THEN 'r'
                      WHEN 'pg_catalog.pg_proc'::regclass THEN 'f' ELSE 'n' END, d.objid
FROM pg_catalog.pg_depend d
WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::regclass
  AND d.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass,
                    'pg_catalog.pg_namespace'::regclass)
