//! soft_delete_purge: really deletes what was deleted long ago, a batch a transaction.

use super::keys::{self, Kept};
use super::status;
use crate::catalog::{self, own_table};
use crate::ddl;
use crate::ddl::soft_delete::{named, Keeping, CHECK_AT_ONCE};
use crate::error::{notice, warning, Error, Result};
use crate::pg::compat::owns_relation;
use crate::pg::guc;
use crate::pg::procedure::{self, Transactions};
use crate::pg::relation::{describe, with_inheritors, Relation};
use crate::pg::subxact::subtransaction;
use crate::pg::user::{self, as_role, Fence};
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::collections::HashMap;
use std::ffi::CString;
use std::time::{Duration, Instant};

#[pg_extern(sql = false)]
fn soft_delete_purge(
    relation: Option<Oid>,
    older_than: Option<Interval>,
    batch: Option<i32>,
    budget: Option<Interval>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> std::result::Result<(), ErrorReport> {
    Ok(procedure::run(fcinfo, "soft_delete_purge", |transactions| {
        let wanted = Wanted {
            older_than: not_negative("older_than", older_than)?,
            batch: match batch {
                Some(n @ 1..=1_000_000) => n,
                Some(n) => {
                    return Err(Error::invalid_parameter(format!("batch cannot be {n}"))
                        .hint("It is the number of rows that one transaction deletes, 1 to 1000000."))
                }
                None => return Err(Error::null_argument("batch")),
            },
            until: Instant::now()
                + Duration::from_micros(not_negative("budget", budget)?.as_micros().max(0) as u64),
            path: guc::value(c"search_path").and_then(|path| CString::new(path).ok()).unwrap_or_default(),
        };
        run(transactions, relation, &wanted)
    })?)
}

struct Wanted {
    older_than: Interval,
    batch: i32,
    until: Instant,
    /// Triggers of the table run under the caller's.
    path: CString,
}

fn not_negative(name: &str, given: Option<Interval>) -> Result<Interval> {
    let given = given.ok_or_else(|| Error::null_argument(name))?;
    if given.as_micros() < 0 {
        return Err(Error::invalid_parameter(format!("argument \"{name}\" must not be negative"))
            .hint("Say how long: '90 days'."));
    }
    Ok(given)
}

/// A table on its way.
struct Work {
    relation: Oid,
    name: String,
    rows: u64,
    failed: Option<Error>,
    /// By partition, when the rows were deleted that the last batch of this round ended with: what is older is kept back.
    reached: HashMap<String, TimestampWithTimeZone>,
}

/// Tables that refer to others are emptied first: so round after round, until none has anything left.
fn run(transactions: &Transactions, relation: Option<Oid>, wanted: &Wanted) -> Result<()> {
    let only = relation;
    let mut all = guc::with_pinned_search_path(|| tables(relation))?;
    transactions.commit();
    let mut time_left = true;
    loop {
        let mut done = 0;
        all.iter_mut().for_each(|work| work.reached.clear());
        for work in all.iter_mut().filter(|w| w.failed.is_none()) {
            loop {
                time_left = Instant::now() < wanted.until;
                if !time_left {
                    break;
                }
                match subtransaction(|| batch(work.relation, &mut work.reached, wanted)) {
                    Ok(rows) => {
                        transactions.commit();
                        work.rows += rows;
                        done += rows;
                        if rows == 0 {
                            break;
                        }
                    }
                    Err(e) => {
                        transactions.commit();
                        work.failed = Some(e);
                        break;
                    }
                }
            }
        }
        if done == 0 || !time_left {
            break;
        }
    }
    told(all, only.is_some(), time_left, wanted)
}

fn told(all: Vec<Work>, alone: bool, time_left: bool, wanted: &Wanted) -> Result<()> {
    let mut failed = 0;
    let many = all.len();
    for work in all {
        if let Some(error) = work.failed {
            if alone {
                return Err(error);
            }
            failed += 1;
            let message = format!("table \"{}\" was not purged: {}", work.name, error.message());
            let mut shown = Error::new(error.code(), message);
            if let Some(hint) = error.hint_text() {
                shown = shown.hint(hint);
            }
            warning(shown);
            continue;
        }
        let kept =
            guc::with_pinned_search_path(|| counted(work.relation, wanted.older_than)).map(|c| c.kept)?;
        let rest =
            if kept > 0 { format!(", {kept} kept back by rows that refer to them") } else { String::new() };
        if alone || work.rows > 0 || kept > 0 {
            notice(format!("table \"{}\": {} rows purged{rest}", work.name, work.rows));
        }
    }
    if !time_left {
        notice("the time is over: the next call goes on");
    }
    if failed > 0 {
        return Err(Error::not_in_state(format!("{failed} of {many} tables could not be purged"))
            .detail("The others were. See the warnings before.")
            .hint("Mend what they say, and call it again."));
    }
    Ok(())
}

/// The table, or all that are the caller's.
fn tables(relation: Option<Oid>) -> Result<Vec<Work>> {
    let known = status::all()?;
    let work =
        |relation: Oid, name: String| Work { relation, name, rows: 0, failed: None, reached: HashMap::new() };
    if let Some(relation) = relation {
        let table = own_table(relation)?;
        if !known.iter().any(|(r, _)| *r == relation) {
            return Err(not_enabled(&table));
        }
        return Ok(vec![work(relation, table.name)]);
    }
    let mine = known.into_iter().filter(|(r, _)| owns_relation(*r, user::current()));
    let mut all: Vec<Work> = vec![];
    for (relation, _) in mine {
        if !all.iter().any(|w| w.relation == relation) {
            all.push(work(relation, catalog::relation(relation)?.name));
        }
    }
    Ok(all)
}

fn not_enabled(table: &Relation) -> Error {
    Error::not_in_state(format!("soft delete of table \"{}\" is not enabled", table.name))
        .hint("SELECT dbguard.soft_delete_enable('...');")
}

/// A table with all that the statements need: its partitions, each with the keys that refer to it.
struct Parts {
    table: Relation,
    column: String,
    leaves: Vec<(String, Vec<Kept>)>,
}

fn parts(relation: Oid) -> Result<Parts> {
    let table = own_table(relation)?;
    let known = status::all()?.into_iter().find(|(r, _)| *r == relation);
    let (_, column) = known.ok_or_else(|| not_enabled(&table))?;
    let of = |leaf: Oid| -> Result<Option<(String, Vec<Kept>)>> {
        let Some(leaf_table) = describe(leaf).filter(|l| l.kind == 'r') else { return Ok(None) };
        // of tables that inherit without being partitions each has a trigger of its own, or none
        if leaf != relation && !leaf_table.is_partition {
            return Ok(None);
        }
        Ok(Some((named(&leaf_table.schema, &leaf_table.name, false), keys::keeping(leaf, &mut vec![])?)))
    };
    let mut leaves = vec![];
    for leaf in with_inheritors(relation) {
        leaves.extend(of(leaf)?);
    }
    Ok(Parts { table, column, leaves })
}

fn keeping(keys: &[Kept]) -> Vec<Keeping<'_>> {
    keys.iter().map(Kept::keeping).collect()
}

