//! What cannot be taken over, found in the catalogs: all that depends on the table, or on a part of it, and is
//! not known to be looked after. New kinds of objects are refused until somebody knows what to do with them.

use crate::error::Result;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// One line a reason, with the way out.
pub fn of(table: Oid) -> Result<Vec<String>> {
    let mut found = texts(ORDINARY, table)?;
    found.extend(either_way(table)?);
    Ok(found)
}

/// What is as much in the way of a partitioned table that is to be an ordinary one again.
pub fn either_way(table: Oid) -> Result<Vec<String>> {
    let mut found = texts(PROPERTIES, table)?;
    found.extend(texts(DEPENDENTS, table)?);
    Ok(found)
}

/// The first column of a query about a table.
pub fn texts(query: &str, table: Oid) -> Result<Vec<String>> {
    Spi::connect(|client| {
        let mut texts = vec![];
        for row in client.select(query, None, &[table.into()])? {
            texts.extend(row.get::<String>(1)?);
        }
        Ok(texts)
    })
}

const ORDINARY: &str = "
SELECT 'the table is unlogged, and partitions made later would not be: ALTER TABLE ... SET LOGGED first'
FROM pg_class WHERE oid = $1 AND relpersistence = 'u'
UNION ALL
SELECT format('the table uses access method %I, which partitions made later would not', a.amname)
FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = $1 AND a.amname <> 'heap'
UNION ALL
SELECT format('the table inherits from %s: ALTER TABLE ... NO INHERIT first', inhparent::regclass)
FROM pg_inherits WHERE inhrelid = $1
UNION ALL
SELECT format('table %s inherits from it: ALTER TABLE ... NO INHERIT first', inhrelid::regclass)
FROM pg_inherits WHERE inhparent = $1
UNION ALL
SELECT format('rule %I would not work on a partitioned table as before: drop it, and make a trigger of it', rulename)
FROM pg_rewrite WHERE ev_class = $1
UNION ALL
SELECT format('check constraint %I is NO INHERIT, which a partitioned table cannot have: make it anew without', conname)
FROM pg_constraint WHERE conrelid = $1 AND contype = 'c' AND connoinherit
UNION ALL
SELECT format('check constraint %I is not valid: ALTER TABLE ... VALIDATE CONSTRAINT first', conname)
FROM pg_constraint WHERE conrelid = $1 AND contype = 'c' AND NOT convalidated AND conname <> 'dbguard_convert'
UNION ALL
-- after a restore nobody knows it for ours any more
SELECT format('constraint \"dbguard_convert\" has the name of the check that is needed until the cut-over: '
              'ALTER TABLE %s DROP CONSTRAINT dbguard_convert if a conversion left it, or rename it', $1::regclass)
FROM pg_constraint k
WHERE k.conrelid = $1 AND k.conname = 'dbguard_convert'
  AND NOT EXISTS (SELECT FROM dbguard.partition_job j WHERE j.relation = $1 AND k.conname = ANY (j.made))";

const PROPERTIES: &str = "
SELECT 'the table is filled by a subscription: ALTER SUBSCRIPTION ... REFRESH PUBLICATION without it first'
WHERE EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = $1)
UNION ALL
SELECT 'the table is of a composite type: ALTER TABLE ... NOT OF first' FROM pg_class WHERE oid = $1 AND reloftype <> 0
UNION ALL
SELECT format('the table belongs to extension %I: it is the extension''s to change', e.extname)
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.classid = 'pg_class'::regclass AND d.objid = $1 AND d.refclassid = 'pg_extension'::regclass
UNION ALL
SELECT 'the table, or a column of it, has a security label, which would not be taken over: remove it first, and set it anew afterwards'
WHERE EXISTS (SELECT FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = $1)
UNION ALL
SELECT format('constraint %I of table %s has triggers that are not simply enabled, which would not be taken over: ALTER TABLE ... ENABLE TRIGGER ALL first',
              k.conname, k.conrelid::regclass)
FROM pg_trigger t JOIN pg_constraint k ON k.oid = t.tgconstraint
WHERE $1 IN (t.tgrelid, k.conrelid, k.confrelid) AND t.tgisinternal AND t.tgenabled <> 'O'
GROUP BY 1
UNION ALL
SELECT format('privileges on the table were granted by %I, and would be granted by its owner: let the owner grant them, and REVOKE those first',
              g.grantor::regrole)
