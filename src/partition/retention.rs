//! Retention: how long partitions of a set are kept, and what becomes of them then. What users choose.

use super::set;
use super::{config, lock, pinned, retire};
use crate::catalog;
use crate::catalog::writable;
use crate::error::{notice, Error, Result};
use crate::pg::relation::Relation;
use crate::pg::subxact::look;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What becomes of a partition whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retire {
    Detach,
    Drop,
    Move,
}

impl Retire {
    pub fn parse(word: &str) -> Result<Retire> {
        match word {
            "detach" => Ok(Retire::Detach),
            "drop" => Ok(Retire::Drop),
            "move" => Ok(Retire::Move),
            other => Err(Error::invalid_parameter(format!(
                "unrecognized value for argument \"retire\": \"{other}\""
            ))
            .detail("Valid values are \"detach\", \"drop\" and \"move\".")),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Retire::Detach => "detach",
            Retire::Drop => "drop",
            Retire::Move => "move",
        }
    }
}

/// A set's retention; the default keeps all for ever.
#[derive(Clone)]
pub struct Retention {
    pub retain: Option<Interval>,
    pub most_bytes: Option<i64>,
    pub at_least: i32,
    pub retire: Retire,
    /// Where partitions are moved to.
    pub schema: Option<String>,
    /// How long a detached one waits to be dropped or moved.
    pub grace: Option<Interval>,
    /// A function of the owner's that is called first, by schema and name.
    pub archive: Option<(String, String)>,
}

impl Retention {
    /// Whether nothing is to be done with a partition but to drop it.
    pub fn only_drops(&self) -> bool {
        self.retire == Retire::Drop && self.grace.is_none() && self.archive.is_none()
    }

    pub fn keeps_all(&self) -> bool {
        self.retain.is_none() && self.most_bytes.is_none()
    }
}

#[allow(clippy::too_many_arguments, clippy::type_complexity)]
#[pg_extern(sql = false)]
fn partition_retain(
    parent: Option<Oid>,
    retain: Option<Interval>,
    retire: Option<&str>,
    schema: Option<&str>,
    max_bytes: Option<i64>,
    at_least: Option<i32>,
    grace: Option<Interval>,
    archive: Option<Oid>,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(partition, String),
            name!(lower, String),
            name!(upper, String),
            name!(bytes, Option<i64>),
            name!(action, String),
            name!(sql, String),
        ),
    >,
    ErrorReport,
> {
    let parent = parent.ok_or_else(|| Error::null_argument("parent"))?;
    let word = retire.ok_or_else(|| Error::null_argument("retire"))?;
    let at_least = at_least.ok_or_else(|| Error::null_argument("at_least"))?;
    let dry_run = dry_run.ok_or_else(|| Error::null_argument("dry_run"))?;
    writable("partition_retain")?;
    let rows = pinned(|| {
        let table = catalog::own_table(parent)?;
        let wanted = Retention {
            retain: span(retain, "retain")?,
            most_bytes: max_bytes,
            at_least,
            retire: Retire::parse(word)?,
            schema: schema.map(str::to_owned),
            grace: span(grace, "grace")?,
            archive: archive.map(|f| archiver(f, table.owner)).transpose()?,
        };
        check(&wanted, &table)?;
        let Some(registered) = set::of(parent)? else {
            return Err(super::not_enabled(&table.name));
        };
        let set_and_plan = || -> Result<Vec<_>> {
            if !lock(parent)? {
                return Err(super::busy(&table.name));
            }
            config::retain(&registered.schema, &registered.name, &wanted)?;
            let set = set::live(parent)?;
            let kept = retire::reconsider(&set)?;
            if kept > 0 && !dry_run {
                notice(format!("{kept} partitions that wait to be dropped or moved stay as tables"));
            }
            Ok(retire::steps(&set)?
                .into_iter()
                .map(|s| (s.qualified(), s.lower, s.upper, s.bytes, wanted.retire.word().to_owned(), s.sql))
                .collect())
        };
        if dry_run {
            return look(set_and_plan);
        }
        let rows = set_and_plan()?;
        if !rows.is_empty() {
            notice(format!("the next CALL dbguard.partition_maintain() retires {} partitions", rows.len()));
        }
        Ok(rows)
    })?;
    Ok(TableIterator::new(rows))
}