/// One batch of a table: with the rights of its owner, whose triggers may run, and who must not be able to do more
/// than that. A row that goes with another and has been brought back meanwhile is an error: nothing live is purged.
fn batch(
    relation: Oid,
    reached: &mut HashMap<String, TimestampWithTimeZone>,
    wanted: &Wanted,
) -> Result<u64> {
    pgrx::check_for_interrupts!();
    let parts = guc::with_pinned_search_path(|| parts(relation))?;
    let settings = [
        (c"search_path", wanted.path.as_c_str()),
        (c"dbguard.hard_delete", c"deleted"),
        (c"lock_timeout", c"1s"),
    ];
    as_role(parts.table.owner, Fence::RestrictedAllRows, || {
        guc::with(&settings, || {
            ddl::run(CHECK_AT_ONCE)?;
            for (leaf, keys) in &parts.leaves {
                let sql = ddl::soft_delete::purge(leaf, &parts.column, &keeping(keys));
                let args = [wanted.older_than.into(), wanted.batch.into(), reached.get(leaf).copied().into()];
                let (rows, last) = Spi::connect_mut(|client| {
                    client.update(&sql, None, &args)?.first().get_two::<i64, TimestampWithTimeZone>()
                })?;
                if let Some(last) = last {
                    reached.insert(leaf.clone(), last);
                    return Ok(rows.unwrap_or_default() as u64);
                }
            }
            Ok(0)
        })
    })
}

struct Counted {
    rows: i64,
    kept: i64,
    oldest: Option<TimestampWithTimeZone>,
}

fn counted(relation: Oid, older_than: Interval) -> Result<Counted> {
    let parts = parts(relation)?;
    let mut all = Counted { rows: 0, kept: 0, oldest: None };
    as_role(parts.table.owner, Fence::RestrictedAllRows, || {
        for (leaf, keys) in &parts.leaves {
            let sql = ddl::soft_delete::count_purgeable(leaf, &parts.column, &keeping(keys));
            let (rows, kept, oldest) = Spi::connect(|client| {
                client
                    .select(&sql, Some(1), &[older_than.into()])?
                    .first()
                    .get_three::<i64, i64, TimestampWithTimeZone>()
            })?;
            all.rows += rows.unwrap_or_default();
            all.kept += kept.unwrap_or_default();
            all.oldest = all.oldest.into_iter().chain(oldest).min();
        }
        Ok(())
    })
    .map(|()| all)
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn soft_delete_purge_plan(
    relation: Option<Oid>,
    older_than: Option<Interval>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(rows, i64),
            name!(kept_back, i64),
            name!(oldest, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    let older_than = not_negative("older_than", older_than)?;
    let rows = tables(relation)?
        .into_iter()
        .map(|work| {
            let Counted { rows, kept, oldest } = counted(work.relation, older_than)?;
            Ok((work.relation, rows - kept, kept, oldest))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(TableIterator::new(rows))
}
