//! The way back: the table leaves the partitioned one, takes its name and all that is held of it, and the
//! partitioned one goes with its empty partitions.

use super::around::Around;
use super::cutover::{identify, let_go, make_triggers, take_up};
use super::run::{guarded, made, neighbours, validate, views};
use super::stored::{self, Conversion};
use super::table::{Index, Table};
use super::{aside, blocked, extended_name, leftover, perform, plan, Act};
use crate::audit::choose::carry;
use crate::catalog;
use crate::ddl::convert::{self as ddl, Commented};
use crate::ddl::retire;
use crate::error::{Error, Result};
use crate::partition::blueprint;
use crate::partition::config::{self, Entry};
use crate::partition::extra::Extra;
use crate::partition::job::{self, Job, Kind};
use crate::partition::patience::{self, Waited};
use crate::partition::pinned;
use crate::partition::set::{self, Set};
use crate::pg::procedure::Transactions;
use crate::pg::relation::with_inheritors;
use crate::pg::user::{as_role, Fence};
use crate::pg::{lock, snapshot};
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
    for (sql, owner) in back {
        let built = transactions.interruptible(&sql, owner, c"0");
        guarded(transactions, &job, original, || built)?;
    }
    let job = guarded(transactions, &job, original, || {
        let mut waited = Waited::default();
        patience::steps(relation, &mut waited, || cut_back(&conversion))?;
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
    validate(transactions, table)?;
    pinned(|| {
        stored::forget(table)?;
        job.end()
    })?;
    transactions.commit();
    Ok(())
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
                .hint("Call dbguard.partition_convert with the same arguments once more."));
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
        let around = Around::of(relation)?;
        refuse(name, &blocked::published_in_part(&around))?;
        refuse(name, &blocked::not_own(&around))?;
    }
    let job = job::begin(relation, &table, Kind::Unconvert)?;
    leftover::take_back(conversion.original)?;
    job.phase(if conversion.extended.is_empty() { "cut back" } else { "index" }, None)?;
    Ok((job, conversion))
}

fn refuse(table: &str, blocked: &[String]) -> Result<()> {
    match blocked.first() {
        None => Ok(()),
        Some(first) => Err(Error::not_in_state(format!("cannot convert \"{table}\" back: {first}"))),
    }
}

/// The table with the rows must still be what the conversion made of it.
fn is_first(conversion: &Conversion, name: &str) -> Result<()> {
    const FIRST: &str = "
        SELECT c.relowner = p.relowner AND c.relnamespace = p.relnamespace
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhrelid = $1 AND i.inhparent = $2 AND NOT i.inhdetachpending
          AND pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (MINVALUE) TO %'";
    let found = Spi::connect(|client| {
        let args = [conversion.original.into(), conversion.relation.into()];
        client.select(FIRST, Some(1), &args)?.next().map_or(Ok(None), |row| row.get::<bool>(1))
    })?;
    match found {
        Some(true) => Ok(()),
        Some(false) => Err(Error::not_in_state(format!("cannot convert \"{name}\" back"))
            .detail("The first partition has another owner, or is in another schema.")
            .hint("ALTER TABLE ... OWNER TO, or SET SCHEMA, so that they are alike.")),
        None => Err(Error::not_in_state(format!("cannot convert \"{name}\" back"))
            .detail("The table it was made of is not its first partition any more.")),
    }
}

