SELECT p.oid, n.nspname::text, p.proname::text, p.proowner, l.lanname::text,
       pg_catalog.pg_get_function_identity_arguments(p.oid), p.prosecdef, p.proconfig,
       CASE WHEN p.prosqlbody IS NULL AND (l.lanname IN ('plpgsql', 'sql') OR p.prorettype = 'pg_catalog.trigger'::regtype)
            THEN p.prosrc END,
       -- a NULL acl is the built-in default: everybody
       p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) a WHERE a.grantee = 0),
       p.prorettype IN ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype), p.provolatile::text,
       p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes::text[], t.typtype = 'c',
       p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) a WHERE a.grantee <> p.proowner),
       -- now() and the like, random(), sequences, settings; their OIDs never change
       p.prosqlbody IS NOT NULL AND p.prosqlbody::text ~
         '{SQLVALUEFUNCTION |:funcid (1299|2647|2648|2649|274|1598|3432|1574|1575|1576|1765|2559|2077|3294|1181|1386|2059) ',
       b.reads, p.prorettype
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
LEFT JOIN (SELECT d.objid, pg_catalog.array_agg(DISTINCT d.refobjid) AS reads
           FROM pg_catalog.pg_proc f
           JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid
           WHERE f.prosqlbody IS NOT NULL AND d.refclassid = 'pg_catalog.pg_class'::regclass
           GROUP BY d.objid
          ) b ON b.objid = p.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
