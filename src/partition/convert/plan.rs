//! The preflight: what would be done, and what keeps it from being done. Nothing is changed.

use super::around::Around;
use super::blocked;
use super::cutover::{CutOver, Fate};
use super::request::{Asked, Bound, Request};
use super::table::Table;
use super::{aside, extended_name, CHECK};
use crate::ddl::convert as ddl;
use crate::ddl::partition::script;
use crate::error::{Error, Result};
use crate::partition::extra::Extra;
use crate::partition::set::{Partition, Set};
use crate::partition::{blueprint, enable, make};
use crate::pg::procedure;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{list, Micros, Range};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Kind, message and statements of a step.
pub type Row = (&'static str, String, Option<String>);

/// What is known before anything is done.
pub struct Preflight {
    pub asked: Asked,
    pub table: Table,
    /// Where the first partition ends.
    pub bound: Option<(String, Micros)>,
    pub blocked: Vec<String>,
}

pub fn preflight(request: &Request) -> Result<Preflight> {
    let asked = request.look()?;
    let table = Table::of(request.relation, &request.key)?;
    let around = Around::of(request.relation)?;
    let mut blocked = blocked::by_catalog(request, &table, &around)?;
    blocked.extend(blocked::by_trying(request, &asked.set, &table)?);
    if asked.has_rows_without_key(&table)? {
        blocked.push(format!(
            "rows have no \"{0}\": give them one, or delete those WHERE \"{0}\" IS NULL",
            table.key
        ));
    }
    let bound = match asked.bound()? {
        Bound::At(bound, at) => Some((bound, at)),
        Bound::Beyond { key, last } => {
            blocked.push(format!(
                "the highest \"{}\" is {key}, and the first partition cannot end later than {last}: \
                 delete or change such rows, or give a larger ahead",
                table.key
            ));
            None
        }
    };
    Ok(Preflight { asked, table, bound, blocked })
}

impl Preflight {
    /// # Errors
    /// 55000 if something is in the way.
    pub fn check(&self) -> Result<()> {
        refuse(&self.table.name, &self.blocked)
    }
}

/// One error for all that is in the way.
pub fn refuse(table: &str, blocked: &[String]) -> Result<()> {
    let Some((first, others)) = blocked.split_first() else { return Ok(()) };
    let error = Error::not_in_state(format!("cannot convert table \"{table}\": {first}"));
    let error = match others.len() {
        0 => error,
        1 => error.detail("One more thing is in the way."),
        many => error.detail(format!("{many} more things are in the way.")),
    };
    Err(error.hint("See SELECT * FROM dbguard.partition_convert_plan(...) with the same arguments."))
}

/// Everything for the cut-over as the table is now.
pub fn cut_over(request: &Request, asked: &Asked, bound: &str) -> Result<CutOver> {
    let table = Table::of(request.relation, &request.key)?;
    let around = Around::of(request.relation)?;
    let blueprint = blueprint::of(&asked.set)?;
    let mut chosen = vec![];
    let aside_name = aside(&table.schema, &table.name, &mut chosen)?;
    let mut indexes = vec![];
    for index in &table.indexes {
        let fate = match table.is_ours(index) {
            true => Fate::Local,
            false => blocked::fate(request, index)?.unwrap_or(Fate::Local),
        };
        indexes.push((fate, aside(&table.schema, &index.name, &mut chosen)?));
    }
    let positions = positions(&table, &around)?;
    Ok(CutOver { table, around, blueprint, bound: bound.to_owned(), aside: aside_name, indexes, positions })
}

/// Where the sequences of identities stand.
pub fn positions(table: &Table, around: &Around) -> Result<Vec<(i64, bool)>> {
    let mut positions = vec![];
    for identity in &around.identities {
        let query = ddl::sequence_position((&identity.schema, &identity.name));
        let (value, called) = as_role(table.owner, Fence::Local, || {
            Spi::connect(|client| client.select(&query, Some(1), &[])?.first().get_two::<i64, bool>())
        })?;
        let lost = || Error::internal("a sequence has no row");
        positions.push((value.ok_or_else(lost)?, called.ok_or_else(lost)?));
    }
    Ok(positions)
}

/// What the set is registered with: storage options are the table's where none are given.
pub fn extra(request: &Request) -> Result<Extra> {
    const OPTIONS: &str = "
        SELECT coalesce(c.reloptions, '{}') ||
               ARRAY(SELECT 'toast.' || o FROM unnest(t.reloptions) o)
        FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = $1";
    let found = Spi::connect(|client| {
        client.select(OPTIONS, Some(1), &[request.relation.into()])?.first().get_one::<Vec<String>>()
    })?;
    let given = request.extra.storage()?;
    let mut storage_options = request.extra.storage_options.clone();
    for text in found.unwrap_or_default() {
        let known =
            list::option(&text).is_some_and(|(name, _)| given.iter().any(|(other, _)| *other == name));
        if !known {
            storage_options.push(text);
        }
    }
    Ok(Extra {
        storage_options,
        unique_on: request.extra.unique_on.clone(),
        policies: request.extra.policies,
        ..Extra::default()
    })
}

/// The plan for people.
pub fn rows(request: &Request) -> Result<Vec<Row>> {
    let preflight = preflight(request)?;
    let Preflight { asked, table, bound, blocked } = &preflight;
    let mut rows: Vec<Row> = blocked.iter().map(|message| ("blocked", message.clone(), None)).collect();
    let note = |rows: &mut Vec<Row>, message: String| rows.push(("note", message, None));
    note(&mut rows, size(request.relation)?);
    if procedure::is_read_only() {
        note(
            &mut rows,
            "nothing can be made here: that the server allows all of this was not tried".to_owned(),
        );
    }
    let Some((bound, at)) = bound.as_ref().filter(|_| blocked.is_empty()) else { return Ok(rows) };
    let cut = cut_over(request, asked, bound)?;
    note(
        &mut rows,
        format!("the table becomes partition \"{}\", for all before {bound}; until then, rows at or beyond that are refused", cut.aside),
    );
    if !table.key_not_null {
        note(&mut rows, format!("rows without \"{}\" are refused from then on", table.key));
    }
    if table.triggers.iter().any(|trigger| trigger.of_rows) {
        note(
            &mut rows,
            "row triggers will be told the name and OID of the partition in TG_TABLE_NAME and TG_RELID"
                .to_owned(),
        );
    }
    if table.triggers.iter().any(|trigger| trigger.is_audit) {
        note(&mut rows, "audit goes on with the same options, and with the history there is".to_owned());
    }
    if !cut.around.referrers.is_empty() {
        note(
            &mut rows,
            "foreign keys that refer to the table are made anew, and validated after the cut-over".to_owned(),
        );
    }
    let id = table.id();
    rows.push((
        "check",
        "no row lies at or beyond the bound".to_owned(),
        Some(ddl::add_check(id, CHECK, &table.key, bound)),
    ));
    rows.push(("validate", "reads the table once; others go on".to_owned(), Some(ddl::validate(id, CHECK))));
    for index in &table.indexes {
        if blocked::fate(request, index)? == Some(Fate::Extended) {
            let columns = index.extended(&table.key);
            let sql =
                ddl::unique_index_concurrently(&extended_name(table, &index.name), id, &index.key(&columns));
            rows.push((
                "index",
                format!("key \"{}\" gets \"{}\" as its last column", index.name, table.key),
                Some(sql),
            ));
        }
    }
    let statements: Vec<String> = cut.acts().into_iter().map(|act| act.sql).collect();
    rows.push(("cut over", "one transaction, in which no row is read".to_owned(), Some(script(&statements))));
    let mut finish = vec![];
    for referrer in cut.around.referrers.iter().filter(|referrer| referrer.validated) {
        finish.push(ddl::validate(referrer.table(), &referrer.name));
    }
    finish.push(ddl::analyze(id));
    for step in partitions(request, asked, *at)? {
        rows.push(("make", format!("from {} to {}", step.lower, step.upper), Some(script(&step.statements))));
    }
    rows.push(("finish", "what needs no lock that others would notice".to_owned(), Some(script(&finish))));
    Ok(rows)
}

/// What is missing beyond the first partition.
fn partitions(request: &Request, asked: &Asked, bound: Micros) -> Result<Vec<make::Step>> {
    let Set { grid, ahead, now, .. } = &asked.set;
    let first = Partition { oid: request.relation, range: Range { from: Micros::MIN, to: bound } };
    let table = crate::catalog::relation(request.relation)?;
    let set = Set::unregistered(&table, grid.clone(), *ahead, *now, vec![first], extra(request)?);
    enable::steps(&set, set.missing()?)
}

fn size(table: Oid) -> Result<String> {
    const SIZE: &str = "
        SELECT format('about %s rows, %s; nothing is copied',
                      CASE WHEN reltuples < 0 THEN 'an unknown number of' ELSE reltuples::int8::text END,
                      pg_size_pretty(pg_total_relation_size(oid)))
        FROM pg_class WHERE oid = $1";
    let size =
        Spi::connect(|client| client.select(SIZE, Some(1), &[table.into()])?.first().get_one::<String>())?;
    Ok(size.unwrap_or_default())
}