/// A length of time that can be added to now, and taken from it.
fn span(span: Option<Interval>, argument: &str) -> Result<Option<Interval>> {
    const LONGEST: i32 = 1000;
    const YEAR: i64 = 366 * 24 * 60 * 60 * 1_000_000;
    let Some(s) = &span else { return Ok(None) };
    if s.months() < 0 || s.days() < 0 || s.micros() < 0 {
        return Err(Error::invalid_parameter(format!("argument \"{argument}\" must not be negative")));
    }
    if s.months() > LONGEST * 12 || s.days() > LONGEST * 366 || s.micros() > i64::from(LONGEST) * YEAR {
        return Err(Error::invalid_parameter(format!(
            "argument \"{argument}\" must not be longer than {LONGEST} years"
        )));
    }
    Ok(span)
}

/// What cannot be meant, before anything is stored.
fn check(wanted: &Retention, table: &Relation) -> Result<()> {
    const SCHEMA: &str =
        "SELECT has_schema_privilege($2, oid, 'CREATE') FROM pg_namespace WHERE nspname = $1::name";
    if wanted.at_least < 0 {
        return Err(Error::invalid_parameter("argument \"at_least\" must not be negative"));
    }
    if wanted.most_bytes.is_some_and(|bytes| bytes <= 0) {
        return Err(Error::invalid_parameter("argument \"max_bytes\" must be greater than zero"));
    }
    if wanted.grace.is_some() && wanted.retire == Retire::Detach {
        return Err(Error::invalid_parameter("argument \"grace\" has no meaning for retire => 'detach'")
            .hint("A detached partition stays until you drop it. Give retire => 'drop' to have it dropped after the grace period."));
    }
    match (&wanted.schema, wanted.retire) {
        (None, Retire::Move) => Err(Error::invalid_parameter("retire => 'move' needs a schema")
            .hint("Give the schema to move partitions to: schema => 'archive'.")),
        (Some(_), Retire::Detach | Retire::Drop) => {
            Err(Error::invalid_parameter("argument \"schema\" has a meaning for retire => 'move' only"))
        }
        (Some(schema), Retire::Move) if *schema == table.schema => Err(Error::invalid_parameter(format!(
            "schema \"{schema}\" is the schema of \"{}\" itself",
            table.name
        ))
        .hint(
            "Give another schema to move partitions to, or retire => 'detach' to have them stay in this one.",
        )),
        (Some(schema), Retire::Move) => {
            let may = Spi::connect(|client| {
                let args = [schema.as_str().into(), table.owner.into()];
                client.select(SCHEMA, Some(1), &args)?.next().map_or(Ok(None), |row| row.get::<bool>(1))
            })
            .map_err(|e: pgrx::spi::Error| e)?;
            match may {
                None => Err(Error::new(
                    PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
                    format!("schema \"{schema}\" does not exist"),
                )),
                Some(false) => Err(Error::new(
                    PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                    format!("permission denied for schema {schema}"),
                )
                .detail("The table's owner must be allowed to create tables in it.")),
                Some(true) => Ok(()),
            }
        }
        (None, _) => Ok(()),
    }
}

/// The name of an archive function, if it is one that can be called.
fn archiver(function: Oid, owner: Oid) -> Result<(String, String)> {
    const FUNCTION: &str = "
        SELECT n.nspname::text, p.proname::text,
               p.prokind = 'f' AND p.pronargs = 3 AND p.proargtypes[0] = 'regclass'::regtype
                 AND p.proargtypes[1] = 'text'::regtype AND p.proargtypes[2] = 'text'::regtype
                 AND p.prorettype = 'boolean'::regtype AND NOT p.proretset,
               has_function_privilege($2, p.oid, 'EXECUTE')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = $1";
    let found = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let Some(row) = client.select(FUNCTION, Some(1), &[function.into(), owner.into()])?.next() else {
            return Ok(None);
        };
        Ok(Some((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<bool>(3)?, row.get::<bool>(4)?)))
    })?;
    let Some((Some(schema), Some(name), fits, may)) = found else {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
            format!("function with OID {} does not exist", function.to_u32()),
        ));
    };
    if fits != Some(true) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_FUNCTION_DEFINITION,
            format!("function \"{name}\" cannot archive partitions"),
        )
        .hint("It must take (partition regclass, lower text, upper text) and return boolean: true when the partition may go."));
    }
    if may != Some(true) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for function {name}"),
        )
        .detail("It is called with the rights of the table's owner, who may not execute it."));
    }
    Ok((schema, name))
}
