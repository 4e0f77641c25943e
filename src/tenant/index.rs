//! The index that finds a tenant's rows: its first column is the tenant's.

use super::steps::{Step, BUILD, EXCLUSIVE, SHARE};
use crate::catalog::relation;
use crate::ddl::tenant as ddl;
use crate::error::Result;
use crate::pg::relation::{exists, partitions, Relation};
use pgrx::prelude::*;

/// Up to here the index is built at once: it takes about as long as a row-level lock is waited for.
const SMALL_BYTES: i64 = 8 * 1024 * 1024;

const REASON: &str = "no index begins with the tenant column";

/// An index of a table whose other columns are of no matter, or else a plan for one.
pub fn steps(table: &Relation, column: &str) -> Result<Vec<Step>> {
    if serves(table, column)?.is_some() {
        return Ok(vec![]);
    }
    let (schema, name) = (&*table.schema, &*table.name);
    if size(table)? <= SMALL_BYTES {
        let mut step = Step::at_once(table, "index", ddl::create_index(schema, name, column, false), REASON);
        step.lock = Some(SHARE);
        return Ok(vec![step]);
    }
    if table.kind == 'r' {
        let statement = ddl::create_index(schema, name, column, true);
        return Ok(vec![Step::by_hand(table, "index", statement, BUILD, REASON)]);
    }
    let (mut steps, mut taken) = (vec![], vec![]);
    of_partitioned(table, column, &mut taken, &mut steps)?;
    Ok(steps)
}

/// One by one, since there is no CONCURRENTLY for a partitioned table. The name of the table's own index.
fn of_partitioned(
    table: &Relation,
    column: &str,
    taken: &mut Vec<(String, String)>,
    steps: &mut Vec<Step>,
) -> Result<String> {
    let index = unused_name(table, column, taken);
    let (schema, name) = (&*table.schema, &*table.name);
    if table.kind != 'p' {
        let statement = ddl::create_index_named(&index, schema, name, column);
        steps.push(Step::by_hand(table, "index", statement, BUILD, REASON));
        return Ok(index);
    }
    let statement = ddl::create_index_only(&index, schema, name, column);
    let reason = "it waits for those of the partitions; partitions made later have it";
    steps.push(Step::by_hand(table, "index", statement, SHARE, reason));
    for child in partitions(table.oid) {
        let child = relation(child)?;
        if child.kind == 'f' {
            continue;
        }
        // one there already becomes the partition's part of it
        let its = match serves(&child, column)? {
            Some(only) if child.kind == 'r' && !only.is_empty() => only,
            _ => of_partitioned(&child, column, taken, steps)?,
        };
        let statement = ddl::attach_index((schema, &index), (&child.schema, &its));
        steps.push(Step::by_hand(&child, "index", statement, EXCLUSIVE, "a part of the table's"));
    }
    Ok(index)
}

/// The name of an index on the column alone (empty: on others, too) that finds a tenant's rows, if there is any.
pub fn serves(table: &Relation, column: &str) -> Result<Option<String>> {
    const SERVES: &str = "
        SELECT CASE WHEN i.indnatts = 1 AND NOT i.indisunique AND NOT x.relispartition AND am.amname = 'btree' THEN x.relname::text ELSE '' END
        FROM pg_index i
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_am am ON am.oid = x.relam AND am.amname IN ('btree', 'hash')
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL
        ORDER BY 1 DESC LIMIT 1";
    let args = [table.oid.into(), column.into()];
    Ok(Spi::connect(|client| {
        let mut found = client.select(SERVES, Some(1), &args)?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}

fn size(table: &Relation) -> Result<i64> {
    const SIZE: &str = "
        SELECT coalesce(sum(pg_relation_size(relid)), 0)::bigint FROM pg_partition_tree($1) WHERE isleaf
        UNION ALL SELECT pg_relation_size($1) ORDER BY 1 DESC LIMIT 1";
    let size =
        Spi::connect(|client| client.select(SIZE, Some(1), &[table.oid.into()])?.first().get_one::<i64>())?;
    Ok(size.unwrap_or_default())
}

/// As the server would name it: table, column, idx, and a number if there is one already.
fn unused_name(table: &Relation, column: &str, taken: &mut Vec<(String, String)>) -> String {
    for number in 0.. {
        let end = if number == 0 { "_idx".to_owned() } else { format!("_idx{number}") };
        let mut stem = format!("{}_{column}", table.name);
        while stem.len() + end.len() > 63 {
            stem.pop();
        }
        let name = (table.schema.clone(), stem + &end);
        if !exists(&name.0, &name.1) && !taken.contains(&name) {
            taken.push(name.clone());
            return name.1;
        }
    }
    String::new()
}
