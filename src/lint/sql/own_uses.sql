-- what is run when the view $1 is asked, itself included: views it reads, functions and operators it names, types
-- of what it names and reads, since a cast of a type, or a check of a domain, may run at any time. First what belongs
-- to a role that could not act as the caller anyway; $2: MEMBER, or SET where the server knows that
WITH RECURSIVE used (class, object) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, $1
  UNION
  SELECT x.class, x.object
  FROM used u
  CROSS JOIN LATERAL (
    SELECT d.refclassid AS class, d.refobjid AS object
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    WHERE u.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = u.object AND c.relkind = 'v'
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.atttypid
    FROM pg_catalog.pg_attribute a
    WHERE u.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.attrelid = u.object
      AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, y.part
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_range g ON t.oid IN (g.rngtypid, g.rngmultitypid)
    CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem), (g.rngsubtype)) y (part)
    WHERE u.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = u.object
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.typrelid
    FROM pg_catalog.pg_type t
    WHERE u.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = u.object
  ) x
  WHERE x.object >= 16384
), owned (what, owner, relation) AS (
  -- what a table brings with it runs in every query on it
  SELECT CASE WHEN c.relkind = 'v' OR c.oid = $1 THEN 'view ' || c.oid::pg_catalog.regclass::text END, c.relowner, c.oid
  FROM used u JOIN pg_catalog.pg_class c ON c.oid = u.object
  WHERE u.class = 'pg_catalog.pg_class'::pg_catalog.regclass
  UNION ALL
  -- the view is asked by its name; a schema of pg_database_owner, as public is, belongs to the database's owner
  SELECT 'schema ' || pg_catalog.quote_ident(n.nspname),
         CASE k.rolname WHEN 'pg_database_owner' THEN d.datdba ELSE n.nspowner END, NULL
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_roles k ON k.oid = n.nspowner
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
  WHERE c.oid = $1
  UNION ALL
  SELECT 'function ' || p.oid::pg_catalog.regprocedure::text, p.proowner, NULL
  FROM used u JOIN pg_catalog.pg_proc p ON p.oid = u.object
  WHERE u.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT 'operator ' || o.oid::pg_catalog.regoperator::text, x.owner, NULL
  FROM used u JOIN pg_catalog.pg_operator o ON o.oid = u.object
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  CROSS JOIN LATERAL (VALUES (o.oprowner), (p.proowner)) x (owner)
  WHERE u.class = 'pg_catalog.pg_operator'::pg_catalog.regclass AND x.owner IS NOT NULL
  UNION ALL
  -- of rows and arrays what they are made of says it
  SELECT 'type ' || pg_catalog.format_type(t.oid, NULL), t.typowner, NULL
  FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.object
  WHERE u.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.typtype <> 'c' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
  UNION ALL
  SELECT 'type ' || pg_catalog.format_type(t.oid, NULL), t.typowner, NULL
  FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.object JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
  WHERE u.class = 'pg_catalog.pg_type'::pg_catalog.regclass
)
SELECT s.relation, s.what, s.role FROM (
  SELECT o.relation, CASE WHEN NOT pg_catalog.pg_has_role(o.owner, me.oid, $2) THEN o.what END AS what,
         pg_catalog.pg_get_userbyid(o.owner)::text AS role
  FROM owned o JOIN pg_catalog.pg_roles me ON me.rolname = current_user) s
ORDER BY s.what COLLATE "C" NULLS LAST
