//! Fences: two ordinary partitions that take what lies before the first and far beyond the last, so that
//! no row is refused there and none needs a DEFAULT partition.

use super::config::{self, Entry};
use super::make::{self, Step};
use super::patience::Waited;
use super::set::{self, Set};
use super::{blueprint, busy, lock, not_enabled, pinned};
use crate::ddl::partition as ddl;
use crate::error::{Error, Result};
use dbguard_core::partition::retire::before;
use dbguard_core::partition::{civil, name, plan, Micros};
use pgrx::datum::Interval;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn partition_fence(
    parent: Option<pg_sys::Oid>,
    far: Option<Interval>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (name!(partition, String), name!(lower, String), name!(upper, String), name!(sql, String)),
    >,
    ErrorReport,
> {
    let parent = parent.ok_or_else(|| Error::null_argument("parent"))?;
    let far = far.ok_or_else(|| Error::null_argument("far"))?;
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    let steps = pinned(|| {
        let table = crate::catalog::own_table(parent)?;
        if set::of(parent)?.is_none() {
            return Err(not_enabled(&table.name));
        }
        if !lock(parent)? {
            return Err(busy(&table.name));
        }
        let set = set::live(parent)?;
        fence(&set, &far, dry_run)
    })?;
    let row = |step: Step| (step.name, step.lower, step.upper, ddl::script(&step.statements));
    Ok(TableIterator::new(steps.into_iter().map(row).collect::<Vec<_>>()))
}

fn fence(set: &Set, far: &Interval, dry_run: bool) -> Result<Vec<Step>> {
    check(set)?;
    let now = set.grid.clock(set.now)?;
    let existing = set.ranges();
    let first = existing.iter().map(|have| have.from).min();
    let first = first.map_or_else(|| Ok(set.grid.cell(now)?.from), Ok::<_, Error>)?;
    let at = before(&set.grid.zone, set.now, -far.months(), -far.days(), -far.micros())?;
    let beyond = set.grid.cell(set.grid.clock(at)?)?.from;
    let horizon = plan::forth(&set.grid, set.grid.cell(now)?.from, set.ahead + 1)?;
    let last = existing.iter().map(|have| have.to).max().map_or(horizon, |last| last.max(horizon));
    if beyond <= last {
        return Err(Error::invalid_parameter("the upper fence would lie within the horizon")
            .detail(format!("Partitions are made until {}.", civil::literal(set.grid.key, last)?))
            .hint("Give far as an interval that is longer, such as '100 years'."));
    }
    let blueprint = blueprint::of(set)?;
    let identity = format!("{}.{}", set.schema, set.name);
    let mut steps = vec![];
    for (suffix, from, to) in [("_before", None, Some(first)), ("_beyond", Some(beyond), None)] {
        let name = name::fit(&set.name, suffix, &identity, |name| make::exists(&set.schema, name))?;
        let bound = |at: Option<Micros>| at.map(|at| civil::literal(set.grid.key, at)).transpose();
        let (lower, upper) = (bound(from)?, bound(to)?);
        let children = make::parts(set, &blueprint, &name, &[])?;
        let mut statements = ddl::table(&blueprint, &name, &children);
        statements.extend(ddl::own_indexes(&blueprint, &name));
        let values = ddl::values(lower.as_deref(), upper.as_deref());
        statements.push(ddl::attach((&set.schema, &set.name), (&set.schema, &name), &values));
        let open = |bound: Option<String>, word: &str| bound.unwrap_or_else(|| word.to_owned());
        steps.push(Step { name, lower: open(lower, "MINVALUE"), upper: open(upper, "MAXVALUE"), statements });
    }
    if dry_run {
        return Ok(steps);
    }
    let run = config::begin_run()?;
    for step in &steps {
        let mut waited = Waited::default();
        make::make(set, &blueprint, step, &mut waited)?;
        let entry = Entry {
            schema: Some(&set.schema),
            table: Some(&set.name),
            partition: Some(&step.name),
            lower: Some(&step.lower),
            upper: Some(&step.upper),
            waited: Some(&waited),
            ..Entry::default()
        };
        config::log(run, "make", "done", entry)?;
    }
    Ok(steps)
}

fn check(set: &Set) -> Result<()> {
    const DEFAULT: &str = "
        SELECT c.relname::text FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partdefid
        WHERE p.partrelid = $1";
    let default = Spi::connect(|client| {
        let mut rows = client.select(DEFAULT, Some(1), &[set.parent.into()])?;
        rows.next().map_or(Ok(None), |row| row.get::<String>(1))
    })?;
    if let Some(default) = default {
        return Err(Error::not_in_state(format!("\"{}\" has default partition \"{default}\"", set.name))
            .detail("It takes what the fences would take.")
            .hint("Drain and detach it first."));
    }
    let open = |have: &&dbguard_core::partition::Range| have.from == Micros::MIN || have.to == Micros::MAX;
    if set.ranges().iter().any(|have| open(&have)) {
        return Err(Error::not_in_state(format!("\"{}\" already has a partition without a bound", set.name))
            .hint("See dbguard.partition_regrain, which replaces it by bounded ones."));
    }
    Ok(())
}
