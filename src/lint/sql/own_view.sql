-- the view $2 of schema $1: what it is, its columns, and whether all who can put other code in its place
-- could act as the caller anyway
SELECT c.oid, c.relkind IN ('v', 'm'),
       pg_catalog.pg_has_role(c.relowner, me.oid, 'MEMBER'), c.relowner::pg_catalog.regrole::text,
       pg_catalog.pg_has_role(keeper.oid, me.oid, 'MEMBER'), keeper.oid::pg_catalog.regrole::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles me ON me.rolname = current_user
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
-- a schema of pg_database_owner, as public is, belongs to the database's owner
CROSS JOIN LATERAL (SELECT CASE WHEN n.nspowner = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = 'pg_database_owner')
                                THEN d.datdba ELSE n.nspowner END) AS keeper (oid)
WHERE n.nspname = $1 AND c.relname = $2
