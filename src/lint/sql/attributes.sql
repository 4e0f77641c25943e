SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation, a.attnotnull, a.atthasdef,
       a.attidentity <> '', a.attgenerated <> '', a.attinhcount > 0, d.refobjid IS NOT NULL,
       f.proname::text, a.attlen > 0
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
-- of uuid, a default that is nothing but the call of a function; as a tree, for printing waits for locks
LEFT JOIN pg_catalog.pg_attrdef e ON a.atthasdef AND a.atttypid = 2950 AND e.adrelid = a.attrelid AND e.adnum = a.attnum
LEFT JOIN pg_catalog.pg_proc f
  ON f.oid = pg_catalog.substring(e.adbin::text, '^[{]FUNCEXPR :funcid ([0-9]+) ')::pg_catalog.oid
-- what makes ALTER COLUMN TYPE refuse: views and rules, triggers, policies, SQL-standard
-- functions, publications, and generated columns (which hang on the column itself)
LEFT JOIN (SELECT DISTINCT refobjid, refobjsubid FROM pg_catalog.pg_depend
           WHERE refclassid = 'pg_catalog.pg_class'::regclass AND refobjsubid > 0
             AND (classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass,
                              'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_proc'::regclass,
                              'pg_catalog.pg_publication_rel'::regclass)
                  OR (classid = 'pg_catalog.pg_attrdef'::regclass
                      AND EXISTS (SELECT FROM pg_catalog.pg_attrdef g WHERE g.oid = objid AND g.adnum <> refobjsubid))
                  OR (classid = 'pg_catalog.pg_class'::regclass AND objid = refobjid
                      AND objsubid > 0 AND objsubid <> refobjsubid))
          ) d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY a.attrelid, a.attnum
