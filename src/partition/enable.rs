//! Registering a table, and making at once what it is short of.

use super::config::{self, Entry};
use super::extra::Extra;
use super::patience::{is_held, Waited};
use super::set::{self, Options, Registered, Set, State};
use super::{blueprint, busy, lock, make};
use crate::ddl::partition::script;
use crate::error::{notice, Error, Result};
use crate::pg::guc;
use crate::pg::subxact::{look, subtransaction};
use dbguard_core::partition::Range;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// More would be planned, opened and locked by every query that prunes badly.
const MOST_AHEAD: i32 = 1000;

/// What became of one partition.
pub struct Made {
    pub step: make::Step,
    pub error: Option<Error>,
}

impl Made {
    pub fn state(&self) -> &'static str {
        if self.error.is_some() {
            "failed"
        } else {
            "done"
        }
    }

    pub fn sql(&self) -> String {
        script(&self.step.statements)
    }
}

/// What `enable` would make, in order: registers, looks, and takes it all back.
pub fn plan(
    parent: pg_sys::Oid,
    schema: &str,
    name: &str,
    options: &Options,
    behind: i32,
    extra: &Extra,
) -> Result<Vec<make::Step>> {
    let behind = checked(behind)?;
    preview(parent, schema, name, options, extra, |set| steps(set, set.missing_since(behind)?))
}

/// Lets `f` look at the set as it would be if it were registered, and takes all back that it did.
pub fn preview<T>(
    parent: pg_sys::Oid,
    schema: &str,
    name: &str,
    options: &Options,
    extra: &Extra,
    f: impl FnOnce(&Set) -> Result<T>,
) -> Result<T> {
    look(|| {
        register(parent, schema, name, options, extra)?;
        f(&set::live(parent)?)
    })
}

/// How many ranges before the one that holds now are to exist at set-up.
fn checked(behind: i32) -> Result<u32> {
    match u32::try_from(behind) {
        Ok(behind) if behind <= MOST_AHEAD.unsigned_abs() => Ok(behind),
        _ => Err(Error::invalid_parameter(format!("invalid value for \"behind\": {behind}"))
            .hint(format!("Give a number of partitions from 0 to {MOST_AHEAD}."))),
    }
}

/// The steps that make these ranges, each with its statements.
pub fn steps(set: &Set, missing: Vec<Range>) -> Result<Vec<make::Step>> {
    let blueprint = blueprint::of(set)?;
    let (mut steps, mut chosen) = (Vec::new(), Vec::new());
    for range in missing {
        let step = make::step(set, &blueprint, range, &chosen)?;
        chosen.push(step.name.clone());
        steps.push(step);
    }
    Ok(steps)
}

/// Registers `parent` or changes its options, then makes what is missing. A range that cannot be
/// made (rows of it lie in a default partition) comes back with its error; the others are made.
pub fn enable(
    parent: pg_sys::Oid,
    schema: &str,
    name: &str,
    options: &Options,
    behind: i32,
    extra: &Extra,
) -> Result<Vec<Made>> {
    let behind = checked(behind)?;
    let run = register(parent, schema, name, options, extra)?;
    let set = set::live(parent)?;
    make_missing(run, &set, set.missing_since(behind)?)
}

/// Makes these ranges of a set, until somebody is in the way.
pub fn make_missing(run: i64, set: &Set, missing: Vec<Range>) -> Result<Vec<Made>> {
    let blueprint = blueprint::patiently(set, &mut Waited::default())?;
    let mut made = Vec::with_capacity(missing.len());
    for range in missing {
        let step = make::step(set, &blueprint, range, &[])?;
        // when somebody holds the table, the others would wait as long for nothing
        let held = |one: &Made| one.error.as_ref().is_some_and(is_held);
        if made.last().is_some_and(held) {
            break;
        }
        let mut waited = Waited::default();
        let error = make::make(set, &blueprint, &step, &mut waited).err();
        let one = Made { step, error };
        let entry = Entry {
            schema: Some(&set.schema),
            table: Some(&set.name),
            partition: Some(&one.step.name),
            lower: Some(&one.step.lower),
            upper: Some(&one.step.upper),
            error: one.error.as_ref(),
            note: None,
            waited: Some(&waited),
        };
        config::log(run, "make", one.state(), entry)?;
        made.push(one);
    }
    Ok(made)
}

pub fn check_ahead(ahead: i32) -> Result<()> {
    if (1..=MOST_AHEAD).contains(&ahead) {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!("invalid value for \"ahead\": {ahead}"))
        .hint(format!("Give a number of partitions from 1 to {MOST_AHEAD}.")))
}

/// Keeps other sessions from enabling the table or working on it until this transaction ends.
pub fn hold(parent: pg_sys::Oid, name: &str) -> Result<()> {
    if lock(parent)? {
        return Ok(());
    }
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        format!("another session is making partitions of \"{name}\""),
    )
    .hint("Try again in a moment."))
}

/// Notes the table and its options; the number of the run that does so.
fn register(parent: pg_sys::Oid, schema: &str, name: &str, options: &Options, extra: &Extra) -> Result<i64> {
    check_ahead(options.ahead)?;
    hold(parent, name)?;
    let run = config::begin_run()?;
    match set::of(parent)? {
        None => {
            // the name may still be stored for a table that was renamed or dropped
            config::tidy(run, &set::load(None)?)?;
            config::add(parent, schema, name, options)?;
            extra.store(schema, name)?;
        }
        Some(known) if same(options, &known.options) && known.extra == *extra => {
            notice(format!("partitioning of \"{name}\" is already enabled"));
        }
        // the partitions there are would become other times
        Some(known) if options.key_unit != known.options.key_unit => {
            return Err(Error::not_in_state(format!("key_unit of \"{name}\" cannot be changed"))
                .detail("Its partitions have bounds in the unit given first.")
                .hint("Call dbguard.partition_disable first, should that unit be wrong."));
        }
        Some(known) => {
            config::change(&known.schema, &known.name, options)?;
            extra.store(&known.schema, &known.name)?;
        }
    }
    if *extra != Extra::default() {
        // what the server would refuse later is refused now
        make::rehearse(&set::live(parent)?)?;
    }
    Ok(run)
}

fn same(a: &Options, b: &Options) -> bool {
    let fields = |o: &Options| (o.every.months(), o.every.days(), o.every.micros(), o.ahead);
    fields(a) == fields(b) && (&a.zone, a.anchor, &a.key_unit) == (&b.zone, b.anchor, &b.key_unit)
}

/// Forgets a table; its partitions stay. False when it was not registered.
pub fn disable(parent: pg_sys::Oid, table: &str) -> Result<bool> {
    match set::of(parent)? {
        Some(Registered { schema, name, state: State::Live(_) | State::Broken(..), .. }) => {
            // whoever is at work on the set holds its row, for as long as an archive function takes
            let remove = || subtransaction(|| config::remove(&schema, &name));
            match guc::with(&[(c"lock_timeout", c"2s")], remove) {
                Err(e) if is_held(&e) => Err(busy(table)),
                other => other.map(|()| true),
            }
        }
        _ => {
            notice(format!("partitioning of \"{table}\" is not enabled"));
            Ok(false)
        }
    }
}
