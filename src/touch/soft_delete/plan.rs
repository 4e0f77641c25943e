//! soft_delete_plan: what brings a table to soft delete. A unique constraint that counts deleted rows, too, would refuse
//! a new row for the sake of one that is gone.

use super::enable::{check_column, check_table, Wanted, DEFINITION};
use super::live;
use super::status;
use crate::catalog::own_table;
use crate::ddl;
use crate::ddl::soft_delete::Unique;
use crate::error::{Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::relation::Relation;
use dbguard_core::partition::name::fit;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The statement (None: there is none that would do), the lock, and why.
type Step = (Option<String>, &'static str, String);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn soft_delete_plan(
    relation: Option<Oid>,
    column_name: Option<&str>,
    children: Option<&str>,
    live_view: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(step, i32),
            name!(relation, Oid),
            name!(statement, Option<String>),
            name!(lock, &'static str),
            name!(why, String),
        ),
    >,
    ErrorReport,
> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let steps = plan(relation, &Wanted::parse(column_name, children)?, live_view)?;
    let rows = (1..).zip(steps).map(move |(n, (statement, lock, why))| (n, relation, statement, lock, why));
    Ok(TableIterator::new(rows))
}

const BRIEF: &str = "ACCESS EXCLUSIVE, for a moment";
const TRIGGERS: &str = "SHARE ROW EXCLUSIVE, for a moment";
const CONCURRENTLY: &str = "SHARE UPDATE EXCLUSIVE: others read and write";
const WHOLE: &str = "SHARE, while it is built: others read";

fn plan(relation: Oid, wanted: &Wanted, live_view: Option<&str>) -> Result<Vec<Step>> {
    let table = own_table(relation)?;
    check_table(&table)?;
    let before = status::of(relation)?;
    let (column, children) = (wanted.column(before.as_ref()), wanted.children(before.as_ref()));
    let mut steps: Vec<Step> = vec![];
    if attributes_of_relation(relation).iter().any(|a| a.name == column) {
        check_column(&table, &column)?;
    } else {
        let add = ddl::touch::add_column(&table.schema, &table.name, &column, DEFINITION);
        steps.push((Some(add), BRIEF, "no such column; no row is rewritten".to_owned()));
    }
    for unique in uniques(&table, &column)?.iter().filter(|u| !u.knows) {
        steps.extend(of_unique(unique, &column)?);
    }
    if !has_index_on(&table, &column)? {
        let statement =
            ddl::soft_delete::index_of_deleted(&table.schema, &table.name, table.kind == 'p', &column);
        let lock = if table.kind == 'p' { WHOLE } else { CONCURRENTLY };
        steps.push((
            Some(statement),
            lock,
            "finds the deleted rows when they are purged or restored".to_owned(),
        ));
    }
    let same =
        before.as_ref().is_some_and(|b| b.column == column && b.children == children && b.enabled == 'O');
    let view_there = live_view.map_or(Ok(true), |name| live::is_there(&table, name))?;
    if !same || !view_there {
        let call = ddl::soft_delete::call_enable(&table.schema, &table.name, &column, children, live_view);
        steps.push((Some(call), TRIGGERS, "a DELETE sets the column from then on".to_owned()));
    }
    Ok(steps)
}

/// Names of unique indexes and constraints that count deleted rows, and could do without.
pub fn whole_unique(table: &Relation, column: &str) -> Result<Vec<String>> {
    let all = uniques(table, column)?;
    Ok(all.into_iter().filter(|u| !u.knows && u.kept_for.is_none()).map(|u| u.name).collect())
}

fn of_unique(unique: &Unique, column: &str) -> Result<Vec<Step>> {
    let name = &unique.name;
    if let Some(why) = &unique.kept_for {
        return Ok(match why.as_str() {
            // a key is that of its row for good
            "key" => vec![],
            why => vec![(None, "none", format!("\"{name}\" still counts deleted rows: {why}"))],
        });
    }
    let taken = |candidate: &str| Ok::<_, Error>(crate::pg::relation::exists(&unique.schema, candidate));
    let new = fit(name, "_live", name, taken)?;
    let lock = if unique.partitioned { WHOLE } else { CONCURRENTLY };
    let why = match unique.constraint {
        true => format!(
            "constraint \"{name}\" would refuse a row because of a deleted one; an index can pass over those"
        ),
        false => format!("index \"{name}\" would refuse a row because of a deleted one"),
    };
    Ok(vec![
        (Some(unique.live(column, &new)), lock, why),
        (Some(unique.drop()), BRIEF, "the new index stands in for it".to_owned()),
        (Some(unique.rename(&new)), BRIEF, "and takes its name".to_owned()),
    ])
}

fn uniques(table: &Relation, column: &str) -> Result<Vec<Unique>> {
    // after the name of the table, and before the predicate, as pg_get_indexdef prints them
    const UNIQUES: &str = "
        SELECT n.nspname::text, i.relname::text, k.oid IS NOT NULL,
               left(substr(d.definition, length(d.head) + 1),
                    CASE WHEN d.predicate IS NULL THEN NULL ELSE -length(' WHERE ' || d.predicate) END),
               substr(d.definition, length(d.head) + 1), d.predicate, s.spcname::text,
               CASE WHEN x.indisprimary THEN 'key'
                    WHEN x.indisexclusion THEN 'an exclusion constraint needs a WHERE of its own'
                    WHEN x.indisreplident THEN 'it is the replica identity of the table'
                    WHEN k.condeferrable THEN 'it is checked at the end of the transaction, which an index is not'
                    WHEN EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = i.oid)
                      THEN 'a foreign key refers to it' END,
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = x.indrelid AND a.attname = $2 AND a.attnum = ANY (x.indkey::int2[]))
               OR EXISTS (SELECT FROM pg_depend p
                       JOIN pg_attribute a ON a.attrelid = p.refobjid AND a.attnum = p.refobjsubid
                       WHERE p.classid = 'pg_class'::regclass AND p.objid = i.oid AND p.refobjid = x.indrelid
                         AND p.refclassid = 'pg_class'::regclass AND a.attname = $2),
               t.relname::text, t.relkind = 'p'
        FROM pg_index x
        JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_class t ON t.oid = x.indrelid
        JOIN pg_namespace n ON n.oid = i.relnamespace
        LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
        LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u', 'x')
        CROSS JOIN LATERAL (
          SELECT pg_get_indexdef(i.oid) AS definition, pg_get_expr(x.indpred, x.indrelid) AS predicate,
                 format('CREATE UNIQUE INDEX %I ON %s%I.%I', i.relname, CASE i.relkind WHEN 'I' THEN 'ONLY ' ELSE '' END,
                        n.nspname, t.relname) AS head) d
        WHERE (x.indrelid = $1 OR x.indrelid IN (SELECT relid FROM pg_partition_tree($1)) AND NOT i.relispartition)
          AND (x.indisunique OR x.indisexclusion) AND x.indisvalid
        ORDER BY x.indrelid <> $1, n.nspname, i.relname";
    Ok(Spi::connect(|client| -> std::result::Result<Vec<Unique>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(UNIQUES, None, &[table.oid.into(), column.into()])? {
            let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
            list.push(Unique {
                schema: text(1)?,
                name: text(2)?,
                constraint: row.get::<bool>(3)?.unwrap_or_default(),
                form: row.get::<String>(4)?.map_or_else(|| text(5), Ok)?,
                predicate: row.get::<String>(6)?,
                tablespace: row.get::<String>(7)?,
                kept_for: row.get::<String>(8)?,
                knows: row.get::<bool>(9)?.unwrap_or_default(),
                table: text(10)?,
                partitioned: row.get::<bool>(11)?.unwrap_or_default(),
            });
        }
        Ok(list)
    })?)
}

/// Whether an index begins with the column.
fn has_index_on(table: &Relation, column: &str) -> Result<bool> {
    const INDEX: &str = "
        SELECT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
                       WHERE x.indrelid = $1 AND a.attname = $2 AND x.indisvalid)";
    let found = Spi::connect(|client| {
        client.select(INDEX, Some(1), &[table.oid.into(), column.into()])?.first().get_one::<bool>()
    })?;
    Ok(found == Some(true))
}
