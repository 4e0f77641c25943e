//! Doing it: transactions that each leave the table as it was but for a check and an index, and the cut-over.
//! Until the cut-over an error or a cancel takes everything back.

use super::cutover::Fate;
use super::finish::finish;
use super::plan::{self, Preflight};
use super::request::Request;
use super::stored::{self, Conversion};
use super::table::{Index, Table};
use super::{blocked, extended_name, leftover, perform, statistics, CHECK};
use crate::audit::choose::carry;
use crate::catalog;
use crate::ddl::{as_owner, convert as ddl};
use crate::error::{notice, Error, Result};
use crate::partition::config::{self, Entry};
use crate::partition::job::{self, Job, Kind};
use crate::partition::patience::{self, Step, Waited};
use crate::partition::pinned;
use crate::pg::procedure::Transactions;
use crate::pg::snapshot;
use crate::pg::subxact::interruptible;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::time::{Duration, Instant};

pub fn convert(transactions: &Transactions, request: &Request) -> Result<()> {
    if let Some(job) = pinned(|| taken_up(request.relation))? {
        transactions.commit();
        return finish(transactions, request.relation, &job);
    }
    let (job, preflight) = pinned(|| begin(request, transactions.is_top_level()))?;
    let Some((bound, _)) = &preflight.bound else { return Err(Error::internal("a plan without a bound")) };
    transactions.commit();
    let Preflight { table, .. } = &preflight;
    let owner = table.owner;
    guarded(transactions, &job, request.relation, || {
        let sql = ddl::add_check(table.id(), CHECK, &table.key, bound);
        patience::steps(request.relation, &mut Waited::default(), || {
            job.makes(CHECK)?;
            as_owner(owner, &sql)
        })?;
        job.phase("validate", None)
    })?;
    guarded(transactions, &job, request.relation, || {
        let sql = ddl::validate(table.id(), CHECK);
        patience::steps(request.relation, &mut Waited::default(), || as_owner(owner, &sql))?;
        job.phase(if is_extended(request, table)? { "index" } else { "cut over" }, None)
    })?;
    if is_extended(request, table)? {
        for index in &table.indexes {
            if blocked::fate(request, index)? != Some(Fate::Extended) {
                continue;
            }
            let columns = index.extended(&table.key);
            let name = extended_name(table, &index.name);
            let sql = ddl::unique_index_concurrently(&name, table.id(), &index.key(&columns));
            build(transactions, &job, request.relation, (&name, &sql), owner)?;
        }
        guarded(transactions, &job, request.relation, || job.phase("cut over", None))?;
    }
    let (parent, job) = guarded(transactions, &job, request.relation, || {
        let made = RefCell::default();
        let mut waited = Waited::default();
        patience::tries(request.relation, &mut waited, |step| {
            made.replace(Some(cut_over(step, request, bound, &job)?));
            Ok(())
        })?;
        let made: Option<(Oid, Job, Duration)> = made.into_inner();
        let (parent, job, took) = made.ok_or_else(|| Error::internal("nothing was cut over"))?;
        let run = config::begin_run()?;
        let entry = Entry {
            schema: Some(&table.schema),
            table: Some(&table.name),
            note: Some(format!("others were kept waiting for {} ms at most", took.as_millis())),
            waited: Some(&waited),
            ..Entry::default()
        };
        config::log(run, "convert", "done", entry)?;
        Ok((parent, job))
    })?;
    finish(transactions, parent, &job)
}

/// What was cut over and not finished.
fn taken_up(relation: Oid) -> Result<Option<Job>> {
    match stored::of(relation)? {
        Some(conversion) if !conversion.finished => {
            let table = catalog::own_table(relation)?;
            if conversion.original == relation {
                return Err(Error::not_in_state(format!(
                    "the way back of \"{}\" is not finished",
                    table.name
                ))
                .hint("Call dbguard.partition_unconvert once more, or dbguard.partition_convert_cancel to leave it at that."));
            }
            notice(format!("the conversion of \"{}\" goes on after its cut-over", table.name));
            job::begin(relation, &table, Kind::Convert).map(Some)
        }
        _ => Ok(None),
    }
}

/// Nothing is changed but for what another run left, which is taken back.
fn begin(request: &Request, top_level: bool) -> Result<(Job, Preflight)> {
    let preflight = crate::pg::guc::with(&[(c"lock_timeout", c"2s")], || plan::preflight(request))?;
    preflight.check()?;
    let table = &preflight.table;
    if is_extended(request, table)? && !top_level {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "partition_convert with extend_keys cannot be called by a function or a procedure",
        )
        .detail("It builds an index concurrently.")
        .hint("Call it as a statement of its own: CALL dbguard.partition_convert(...)"));
    }
    let job = job::begin(request.relation, &catalog::relation(request.relation)?, Kind::Convert)?;
    leftover::take_back(&job, request.relation)?;
    job.phase("check", None)?;
    Ok((job, preflight))
}