FROM pg_class t
CROSS JOIN LATERAL (
  SELECT (aclexplode(t.relacl)).grantor
  UNION
  SELECT (aclexplode(a.attacl)).grantor FROM pg_attribute a WHERE a.attrelid = t.oid
  UNION
  SELECT (aclexplode(s.relacl)).grantor
  FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype IN ('a', 'i')
) g
WHERE t.oid = $1 AND g.grantor <> t.relowner";

/// The parts are what goes with the table or is made anew; nothing else may hang on them. Views and the
/// foreign keys of others are turned to the new table, so that what hangs on those need not be looked at. A
/// serial's sequence stays, whoever else uses it.
const DEPENDENTS: &str = "
WITH target AS (
  SELECT c.oid, c.reltype, t.typarray, c.reltoastrelid FROM pg_class c JOIN pg_type t ON t.oid = c.reltype
  WHERE c.oid = $1
), part AS (
  SELECT 'pg_class'::regclass AS classid, oid AS objid FROM target
  UNION ALL SELECT 'pg_type'::regclass, unnest(ARRAY[reltype, typarray]) FROM target
  UNION ALL SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid = $1
  UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid = $1
  UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE tgrelid = $1
  UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy WHERE polrelid = $1
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxrelid = $1
  UNION ALL SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid = $1
  UNION ALL
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
), known AS (
  SELECT classid, objid FROM part
  UNION ALL SELECT 'pg_class'::regclass, reltoastrelid FROM target
  UNION ALL SELECT 'pg_class'::regclass, d.objid FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
  UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE confrelid = $1 AND contype = 'f'
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_constraint k ON k.oid = t.tgconstraint
            WHERE t.tgisinternal AND k.contype = 'f' AND $1 IN (k.conrelid, k.confrelid)
  UNION ALL SELECT 'pg_publication_rel'::regclass, oid FROM pg_publication_rel WHERE prrelid = $1
  UNION ALL SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
            WHERE v.relkind = 'v' AND r.rulename = '_RETURN'
  -- what partitions have of it
  UNION ALL SELECT 'pg_class'::regclass, inhrelid FROM pg_inherits WHERE inhparent IN (SELECT indexrelid FROM pg_index WHERE indrelid = $1)
  UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN pg_constraint p ON p.oid = k.conparentid WHERE p.conrelid = $1
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_trigger p ON p.oid = t.tgparentid WHERE p.tgrelid = $1
  -- told above
  UNION ALL SELECT 'pg_class'::regclass, inhrelid FROM pg_inherits WHERE inhparent = $1
  UNION ALL SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class = $1
)
SELECT DISTINCT format('%s depends on the table: drop it first, and make it again afterwards',
                       CASE WHEN v.relkind = 'm' THEN 'materialized view ' || v.oid::regclass
                            ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END)
FROM pg_depend d JOIN part p ON p.classid = d.refclassid AND p.objid = d.refobjid
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class v ON v.oid = r.ev_class
WHERE NOT EXISTS (SELECT FROM known k WHERE k.classid = d.classid AND k.objid = d.objid)
UNION ALL
-- a view whose columns or expressions are of the table's row type is the old type's
SELECT DISTINCT format('view %s uses the row type of the table: drop it first, and make it again afterwards', v.oid::regclass)
FROM target t JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.reltype, t.typarray)
JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
UNION ALL
SELECT format('%s depends on extension %I: ALTER ... NO DEPENDS ON EXTENSION first',
              pg_describe_object(d.classid, d.objid, 0), e.extname)
FROM pg_depend d JOIN part p ON p.classid = d.classid AND p.objid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'x'
ORDER BY 1";

/// Views that group by a key which is to be made anew: they depend on its constraint.
pub fn views_of_constraint(table: Oid, constraint: &str) -> Result<Vec<String>> {
    const VIEWS: &str = "
        SELECT DISTINCT v.oid::regclass::text
        FROM pg_constraint k
        JOIN pg_depend d ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
        JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_class v ON v.oid = r.ev_class
        WHERE k.conrelid = $1 AND k.conname = $2 ORDER BY 1";
    Spi::connect(|client| {
        let mut views = vec![];
        for row in client.select(VIEWS, None, &[table.into(), constraint.into()])? {
            views.extend(row.get::<String>(1)?);
        }
        Ok(views)
    })
}
