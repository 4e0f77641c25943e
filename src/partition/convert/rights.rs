//! Privileges that the statements of the cut-over need, and that were there when the same was made the first time.

use super::oddities::texts;
use crate::error::Result;
use pgrx::pg_sys::Oid;

/// One line a privilege that is missing, with the GRANT. Of what is made anew: on the way there also the foreign
/// keys and indexes of the table itself, on the way back it has them.
pub fn missing(table: Oid) -> Result<Vec<String>> {
    texts(MISSING, table)
}

const MISSING: &str = "
WITH target AS (
  SELECT c.oid, c.relowner, c.relkind FROM pg_class c WHERE c.oid = $1
), key AS (
  SELECT k.conname, k.conrelid, k.confrelid, k.confkey, f.relowner AS role, f.relnamespace AS own, r.relnamespace AS other,
         CASE k.conrelid WHEN $1 THEN 'the table''s owner' ELSE format('the owner of %s', k.conrelid::regclass) END AS who
  FROM target t JOIN pg_constraint k ON t.oid = k.confrelid OR t.oid = k.conrelid AND t.relkind = 'r'
  JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid <> k.confrelid
), uses AS (
  SELECT who, role, unnest(ARRAY[own, other]) AS schema, format(', as foreign key \"%s\" does', conname) AS what FROM key
  UNION
  SELECT 'the table''s owner', t.relowner, p.pronamespace, format(', as trigger \"%s\" does', g.tgname)
  FROM target t JOIN pg_trigger g ON g.tgrelid = t.oid JOIN pg_proc p ON p.oid = g.tgfoid
  WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND p.pronamespace <> 'dbguard'::regnamespace
  UNION
  SELECT format('the owner of view %s', v.oid::regclass), v.relowner, coalesce(c.relnamespace, p.pronamespace, y.typnamespace), ''
  FROM pg_depend u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid
  JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
  LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
  LEFT JOIN pg_type y ON d.refclassid = 'pg_type'::regclass AND y.oid = d.refobjid
  WHERE u.refclassid = 'pg_class'::regclass AND u.refobjid = $1
)
SELECT format('%s may not use schema %s any more%s: GRANT USAGE ON SCHEMA %s TO %s first',
              who, schema::regnamespace, what, schema::regnamespace, role::regrole)
FROM uses WHERE schema IS NOT NULL AND NOT has_schema_privilege(role, schema, 'USAGE')
UNION ALL
SELECT format('%s may not refer to %s any more, as foreign key \"%s\" does: GRANT REFERENCES ON %s TO %s first',
              who, confrelid::regclass, conname, confrelid::regclass, role::regrole)
FROM key
WHERE NOT has_table_privilege(role, confrelid, 'REFERENCES')
  AND NOT (SELECT bool_and(has_column_privilege(role, confrelid, n, 'REFERENCES')) FROM unnest(confkey) n)
UNION ALL
SELECT format('the table''s owner may not create in tablespace %I any more, as index %s needs: GRANT CREATE ON TABLESPACE %I TO %s first',
              s.spcname, i.oid::regclass, s.spcname, t.relowner::regrole)
FROM target t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_tablespace s ON s.oid = i.reltablespace
WHERE t.relkind = 'r' AND NOT has_tablespace_privilege(t.relowner, s.oid, 'CREATE')
ORDER BY 1";
