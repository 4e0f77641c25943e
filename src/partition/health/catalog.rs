//! What the catalogs say of the partitions of all sets.

use super::{Finding, Severity, Table};
use crate::ddl::{health as ddl, retire};
use crate::error::Result;
use crate::partition::set::{self, KNOWN};
use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

/// Each partition beside what it is directly a partition of: what differs between the two, at every depth.
const TROUBLES: &str = "
, tree AS (
  WITH RECURSIVE below AS (
    SELECT k.found AS set, i.inhparent, i.inhrelid, i.inhdetachpending
    FROM known k JOIN pg_class c ON c.oid = k.found AND c.relkind = 'p' JOIN pg_inherits i ON i.inhparent = k.found
    UNION ALL
    SELECT b.set, i.inhparent, i.inhrelid, i.inhdetachpending
    FROM below b JOIN pg_inherits i ON i.inhparent = b.inhrelid)
  SELECT b.set, b.inhdetachpending AS pending, u.oid AS up, u.relname AS up_name, un.nspname AS up_schema,
         u.relowner AS up_owner, u.relreplident AS up_identity,
         c.oid AS rel, c.relname AS name, n.nspname AS schema, c.relnamespace, c.relkind, c.relowner, c.relreplident
  FROM below b
  JOIN pg_class u ON u.oid = b.inhparent JOIN pg_namespace un ON un.oid = u.relnamespace
  JOIN pg_class c ON c.oid = b.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
), indexes AS (
  SELECT t.set, t.up_schema, t.schema, t.name, t.relkind, t.rel, p.indexrelid AS up_index, p.indisreplident AS up_identifies,
         x.indexrelid AS index, x.indisvalid, x.indisreplident
  FROM tree t
  JOIN pg_index p ON p.indrelid = t.up
  LEFT JOIN (pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid) ON i.inhparent = p.indexrelid AND x.indrelid = t.rel
  WHERE t.relkind IN ('r', 'p')
), trouble AS (
  SELECT t.set, 'detach_pending' AS problem, t.up_schema, t.up_name, t.schema, t.name,
         (SELECT r.pid::text FROM dbguard.partition_retired r JOIN pg_stat_activity a ON a.pid = r.pid
          WHERE r.relation = t.rel AND r.home = $1) AS one, NULL AS two
  FROM tree t WHERE t.pending
  UNION ALL
  SELECT t.set, 'owner_differs', t.up_schema, t.up_name, t.schema, t.name,
         pg_get_userbyid(t.up_owner), pg_get_userbyid(t.relowner)
  FROM tree t WHERE t.relowner <> t.up_owner
  UNION ALL
  SELECT i.set, 'index_missing', i.up_schema, c.relname, i.schema, i.name, NULL, NULL
  FROM indexes i JOIN pg_class c ON c.oid = i.up_index WHERE i.index IS NULL
  UNION ALL
  SELECT i.set, 'index_invalid', i.up_schema, NULL, i.schema, i.name, c.relname, NULL
  FROM indexes i JOIN pg_class c ON c.oid = i.index WHERE NOT i.indisvalid AND i.relkind = 'r'
  UNION ALL
  SELECT t.set, 'replica_identity_differs', t.up_schema, t.up_name, t.schema, t.name, t.up_identity::text,
         (SELECT c.relname FROM indexes i JOIN pg_class c ON c.oid = i.index
          WHERE i.rel = t.rel AND i.set = t.set AND i.up_identifies)
  FROM tree t
  WHERE (t.relreplident <> t.up_identity
         OR t.up_identity = 'i' AND NOT EXISTS (SELECT FROM indexes i
                                                WHERE i.rel = t.rel AND i.up_identifies AND i.indisreplident))
    AND (EXISTS (SELECT FROM pg_publication WHERE puballtables)
         OR EXISTS (SELECT FROM pg_publication_rel WHERE prrelid IN (t.set, t.up, t.rel))
         OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnnspid = t.relnamespace))
  UNION ALL
  SELECT c.oid, 'never_analyzed', NULL, NULL, NULL, NULL, NULL, NULL
  FROM known k JOIN pg_class c ON c.oid = k.found WHERE c.relkind = 'p' AND c.reltuples < 0
)
SELECT t.set, n.nspname::text, c.relname::text, t.problem,
       t.up_schema::text, t.up_name::text, t.schema::text, t.name::text, t.one::text, t.two::text
FROM trouble t JOIN pg_class c ON c.oid = t.set JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY t.set, t.problem, t.schema, t.name";

pub fn look(findings: &mut Vec<Finding>) -> Result<()> {
    let home = crate::pg::identity::database();
    Spi::connect(|client| {
        for row in client.select(format!("{KNOWN}{TROUBLES}").as_str(), None, &set::every(&home))? {
            findings.extend(finding(&row)?);
        }
        Ok(())
    })
}

fn finding(row: &SpiHeapTupleData) -> Result<Option<Finding>> {
    let text = |column: usize| -> Result<String> { Ok(row.get::<String>(column)?.unwrap_or_default()) };
    let table = Table { parent: row.get(1)?, schema: row.get(2)?, name: row.get(3)? };
    let (up, part) = ((text(5)?, text(6)?), (text(7)?, text(8)?));
    let (one, two) = (row.get::<String>(9)?, row.get::<String>(10)?);
    let shown = format!("partition \"{}\"", part.1);
    let (severity, problem, message, fix) = match text(4)?.as_str() {
        "detach_pending" => {
            let (severity, message) = match one {
                Some(pid) => (Severity::Info, format!("{shown} is being detached by pid {pid}")),
                None => (
                    Severity::Error,
                    format!("{shown} is half detached: its rows do not show, and its range is refused"),
                ),
            };
            let statement = retire::finalize((&up.0, &up.1), (&part.0, &part.1));
            (severity, "detach_pending", message, format!("{statement};"))
        }
        "owner_differs" => {
            let (wanted, owner) = (one.unwrap_or_default(), two.unwrap_or_default());
            let message = format!("{shown} belongs to {owner}, and its parent to {wanted}");
            (Severity::Warning, "owner_differs", message, ddl::owner(&part.0, &part.1, &wanted))
        }
        "index_missing" => {
            let message = format!("{shown} has no index that belongs to \"{}\"", up.1);
            let fix = ddl::attach_index(&up.0, &up.1, &part.0);
            let fix =
                format!("make it on the partition as it is on the parent, without a lock on writers (CONCURRENTLY), then {fix}");
            (Severity::Warning, "index_missing", message, fix)
        }
        "index_invalid" => {
            let index = one.unwrap_or_default();
            let message = format!("index \"{index}\" of {shown} is invalid");
            (Severity::Warning, "index_invalid", message, ddl::reindex(&part.0, &index))
        }
        "replica_identity_differs" => {
            let identity = one.unwrap_or_default();
            let message = format!("{shown} is published with another replica identity than its parent's");
            let fix = ddl::replica_identity(&part.0, &part.1, &identity, two.as_deref());
            (Severity::Warning, "replica_identity_differs", message, fix)
        }
        "never_analyzed" => {
            let (schema, name) = (text(2)?, text(3)?);
            let message = "the table as a whole was never analyzed, which autovacuum does not do".to_owned();
            (Severity::Info, "never_analyzed", message, ddl::analyze(&schema, &name))
        }
        _ => return Ok(None),
    };
    Ok(Some(Finding { table, severity, problem, message, fix: Some(fix) }))
}
