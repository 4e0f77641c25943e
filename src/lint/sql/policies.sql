-- expressions as trees: to print them, pg_get_expr would wait for a lock on the table
SELECT p.polrelid, p.oid, p.polname::text, p.polcmd::text, p.polpermissive, p.polroles,
       p.polqual::text, p.polwithcheck::text, d.columns
FROM pg_catalog.pg_policy p
LEFT JOIN (SELECT objid, refobjid, pg_catalog.array_agg(DISTINCT refobjsubid::int2) AS columns
           FROM pg_catalog.pg_depend
           WHERE classid = 'pg_catalog.pg_policy'::regclass
             AND refclassid = 'pg_catalog.pg_class'::regclass AND refobjsubid > 0
           GROUP BY objid, refobjid
          ) d ON d.objid = p.oid AND d.refobjid = p.polrelid
ORDER BY p.polrelid, p.polname
