-- PL/pgSQL functions, those of triggers once for each table and each pair of transition tables
WITH session AS MATERIALIZED (
  SELECT (SELECT s.reset_val FROM pg_catalog.pg_settings s WHERE s.name = 'search_path') AS path,
         (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser,
         -- see bodies.rs
         NOT EXISTS (SELECT FROM pg_catalog.pg_shdepend o JOIN pg_catalog.pg_roles r ON r.oid = o.refobjid
                     WHERE o.refclassid = 'pg_catalog.pg_authid'::regclass AND o.deptype = 'o' AND NOT r.rolsuper
                       AND o.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS superusers_only),
owner AS MATERIALIZED (
  SELECT r.oid,
         CASE WHEN NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid,
                     CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
              THEN r.oid
              WHEN r.rolsuper AND s.superuser AND s.superusers_only THEN 'pg_read_all_data'::regrole::oid END AS acting,
         coalesce((SELECT pg_catalog.substr(c, 13)
                   FROM pg_catalog.pg_db_role_setting b, pg_catalog.unnest(b.setconfig) c
                   WHERE b.setrole = r.oid AND c LIKE 'search\_path=%' AND b.setdatabase IN (0,
                         (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
                   ORDER BY b.setdatabase DESC LIMIT 1), s.path, '') AS path
  FROM pg_catalog.pg_roles r, session s)
SELECT p.oid, n.nspname::text, o.acting, o.path, coalesce(pg_catalog.has_schema_privilege(o.acting, n.oid, 'USAGE'), true),
       p.prorettype = 'pg_catalog.trigger'::regtype,
       EXISTS (SELECT FROM pg_catalog.pg_type a
               WHERE a.oid = ANY (p.proargtypes::oid[]) AND (a.typtype = 'p' AND a.typname <> 'record')),
       coalesce(t.tgrelid, 0::oid), t.tgoldtable::text, t.tgnewtable::text
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN owner o ON o.oid = p.proowner
LEFT JOIN (SELECT DISTINCT g.tgfoid, g.tgrelid, g.tgoldtable, g.tgnewtable FROM pg_catalog.pg_trigger g
           WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'D'
          ) t ON t.tgfoid = p.oid AND p.prorettype = 'pg_catalog.trigger'::regtype
WHERE l.lanname = 'plpgsql' AND p.prorettype <> 'pg_catalog.event_trigger'::regtype
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY p.oid, t.tgrelid, t.tgoldtable, t.tgnewtable
