//! The way back: the table leaves the partitioned one, takes its name and all that is held of it, and the
//! partitioned one goes with its empty partitions. `obstacles` is what is in the way, `since` what was changed on
//! the partitioned one.

mod obstacles;
mod since;

use super::around::Around;
use super::cutover::{identify, let_go, make_triggers, take_up};
use super::finish::{step, validate};
use super::run::{build, guarded, made, neighbours, views};
use super::stored::{self, Conversion};
use super::table::{Index, Table};
use super::{aside, extended_name, leftover, perform, plan, statistics, Act};
use crate::audit::choose::carry;
use crate::catalog;
use crate::ddl::convert::{self as ddl, Commented};
use crate::ddl::retire;
use crate::error::{Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::job::{self, Job, Kind};
use crate::partition::patience::{self, Step, Waited};
use crate::partition::set::{self, Set};
use crate::partition::{make, pinned};
use crate::pg::procedure::Transactions;
use crate::pg::relation::with_inheritors;
use crate::pg::snapshot;
use obstacles::{check, has_room, is_first};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub fn unconvert(transactions: &Transactions, relation: Oid) -> Result<()> {
    let (job, conversion) = pinned(|| begin(relation, transactions.is_top_level()))?;
    transactions.commit();
    if conversion.original == relation {
        return finish(transactions, relation, &job);
    }
    let original = conversion.original;
    let back = guarded(transactions, &job, original, || built_back(&conversion))?;
    for (name, sql, owner) in back {
        build(transactions, &job, original, (&name, &sql), owner)?;
    }
    let job = guarded(transactions, &job, original, || {
        let mut waited = Waited::default();
        patience::tries(relation, &mut waited, |step| cut_back(step, &conversion))?;
        job.end()?;
        let table = catalog::relation(original)?;
        let job = job::begin(original, &table, Kind::Unconvert)?;
        job.phase("finish", None)?;
        let run = config::begin_run()?;
        let waited = Some(&waited);
        let entry =
            Entry { schema: Some(&table.schema), table: Some(&table.name), waited, ..Entry::default() };
        config::log(run, "unconvert", "done", entry)?;
        Ok(job)
    })?;
    finish(transactions, original, &job)
}

/// Foreign keys that were made anew; what is ended in between is taken up by the next call.
fn finish(transactions: &Transactions, table: Oid, job: &Job) -> Result<()> {
    validate(transactions, table, job)?;
    step(transactions, job, || {
        stored::forget(table)?;
        job.end()
    })
}

fn begin(relation: Oid, top_level: bool) -> Result<(Job, Conversion)> {
    let table = catalog::own_table(relation)?;
    let name = &table.name;
    let Some(conversion) = stored::of(relation)? else {
        return Err(Error::not_in_state(format!(
            "\"{name}\" was not converted by dbguard.partition_convert"
        ))
        .hint("What was converted in another database, or before a restore, is not known here."));
    };
    if conversion.original != relation {
        if !conversion.finished {
            return Err(Error::not_in_state(format!("the conversion of \"{name}\" is not finished"))
                .hint("Call dbguard.partition_convert with the same arguments once more, or dbguard.partition_convert_cancel to leave it at that."));
        }
        is_first(&conversion, name)?;
        if !conversion.extended.is_empty() && !top_level {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
                "partition_unconvert of a table whose keys were extended cannot be called by a function or a procedure",
            )
            .detail("It builds an index concurrently.")
            .hint("Call it as a statement of its own: CALL dbguard.partition_unconvert(...)"));
        }
        let set: Set = set::live(relation)?;
        has_room(&set, &conversion)?;
        check(&conversion, name, &Around::of(relation)?)?;
    }
    let job = job::begin(relation, &table, Kind::Unconvert)?;
    leftover::take_back(&job, conversion.original)?;
    job.phase(if conversion.extended.is_empty() { "cut back" } else { "index" }, None)?;
    Ok((job, conversion))
}

/// The column the partitions are of.
fn key(relation: Oid) -> Result<String> {
    const KEY: &str = "SELECT a.attname::text FROM pg_partitioned_table p
                       JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = $1";
    let key =
        Spi::connect(|client| client.select(KEY, Some(1), &[relation.into()])?.first().get_one::<String>())?;
    key.ok_or_else(|| Error::internal("a partitioned table without a key"))
}

/// What must be built before: the keys without the column that was appended.
fn built_back(conversion: &Conversion) -> Result<Vec<(String, String, Oid)>> {
    let key = key(conversion.relation)?;
    let (table, original) = (Table::of(conversion.relation, &key)?, Table::of(conversion.original, &key)?);
    let mut statements = vec![];
    for index in table.indexes.iter().filter(|index| conversion.extended.contains(&index.oid)) {
        let columns = without_last(index);
        let name = extended_name(&table, &index.name);
        if make::exists(&table.schema, &name)? {
            return Err(Error::not_in_state(format!("cannot convert \"{}\" back", table.name))
                .detail(format!(
                    "Relation \"{name}\" has the name that the key has until it takes its place."
                ))
                .hint("Rename it: ALTER ... RENAME TO."));
        }
        let sql = ddl::unique_index_concurrently(&name, original.id(), &index.key(&columns));
        statements.push((name, sql, table.owner));
    }
    Ok(statements)
}