fn is_extended(request: &Request, table: &Table) -> Result<bool> {
    for index in &table.indexes {
        if blocked::fate(request, index)? == Some(Fate::Extended) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One transaction. After an error, and when it is cancelled, everything is taken back.
pub fn guarded<T>(
    transactions: &Transactions,
    job: &Job,
    table: Oid,
    f: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let error = match interruptible(|| pinned(f)) {
        Ok(done) => {
            transactions.commit();
            return Ok(done);
        }
        Err(error) => error,
    };
    let back = interruptible(|| {
        pinned(|| {
            leftover::take_back(job, table)?;
            job.end()
        })
    });
    transactions.commit();
    match back {
        Ok(()) => Err(error),
        Err(back) => Err(error
            .detail(format!("What was begun could not be taken back: {}.", back.message()))
            .hint("Call dbguard.partition_convert_cancel to take it back, or the same again.")),
    }
}

/// Builds an index concurrently, by its name and the statement. It is noted before, so that it is known for ours
/// however this ends; a name that somebody took in between is his.
pub fn build(
    transactions: &Transactions,
    job: &Job,
    table: Oid,
    (name, sql): (&str, &str),
    owner: Oid,
) -> Result<()> {
    guarded(transactions, job, table, || job.makes(name))?;
    let built = transactions.interruptible(sql, owner, c"0");
    if built.as_ref().is_err_and(|e| e.code() == PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE) {
        guarded(transactions, job, table, || job.unmade(name))?;
    }
    guarded(transactions, job, table, || built)
}

fn cut_over(step: &Step, request: &Request, bound: &str, job: &Job) -> Result<(Oid, Job, Duration)> {
    let started = Instant::now();
    step.lock(&views(request.relation)?)?;
    step.lock(&[request.relation])?;
    step.lock(&snapshot::fresh(|| neighbours(request.relation))?)?;
    snapshot::fresh(|| {
        let asked = request.look()?;
        let cut = plan::cut_over(request, &asked, bound)?;
        plan::refuse(&cut.table.name, &blocked::by_catalog(request, &cut.table, &cut.around)?)?;
        let extra = plan::extra(request)?;
        let audit = carry::take(&catalog::relation(request.relation)?)?;
        perform(step, &cut.acts())?;
        let (parent, to_validate) = made(&cut.table, &cut.around)?;
        perform(step, &statistics::carried(request.relation, parent)?)?;
        if let Some(audit) = &audit {
            carry::give(audit, &catalog::relation(parent)?)?;
        }
        config::add(parent, &cut.table.schema, &cut.table.name, &request.options)?;
        extra.store(&cut.table.schema, &cut.table.name)?;
        let extended: Vec<&Index> = cut
            .table
            .indexes
            .iter()
            .zip(&cut.indexes)
            .filter(|(_, i)| i.0 == Fate::Extended)
            .map(|(i, _)| i)
            .collect();
        stored::add(&Conversion {
            relation: parent,
            original: request.relation,
            bound: bound.to_owned(),
            extended: indexes(parent, extended.iter().map(|index| index.name.clone()).collect())?,
            made_not_null: !cut.table.key_not_null && extended.iter().any(|index| index.is_primary()),
            to_validate,
            finished: false,
        })?;
        job.end()?;
        let job = job::begin(parent, &catalog::relation(parent)?, Kind::Convert)?;
        job.phase("finish", None)?;
        Ok((parent, job, started.elapsed()))
    })
}

/// The views on it, to be locked first: who reads one locks it before the table.
pub fn views(table: Oid) -> Result<Vec<Oid>> {
    const VIEWS: &str = "
        SELECT DISTINCT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
          AND r.ev_class <> $1 ORDER BY 1";
    Spi::connect(|client| {
        let rows = client.select(VIEWS, None, &[table.into()])?;
        Ok(rows.filter_map(|row| row.get::<Oid>(1).transpose()).collect::<std::result::Result<_, _>>()?)
    })
}

/// Tables tied to it by foreign keys, for their triggers are made anew; and the sequences of its identities, for
/// nobody may draw a number between the look at where they stand and the new one. In the order of their OIDs, as
/// another session like ours would lock them.
pub fn neighbours(table: Oid) -> Result<Vec<Oid>> {
    const NEIGHBOURS: &str = "
        SELECT DISTINCT CASE conrelid WHEN $1 THEN confrelid ELSE conrelid END AS other
        FROM pg_constraint WHERE contype = 'f' AND $1 IN (conrelid, confrelid) AND conrelid <> confrelid
        UNION
        SELECT objid FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND deptype = 'i'
          AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'S'
        ORDER BY other";
    Spi::connect(|client| {
        let mut found = vec![];
        for row in client.select(NEIGHBOURS, None, &[table.into()])? {
            found.extend(row.get::<Oid>(1)?);
        }
        Ok(found)
    })
}

/// Those of a table by their names.
fn indexes(table: Oid, names: Vec<String>) -> Result<Vec<Oid>> {
    const INDEXES: &str = "
        SELECT array_agg(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = $1 AND c.relname::text = ANY ($2)";
    // read as a write, to see what was made in this transaction
    let found = Spi::connect_mut(|client| {
        client.update(INDEXES, Some(1), &[table.into(), names.into()])?.first().get_one::<Vec<Oid>>()
    })?;
    Ok(found.unwrap_or_default())
}

/// The table that has the name now, and the foreign keys to validate.
pub fn made(table: &Table, around: &super::around::Around) -> Result<(Oid, Vec<Oid>)> {
    const MADE: &str = "
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1::name AND c.relname = $2::name";
    const KEY: &str = "SELECT oid FROM pg_constraint WHERE conrelid = $1 AND conname = $2::name";
    // read as writes, to see what was made in this transaction
    Spi::connect_mut(|client| {
        let args = [table.schema.as_str().into(), table.name.as_str().into()];
        let made = client.update(MADE, Some(1), &args)?.first().get_one::<Oid>()?;
        let mut keys = vec![];
        for referrer in around.referrers.iter().filter(|referrer| referrer.validated) {
            let args = [referrer.relation.into(), referrer.name.as_str().into()];
            keys.extend(client.update(KEY, Some(1), &args)?.first().get_one::<Oid>()?);
        }
        Ok((made.ok_or_else(|| Error::internal("the table was not made"))?, keys))
    })
}
