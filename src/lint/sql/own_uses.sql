-- what the view $1 runs when it is asked, itself included, that belongs to a role which could not act as the caller
-- anyway: views it reads, and functions, operators and types it names. $2: MEMBER, or SET where the server knows that
WITH RECURSIVE used (class, object) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, $1
  UNION
  SELECT d.refclassid, d.refobjid
  FROM used u
  JOIN pg_catalog.pg_class c ON c.oid = u.object AND c.relkind = 'v'
  JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  WHERE u.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid >= 16384
), owned (what, owner) AS (
  SELECT 'view ' || c.oid::pg_catalog.regclass::text, c.relowner
  FROM used u JOIN pg_catalog.pg_class c ON c.oid = u.object
  WHERE u.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind = 'v' OR c.oid = $1
  UNION ALL
  -- the view is asked by its name; a schema of pg_database_owner, as public is, belongs to the database's owner
  SELECT 'schema ' || pg_catalog.quote_ident(n.nspname),
         CASE k.rolname WHEN 'pg_database_owner' THEN d.datdba ELSE n.nspowner END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_roles k ON k.oid = n.nspowner
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
  WHERE c.oid = $1
  UNION ALL
  SELECT 'function ' || p.oid::pg_catalog.regprocedure::text, p.proowner
  FROM used u JOIN pg_catalog.pg_proc p ON p.oid = u.object
  WHERE u.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT 'operator ' || o.oid::pg_catalog.regoperator::text, x.owner
  FROM used u JOIN pg_catalog.pg_operator o ON o.oid = u.object
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  CROSS JOIN LATERAL (VALUES (o.oprowner), (p.proowner)) x (owner)
  WHERE u.class = 'pg_catalog.pg_operator'::pg_catalog.regclass AND x.owner IS NOT NULL
  UNION ALL
  SELECT 'type ' || pg_catalog.format_type(t.oid, NULL), t.typowner
  FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.object
  WHERE u.class = 'pg_catalog.pg_type'::pg_catalog.regclass
)
SELECT o.what, pg_catalog.pg_get_userbyid(o.owner)::text
FROM owned o JOIN pg_catalog.pg_roles me ON me.rolname = current_user
WHERE NOT pg_catalog.pg_has_role(o.owner, me.oid, $2)
ORDER BY o.what COLLATE "C" LIMIT 1
