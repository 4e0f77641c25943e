//! What the table with the rows must be given of the partitioned one's, which may have been changed since.

use crate::catalog;
use crate::ddl::convert::{self as ddl, Commented};
use crate::error::{Error, Result};
use crate::partition::blueprint;
use crate::partition::convert::stored::Conversion;
use crate::partition::convert::table::{letter, Table};
use crate::partition::extra::Extra;
use crate::partition::set::Set;
use dbguard_core::partition::list;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The table has kept its privileges and policies; those of the partitioned one may have changed since.
pub fn privileges(conversion: &Conversion, set: &Set, table: &Table) -> Result<Vec<String>> {
    const HELD: &str = "
        SELECT ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY 1),
               ARRAY(SELECT DISTINCT r.rolname::text
                     FROM (SELECT g.grantee FROM aclexplode(c.relacl) g
                           UNION ALL
                           SELECT g.grantee FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = c.oid) g
                     LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE g.grantee <> c.relowner ORDER BY 1)
        FROM pg_class c WHERE c.oid = $1";
    let of = |relation: Oid| -> Result<Vec<String>> {
        let extra = Extra { policies: true, ..Extra::default() };
        let seen = Set::unregistered(
            &catalog::relation(relation)?,
            set.grid.clone(),
            set.ahead,
            set.now,
            vec![],
            extra,
        );
        let blueprint = blueprint::of(&seen)?;
        Ok(crate::ddl::partition::given(&blueprint, table.id()))
    };
    let (wanted, held) = (of(conversion.relation)?, of(conversion.original)?);
    if wanted == held {
        return Ok(vec![]);
    }
    let (policies, grantees) = Spi::connect(|client| {
        let row = client.select(HELD, Some(1), &[conversion.original.into()])?.first();
        Ok::<_, Error>((
            row.get::<Vec<String>>(1)?.unwrap_or_default(),
            row.get::<Vec<Option<String>>>(2)?.unwrap_or_default(),
        ))
    })?;
    let owner = String::from_utf8_lossy(&crate::pg::user::name(table.owner)).into_owned();
    let mut statements = ddl::strip(table.id(), &policies, &grantees);
    statements.push(ddl::grant_all(table.id(), &owner));
    statements.extend(wanted);
    for (policy, text) in &table.policy_comments {
        statements.push(ddl::comment(table.id(), Commented::Policy(policy), Some(text)));
    }
    Ok(statements)
}

/// Properties that ALTER TABLE and COMMENT gave the partitioned table alone. The statements are for when the table
/// has the name, and its indexes have theirs.
pub fn properties(conversion: &Conversion, table: &Table) -> Result<Vec<String>> {
    let id = table.id();
    Spi::connect(|client| {
        let mut statements = vec![];
        let args = [conversion.relation.into(), conversion.original.into()];
        for row in client.select(DIFFERENCES, None, &args)? {
            let (kind, name): (String, String) =
                (row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default());
            let (number, value): (Option<i32>, Option<String>) = (row.get(3)?, row.get(4)?);
            let number = number.unwrap_or(-1);
            let text = value.as_deref();
            let word = text.unwrap_or_default();
            let comment = |on| ddl::comment(id, on, text);
            statements.push(match kind.as_str() {
                "default" => ddl::default(id, &name, text),
                "storage" => ddl::storage(id, &name, word),
                "compression" => ddl::compression(id, &name, word),
                "statistics" => ddl::statistics(id, &name, number),
                "reset" => ddl::reset_column_option(id, &name, word),
                "option" => match list::option(word) {
                    Some(option) => ddl::column_option(id, &name, option),
                    None => return Err(Error::internal("an option without a value")),
                },
                "index statistics" => {
                    ddl::index_statistics((&table.schema, &name), row.get(5)?.unwrap_or_default(), number)
                }
                "rename constraint" => ddl::rename_constraint(id, &name, word),
                "comment on table" => comment(Commented::Table),
                "comment on column" => comment(Commented::Column(&name)),
                "comment on index" => comment(Commented::Index(&name)),
                "comment on constraint" => comment(Commented::Constraint(&name)),
                "comment on policy" => comment(Commented::Policy(&name)),
                "replica identity" => ddl::replica_identity(id, letter(word), &name),
                other => return Err(Error::internal(format!("a difference of kind {other}"))),
            });
        }
        Ok(statements)
    })
}