/// No row may lie anywhere but in the table that is to hold all: the other partitions are dropped.
fn has_room(set: &Set, conversion: &Conversion) -> Result<()> {
    const OTHERS: &str = "
        SELECT n.nspname::text, c.relname::text, i.inhdetachpending
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = $1 AND i.inhrelid <> $2";
    let others = Spi::connect(|client| {
        let mut others = vec![];
        for row in client.select(OTHERS, None, &[conversion.relation.into(), conversion.original.into()])? {
            let name = (row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?.unwrap_or_default());
            others.push((name, row.get::<bool>(3)?.unwrap_or(true)));
        }
        Ok::<_, Error>(others)
    })?;
    let cannot = || Error::not_in_state(format!("cannot convert \"{}\" back", set.name));
    let mut rows = 0;
    for ((schema, name), detaching) in &others {
        if *detaching {
            return Err(cannot()
                .detail(format!("Partition \"{name}\" is being detached."))
                .hint("ALTER TABLE ... DETACH PARTITION ... FINALIZE ends that."));
        }
        let query = ddl::count((schema, name));
        rows += as_role(set.owner, Fence::RestrictedAllRows, || {
            Spi::connect(|client| client.select(&query, Some(1), &[])?.first().get_one::<i64>())
        })?
        .unwrap_or(0);
    }
    match rows {
        0 => Ok(()),
        rows => Err(cannot()
            .detail(format!("Rows at or beyond {}: {rows}.", conversion.bound))
            .hint("They are in other partitions, which would be dropped: move or delete them first.")),
    }
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
fn built_back(conversion: &Conversion) -> Result<Vec<(String, Oid)>> {
    let key = key(conversion.relation)?;
    let (table, original) = (Table::of(conversion.relation, &key)?, Table::of(conversion.original, &key)?);
    let mut statements = vec![];
    for index in table.indexes.iter().filter(|index| conversion.extended.contains(&index.name)) {
        let columns = without_last(index);
        let name = extended_name(&table, &index.name);
        let sql = ddl::unique_index_concurrently(&name, original.id(), &index.key(&columns, &index.include));
        statements.push((sql, table.owner));
    }
    Ok(statements)
}

fn without_last(index: &Index) -> Vec<String> {
    index.columns.split_last().map(|(_, columns)| columns.to_vec()).unwrap_or_default()
}

/// Takes the locks, looks, and does it; in a subtransaction that ends when a lock is not to be had.
fn cut_back(conversion: &Conversion) -> Result<()> {
    let relation = conversion.relation;
    views(relation)?.into_iter().for_each(lock::access_exclusive);
    for table in with_inheritors(relation) {
        lock::access_exclusive(table);
    }
    for other in snapshot::fresh(|| neighbours(relation))? {
        lock::access_exclusive(other);
    }
    snapshot::fresh(|| {
        let set = set::live(relation)?;
        is_first(conversion, &set.name)?;
        let key = key(relation)?;
        has_room(&set, conversion)?;
        let (table, around) = (Table::of(relation, &key)?, Around::of(relation)?);
        refuse(&table.name, &blocked::published_in_part(&around))?;
        refuse(&table.name, &blocked::not_own(&around))?;
        let audit = carry::take(&catalog::relation(relation)?)?;
        perform(&acts(conversion, &set, &table, &around)?)?;
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
    properties(conversion, set, table)?.into_iter().for_each(&mut own);
    for sequence in &around.owned {
        own(ddl::own_sequence((&sequence.schema, &sequence.name), parent, &sequence.column));
    }
    acts.extend(take_up(parent, around));
    let mut own = |sql: String| acts.push(Act { role: table.owner, sql });
    own(retire::drop((&table.schema, &aside_name)));
    for (part, index) in parts(conversion)? {
        match table.indexes.iter().find(|i| i.name == index && conversion.extended.contains(&index)) {
            None => own(ddl::rename_index((&table.schema, &part), &index)),
            Some(extended) => {
                let deferring = extended.constraint.as_ref().map_or("", |c| c.deferring);
                let built = extended_name(table, &index);
                own(ddl::drop_constraint(parent, &part));
                own(ddl::constraint_using_index(parent, &index, extended.is_primary(), &built, deferring));
                if let Some(text) = &extended.comment {
                    own(ddl::comment(parent, Commented::Index(&index), text));
                }
                if let Some(text) = extended.constraint.as_ref().and_then(|c| c.comment.as_ref()) {
                    own(ddl::comment(parent, Commented::Constraint(&index), text));
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

/// The table has kept its privileges and policies; those of the partitioned one may have changed since.
fn properties(conversion: &Conversion, set: &Set, table: &Table) -> Result<Vec<String>> {
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
        statements.push(ddl::comment(table.id(), Commented::Policy(policy), text));
    }
    Ok(statements)
}
