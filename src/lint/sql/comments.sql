-- comments with an annotation in them
SELECT CASE d.classoid WHEN 'pg_catalog.pg_class'::regclass THEN 'r' WHEN 'pg_catalog.pg_constraint'::regclass THEN 'c'
                       WHEN 'pg_catalog.pg_trigger'::regclass THEN 't' WHEN 'pg_catalog.pg_policy'::regclass THEN 'p'
                       WHEN 'pg_catalog.pg_proc'::regclass THEN 'f' ELSE 'n' END,
       d.objoid, d.objsubid::int2, d.description
FROM pg_catalog.pg_description d
WHERE d.description LIKE '%@dbguard%'
  AND d.classoid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_constraint'::regclass,
                     'pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_policy'::regclass,
                     'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_namespace'::regclass)
UNION ALL
SELECT 'd', s.objoid, 0::int2, s.description
FROM pg_catalog.pg_shdescription s JOIN pg_catalog.pg_database b ON b.oid = s.objoid
WHERE s.classoid = 'pg_catalog.pg_database'::regclass AND b.datname = pg_catalog.current_database()
  AND s.description LIKE '%@dbguard%'
ORDER BY 1, 2, 3