/// Kind, name, number and text of what differs, and a column's number, in the order in which it is to be set.
const DIFFERENCES: &str = "
WITH col AS (
  SELECT p.attname::text AS name, p.attnum AS p, o.attnum AS o, p.attgenerated, p.attstorage, p.attcompression,
         p.attstorage <> o.attstorage AS storage_differs, p.attcompression <> o.attcompression AS compression_differs,
         coalesce(p.attstattarget::int, -1) AS target, coalesce(o.attstattarget::int, -1) AS other_target,
         ARRAY(SELECT x FROM unnest(p.attoptions) x WHERE x LIKE 'n\\_distinct%') AS options,
         ARRAY(SELECT x FROM unnest(o.attoptions) x WHERE x LIKE 'n\\_distinct%') AS other_options
  FROM pg_attribute p JOIN pg_attribute o ON o.attname = p.attname AND o.attrelid = $2 AND o.attnum > 0 AND NOT o.attisdropped
  WHERE p.attrelid = $1 AND p.attnum > 0 AND NOT p.attisdropped
), expression AS (
  SELECT c.name, pg_get_expr(d.adbin, d.adrelid) AS it, pg_get_expr(e.adbin, e.adrelid) AS other
  FROM col c LEFT JOIN pg_attrdef d ON d.adrelid = $1 AND d.adnum = c.p LEFT JOIN pg_attrdef e ON e.adrelid = $2 AND e.adnum = c.o
  WHERE c.attgenerated = ''
), con AS (
  SELECT p.oid AS p, o.oid AS o, p.conname::text AS name, o.conname::text AS other, p.contype
  FROM pg_constraint p JOIN pg_constraint o
    ON o.conrelid = $2 AND (o.conparentid = p.oid OR p.contype IN ('c', 'n') AND o.contype = p.contype AND o.conname = p.conname)
  WHERE p.conrelid = $1
), ind AS (
  SELECT p.indexrelid AS p, o.indexrelid AS o, c.relname::text AS name, p.indisreplident AS identifies, o.indisreplident AS other_identifies
  FROM pg_index p JOIN pg_class c ON c.oid = p.indexrelid JOIN pg_inherits h ON h.inhparent = p.indexrelid
  JOIN pg_index o ON o.indexrelid = h.inhrelid AND o.indrelid = $2
  WHERE p.indrelid = $1
), identity AS (
  -- an index that is gone identifies nothing
  SELECT c.oid AS of, i.relname::text AS index,
         CASE WHEN c.relreplident = 'i' AND i.oid IS NULL THEN 'd' ELSE c.relreplident::text END AS kind
  FROM pg_class c LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisreplident LEFT JOIN pg_class i ON i.oid = x.indexrelid
  WHERE c.oid IN ($1, $2)
), difference(place, kind, name, number, value, col) AS (
  SELECT 1, 'default', name, NULL::int, it, NULL::int FROM expression WHERE it IS DISTINCT FROM other
  UNION ALL
  SELECT 1, 'storage', name, NULL, CASE attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END, NULL
  FROM col WHERE storage_differs
  UNION ALL
  SELECT 1, 'compression', name, NULL, CASE attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END, NULL
  FROM col WHERE compression_differs
  UNION ALL
  SELECT 1, 'statistics', name, target, NULL, NULL FROM col WHERE target <> other_target
  UNION ALL
  SELECT 1, 'reset', name, NULL, split_part(x, '=', 1), NULL FROM col, unnest(other_options) x
  WHERE split_part(x, '=', 1) NOT IN (SELECT split_part(y, '=', 1) FROM unnest(options) y)
  UNION ALL
  SELECT 1, 'option', name, NULL, x, NULL FROM col, unnest(options) x WHERE x <> ALL (other_options)
  UNION ALL
  SELECT 1, 'index statistics', i.name, coalesce(a.attstattarget::int, -1), NULL, a.attnum::int
  FROM ind i JOIN pg_attribute a ON a.attrelid = i.p JOIN pg_attribute b ON b.attrelid = i.o AND b.attnum = a.attnum
  WHERE coalesce(a.attstattarget::int, -1) <> coalesce(b.attstattarget::int, -1)
  UNION ALL
  SELECT 1, 'rename constraint', other, NULL, name, NULL FROM con WHERE contype = 'f' AND other <> name
  UNION ALL
  SELECT 2, 'comment on table', '', NULL, obj_description($1, 'pg_class'), NULL
  WHERE obj_description($1, 'pg_class') IS DISTINCT FROM obj_description($2, 'pg_class')
  UNION ALL
  SELECT 2, 'comment on column', name, NULL, col_description($1, p), NULL FROM col
  WHERE col_description($1, p) IS DISTINCT FROM col_description($2, o)
  UNION ALL
  SELECT 2, 'comment on index', name, NULL, obj_description(p, 'pg_class'), NULL FROM ind
  WHERE obj_description(p, 'pg_class') IS DISTINCT FROM obj_description(o, 'pg_class')
  UNION ALL
  SELECT 2, 'comment on constraint', name, NULL, obj_description(p, 'pg_constraint'), NULL FROM con
  WHERE obj_description(p, 'pg_constraint') IS DISTINCT FROM obj_description(o, 'pg_constraint')
  UNION ALL
  SELECT 2, 'comment on policy', p.polname::text, NULL, obj_description(p.oid, 'pg_policy'), NULL
  FROM pg_policy p LEFT JOIN pg_policy o ON o.polrelid = $2 AND o.polname = p.polname
  WHERE p.polrelid = $1 AND obj_description(p.oid, 'pg_policy') IS DISTINCT FROM obj_description(o.oid, 'pg_policy')
  UNION ALL
  SELECT 2, 'replica identity', coalesce(p.index, ''), NULL, p.kind, NULL
  FROM identity p, identity o
  WHERE p.of = $1 AND o.of = $2
    AND (p.kind <> o.kind OR EXISTS (SELECT FROM ind i WHERE i.identifies <> i.other_identifies))
)
SELECT kind, name, number, value, col FROM difference ORDER BY place, kind, name, col, value";
