//! partition_import_partman: sets of pg_partman become sets of ours. Partitions stay as they are, and
//! pg_partman leaves them alone from the same moment on.

mod plan;
mod source;
mod template;

use super::enable::{self, Made};
use super::{pinned, set};
use crate::catalog::writable;
use crate::ddl::partman as ddl;
use crate::error::{Error, Result};
use crate::pg::relation::Relation;
use crate::pg::subxact::subtransaction;
use dbguard_core::partition::fit::written;
use dbguard_core::partition::partman::{split, Retention};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use plan::Plan;
use source::{Source, Theirs};

/// What became of a set.
struct Row {
    parent: Option<pg_sys::Oid>,
    schema: String,
    name: String,
    state: &'static str,
    message: String,
    sql: Option<String>,
}

#[pg_extern(sql = false)]
fn partition_import_partman(
    parent: Option<pg_sys::Oid>,
    dry_run: Option<bool>,
    zone: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(parent_table, Option<pg_sys::Oid>),
            name!(schema_name, String),
            name!(table_name, String),
            name!(state, &'static str),
            name!(message, String),
            name!(sql, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    writable("partition_import_partman")?;
    let rows = pinned(|| match parent {
        Some(parent) => Ok(vec![single(parent, dry_run, zone)?]),
        None => all(dry_run, zone),
    })?;
    let columns = |row: Row| (row.parent, row.schema, row.name, row.state, row.message, row.sql);
    Ok(TableIterator::new(rows.into_iter().map(columns)))
}

fn single(parent: pg_sys::Oid, dry_run: bool, zone: Option<&str>) -> Result<Row> {
    let table = own_table(parent)?;
    let source = Source::find()?;
    let name = [table.schema.as_str(), &table.name].join(".");
    let Some(theirs) = source.sets(Some(&name))?.pop() else {
        return Err(Error::not_in_state(format!("\"{}\" is not a set of pg_partman", table.name)).hint(
            "See parent_table in part_config of pg_partman. Call dbguard.partition_enable for a table of another kind.",
        ));
    };
    if !dry_run {
        source.hold()?;
    }
    import(&source, &table, &theirs, dry_run, zone)
}

/// Each set stands alone: what keeps one from being taken over is told in its row.
fn all(dry_run: bool, zone: Option<&str>) -> Result<Vec<Row>> {
    let source = Source::find()?;
    let sets = source.sets(None)?;
    if !dry_run {
        source.hold()?;
    }
    let mut rows = Vec::with_capacity(sets.len());
    for theirs in sets {
        pgrx::check_for_interrupts!();
        let (schema, name) = split(&theirs.name).unwrap_or_else(|| (String::new(), theirs.name.clone()));
        let parent = find(&schema, &name)?;
        let row = |state, message| Row {
            parent,
            schema: schema.clone(),
            name: name.clone(),
            state,
            message,
            sql: None,
        };
        let Some(oid) = parent else {
            rows.push(row("skipped", "there is no such table".to_owned()));
            continue;
        };
        let done = subtransaction(|| import(&source, &own_table(oid)?, &theirs, dry_run, zone));
        rows.push(done.unwrap_or_else(|error| row("blocked", told(&error))));
    }
    Ok(rows)
}

/// Somebody may hold the table: waited for as shortly as by partition_enable.
fn own_table(parent: pg_sys::Oid) -> Result<Relation> {
    crate::pg::guc::with(&[(c"lock_timeout", c"2s")], || crate::catalog::own_table(parent))
}

fn find(schema: &str, name: &str) -> Result<Option<pg_sys::Oid>> {
    const FIND: &str = "
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname::text = $1 AND c.relname::text = $2";
    Ok(Spi::connect(|client| {
        client.select(FIND, Some(1), &[schema.into(), name.into()])?.next().map_or(Ok(None), |row| row.get(1))
    })?)
}

/// What was done for a set, or would be.
struct Done {
    made: Vec<Made>,
    /// Partitions whose retention is over.
    over: usize,
}

/// An error with what to do about it.
fn told(error: &Error) -> String {
    let mut parts = vec![error.message().to_owned()];
    parts.extend(error.detail_text().map(str::to_owned));
    parts.extend(error.hint_text().map(str::to_owned));
    parts.join("\n")
}

fn import(
    source: &Source,
    table: &Relation,
    theirs: &Theirs,
    dry_run: bool,
    zone: Option<&str>,
) -> Result<Row> {
    let row = |state, message, sql| Row {
        parent: Some(table.oid),
        schema: table.schema.clone(),
        name: table.name.clone(),
        state,
        message,
        sql,
    };
    if set::of(table.oid)?.is_some() {
        let mut message = "it is a set of dbguard already".to_owned();
        if theirs.text("automatic_maintenance") != Some("off") {
            message += ", and pg_partman still maintains it. Stop that:\n";
            message += &ddl::stop_by_hand(&source.schema, &theirs.name);
        }
        return Ok(row("skipped", message, None));
    }
    let plan = plan::of(table, theirs, zone)?;
    let (schema, name) = (table.schema.as_str(), table.name.as_str());
    let Plan { config, options, extra, .. } = &plan;
    let retention = config.retention.as_ref();
    let (made, over) = if dry_run {
        enable::preview(table.oid, schema, name, options, extra, |set| {
            source.stop(&theirs.name)?;
            let steps = enable::steps(set, set.missing()?)?;
            let made = steps.into_iter().map(|step| Made { step, error: None }).collect();
            Ok((made, retain(table.oid, retention, dry_run)?))
        })?
    } else {
        source.stop(&theirs.name)?;
        let made = enable::enable(table.oid, schema, name, options, 0, extra)?;
        (made, retain(table.oid, retention, dry_run)?)
    };
    let state = if dry_run { "planned" } else { "imported" };
    let message = message(source, table, theirs, &plan, &Done { made, over })?;
    Ok(row(state, message, Some(calls(table, &plan)?)))
}

/// As its user would call it, with its checks; how many partitions are over.
fn retain(parent: pg_sys::Oid, retention: Option<&Retention>, dry_run: bool) -> Result<usize> {
    const RETAIN: &str = "
        SELECT FROM dbguard.partition_retain($1::regclass, $2, retire => $3, schema => $4, dry_run => $5)";
    let Some(retention) = retention else { return Ok(0) };
    let args = [
        parent.into(),
        plan::interval(&retention.retain)?.into(),
        retention.retire.into(),
        retention.schema.as_deref().into(),
        dry_run.into(),
    ];
    Ok(Spi::connect_mut(|client| client.update(RETAIN, None, &args).map(|rows| rows.len()))?)
}

/// The calls that are equal to it, one a line.
fn calls(table: &Relation, plan: &Plan) -> Result<String> {
    let Plan { config, options, extra, .. } = plan;
    let named = (table.schema.as_str(), table.name.as_str());
    let anchor = options.anchor.map(written).transpose()?;
    let mut calls = vec![ddl::enable(
        named,
        &ddl::Enable {
            every: &config.every,
            ahead: options.ahead,
            zone: &options.zone,
            anchor: anchor.as_deref(),
            key_unit: options.key_unit.as_deref(),
            storage_options: &extra.storage_options,
            unique_on: &extra.unique_on,
        },
    )];
    if let Some(Retention { retain, retire, schema }) = &config.retention {
        calls.push(ddl::retain(named, retain, retire, schema.as_deref()));
    }
    Ok(calls.join("\n"))
}

/// What was taken over, what will be otherwise, and the way back, a sentence a line.
fn message(source: &Source, table: &Relation, theirs: &Theirs, plan: &Plan, done: &Done) -> Result<String> {
    const PARTITIONS: &str = "
        SELECT (SELECT partdefid <> 0 FROM pg_partitioned_table WHERE partrelid = $1),
               (SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = $1 AND c.relowner <> $2)";
    let Plan { config, options, existing, off, .. } = plan;
    let anchor = match options.anchor {
        Some(anchor) => format!(" counted from {}", written(anchor)?),
        None => String::new(),
    };
    let mut lines =
        vec![format!("Every {}{anchor}, {} ahead, zone {}.", config.every, options.ahead, options.zone)];
    if let Some(Retention { retain, retire, schema }) = &config.retention {
        let to = schema.as_ref().map_or(String::new(), |schema| format!(" to {schema}"));
        lines.push(format!(
            "Retention: {retire}{to} after {retain}. Over now, for the next run: {}.",
            done.over
        ));
    }
    lines.push(format!(
        "Partitions adopted as they are: {existing}. Made because they were missing: {}.",
        done.made.len()
    ));
    if *off > 0 {
        lines.push(format!("Off the grid, and bridged where it begins: {off}."));
    }
    for Made { step, error } in &done.made {
        if let Some(error) = error {
            lines.push(format!("Partition {} could not be made: {}.", step.name, error.message()));
        }
    }
    let like = done.made.last().map_or(String::new(), |made| format!(" like {}", made.step.name));
    lines.push(format!("New partitions are named by dbguard{like}; those there keep their names."));
    let args = [table.oid.into(), table.owner.into()];
    let (has_default, foreign) =
        Spi::connect(|client| client.select(PARTITIONS, Some(1), &args)?.first().get_two::<bool, i64>())?;
    if has_default == Some(true) {
        lines.push(
            "The default partition stays; dbguard.partition_health() tells when it holds rows.".to_owned(),
        );
    }
    if let Some(foreign @ 1..) = foreign {
        lines.push(format!(
            "Partitions that belong to another role than the table: {foreign}. They cannot be dropped or moved as its owner; see owner_differs in dbguard.partition_health()."
        ));
    }
    lines.extend(config.notes.iter().cloned());
    // as `stop` leaves it
    if theirs.text("automatic_maintenance") == Some("off") && theirs.text("retention").is_none() {
        lines.push(
            "automatic_maintenance was off and retention NULL already, as an earlier import leaves them: no retention is taken over. If there was one, call dbguard.partition_retain."
                .to_owned(),
        );
    }
    let automatic = theirs.text("automatic_maintenance").unwrap_or("on");
    lines.push(
        "pg_partman leaves it alone: automatic_maintenance is off and retention NULL. To go back:".to_owned(),
    );
    lines.push(ddl::disable((&table.schema, &table.name)));
    lines.push(ddl::resume(&source.schema, &theirs.name, automatic, theirs.text("retention")));
    lines.push("When all is well, and for the extension after the last set:".to_owned());
    lines.push(ddl::forget(&source.schema, &theirs.name));
    lines.push("DROP EXTENSION pg_partman;".to_owned());
    Ok(lines.join("\n"))
}