fn without_last(index: &Index) -> Vec<String> {
    index.columns.split_last().map(|(_, columns)| columns.to_vec()).unwrap_or_default()
}

/// Takes the locks, looks, and does it; in a subtransaction that ends when a lock is not to be had.
fn cut_back(step: &Step, conversion: &Conversion) -> Result<()> {
    let relation = conversion.relation;
    step.lock(&views(relation)?)?;
    step.lock(&with_inheritors(relation))?;
    step.lock(&snapshot::fresh(|| neighbours(relation))?)?;
    snapshot::fresh(|| {
        let set = set::live(relation)?;
        is_first(conversion, &set.name)?;
        let key = key(relation)?;
        has_room(&set, conversion)?;
        let (table, around) = (Table::of(relation, &key)?, Around::of(relation)?);
        check(conversion, &table.name, &around)?;
        let audit = carry::take(&catalog::relation(relation)?)?;
        perform(step, &acts(conversion, &set, &table, &around)?)?;
        if let Some(audit) = &audit {
            carry::give(audit, &catalog::relation(conversion.original)?)?;
        }
        config::remove(&set.schema, &set.name)?;
        let (_, to_validate) = made(&table, &around)?;
        stored::forget(relation)?;
        stored::add(&Conversion {
            relation: conversion.original,
            original: conversion.original,
            bound: conversion.bound.clone(),
            extended: vec![],
            made_not_null: false,
            to_validate,
            finished: false,
        })
    })
}

fn acts(conversion: &Conversion, set: &Set, table: &Table, around: &Around) -> Result<Vec<Act>> {
    let original = Table::of(conversion.original, &table.key)?;
    let (parent, name) = (table.id(), table.name.as_str());
    let mut chosen = vec![];
    let aside_name = aside(&table.schema, name, &mut chosen)?;
    let positions = plan::positions(table, around)?;
    let mut acts = let_go(table, around);
    let mut own = |sql: String| acts.push(Act { role: table.owner, sql });
    own(retire::detach(parent, original.id()));
    own(ddl::rename_table(parent, &aside_name));
    own(ddl::rename_table(original.id(), name));
    // before foreign keys of others are made anew, whose owners need the right to
    since::privileges(conversion, set, table)?.into_iter().for_each(&mut own);
    for sequence in &around.owned {
        own(ddl::own_sequence((&sequence.schema, &sequence.name), parent, &sequence.column));
    }
    acts.extend(take_up(parent, around));
    let mut own = |sql: String| acts.push(Act { role: table.owner, sql });
    own(retire::drop((&table.schema, &aside_name)));
    for (part, index) in parts(conversion)? {
        match table.indexes.iter().find(|i| i.name == index && conversion.extended.contains(&i.oid)) {
            None => own(ddl::rename_index((&table.schema, &part), &index)),
            Some(extended) => {
                let deferring = extended.constraint.as_ref().map_or("", |c| c.deferring);
                let built = extended_name(table, &index);
                own(ddl::drop_constraint(parent, &part));
                own(ddl::constraint_using_index(parent, &index, extended.is_primary(), &built, deferring));
                if original.indexes.iter().any(|i| i.name == part && i.clustered) {
                    own(ddl::cluster_on(parent, &index));
                }
                if let Some(text) = &extended.comment {
                    own(ddl::comment(parent, Commented::Index(&index), Some(text)));
                }
                if let Some(text) = extended.constraint.as_ref().and_then(|c| c.comment.as_ref()) {
                    own(ddl::comment(parent, Commented::Constraint(&index), Some(text)));
                }
            }
        }
    }
    if conversion.made_not_null {
        own(ddl::drop_not_null(parent, &table.key));
    }
    for (identity, position) in around.identities.iter().zip(positions) {
        identify(parent, identity, position).into_iter().for_each(&mut own);
    }
    make_triggers(parent, &table.triggers).into_iter().for_each(&mut own);
    since::properties(conversion, table)?.into_iter().for_each(&mut own);
    acts.extend(statistics::carried(conversion.relation, conversion.original)?);
    Ok(acts)
}

/// The indexes of the original by the names of those they are parts of.
fn parts(conversion: &Conversion) -> Result<Vec<(String, String)>> {
    const PARTS: &str = "
        SELECT c.relname::text, p.relname::text
        FROM pg_index x JOIN pg_inherits i ON i.inhrelid = x.indexrelid
        JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE x.indrelid = $1 ORDER BY 2";
    Spi::connect(|client| {
        let mut parts = vec![];
        for row in client.select(PARTS, None, &[conversion.original.into()])? {
            parts.push((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default()));
        }
        Ok(parts)
    })
}
