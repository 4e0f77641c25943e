//! audit_log_set: the log's indexes, the width of its partitions, how long it is kept.

use super::make;
use crate::audit::write::record;
use crate::catalog::extension_owner;
use crate::error::{Error, Result};
use crate::pg::relation::of_ours;
use crate::pg::user::{as_role, Fence};
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Indexes of the log by their purpose: name, and what makes them.
type Indexes = &'static [(&'static std::ffi::CStr, &'static str)];

const KEY: Indexes = &[
    (c"audit_change_key_idx", "CREATE INDEX audit_change_key_idx ON dbguard.audit_change (relation, key)"),
    (
        c"audit_change_old_key_idx",
        "CREATE INDEX audit_change_old_key_idx ON dbguard.audit_change (relation, old_key) WHERE old_key IS NOT NULL",
    ),
    (
        c"audit_pack_key_idx",
        "CREATE INDEX audit_pack_key_idx ON dbguard.audit_pack (relation, lowest_key, highest_key)",
    ),
];
const TENANT: Indexes = &[
    (
        c"audit_change_tenant_idx",
        "CREATE INDEX audit_change_tenant_idx ON dbguard.audit_change (tenant, at) WHERE tenant IS NOT NULL",
    ),
    (
        c"audit_pack_tenant_idx",
        "CREATE INDEX audit_pack_tenant_idx ON dbguard.audit_pack (tenant, at) WHERE tenant IS NOT NULL",
    ),
];
const TRANSACTION: Indexes = &[
    (c"audit_change_xact_idx", "CREATE INDEX audit_change_xact_idx ON dbguard.audit_change (xact)"),
    (c"audit_pack_xact_idx", "CREATE INDEX audit_pack_xact_idx ON dbguard.audit_pack (xact)"),
];
/// All the names there are, in one statement each.
const DROP_KEY: &str =
    "DROP INDEX IF EXISTS dbguard.audit_change_key_idx, dbguard.audit_change_old_key_idx, dbguard.audit_pack_key_idx";
const DROP_TENANT: &str =
    "DROP INDEX IF EXISTS dbguard.audit_change_tenant_idx, dbguard.audit_pack_tenant_idx";
const DROP_TRANSACTION: &str =
    "DROP INDEX IF EXISTS dbguard.audit_change_xact_idx, dbguard.audit_pack_xact_idx";

/// Where the key is indexed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyIndex {
    /// In all partitions.
    Key,
    /// In those whose time is over.
    Closed,
    None,
}

impl KeyIndex {
    fn parse(word: &str) -> Result<KeyIndex> {
        match word {
            "key" => Ok(KeyIndex::Key),
            "closed" => Ok(KeyIndex::Closed),
            "none" => Ok(KeyIndex::None),
            _ => Err(Error::invalid_parameter(format!("unrecognized value for argument \"index\": \"{word}\""))
                .detail("Valid values are \"key\", \"closed\" and \"none\".")
                .hint("\"key\" keeps the index of keys in all partitions, \"closed\" in those whose time is over (dbguard.audit_maintain makes it), \"none\" nowhere.")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            KeyIndex::Key => "key",
            KeyIndex::Closed => "closed",
            KeyIndex::None => "none",
        }
    }
}

/// What cannot be read off the log itself: where the key is indexed, and how long what is kept.
pub fn key_index() -> Result<KeyIndex> {
    let word = Spi::connect(|client| {
        let mut found = client.select("SELECT index FROM dbguard.audit_log_option", Some(1), &[])?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })?;
    word.map_or(Ok(KeyIndex::Key), |word| KeyIndex::parse(&word))
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_log_set(
    index: Option<&str>,
    tenant_index: Option<bool>,
    transaction_index: Option<bool>,
    retain: Option<Interval>,
    every: Option<Interval>,
) -> std::result::Result<
    TableIterator<'static, (name!(setting, String), name!(value, Option<String>), name!(changed, bool))>,
    ErrorReport,
> {
    Ok(TableIterator::new(set(index, tenant_index, transaction_index, retain, every)?))
}

type Row = (String, Option<String>, bool);

fn set(
    index: Option<&str>,
    tenant_index: Option<bool>,
    transaction_index: Option<bool>,
    retain: Option<Interval>,
    every: Option<Interval>,
) -> Result<Vec<Row>> {
    let index = index.map(KeyIndex::parse).transpose()?;
    if of_ours(c"audit_change").is_none() {
        return Err(record::no_log());
    }
    as_role(extension_owner()?, Fence::Local, || {
        let before = shown()?;
        check_retain(retain)?;
        const WRITE: &str = "
            INSERT INTO dbguard.audit_log_option AS o (index, retain)
            VALUES (coalesce($1, 'key'), nullif($2, '0'::interval))
            ON CONFLICT (one) DO UPDATE
            SET index = coalesce($1, o.index), retain = CASE WHEN $2 IS NULL THEN o.retain ELSE excluded.retain END";
        if index.is_some() || retain.is_some() {
            Spi::run_with_args(WRITE, &[index.map(KeyIndex::word).into(), retain.into()])?;
        }
        if let Some(index) = index {
            indexes(index == KeyIndex::Key, KEY, DROP_KEY)?;
        }
        if let Some(on) = tenant_index {
            indexes(on, TENANT, DROP_TENANT)?;
        }
        if let Some(on) = transaction_index {
            indexes(on, TRANSACTION, DROP_TRANSACTION)?;
        }
        if let Some(every) = every {
            make::partition(every)?;
        }
        let after = shown()?;
        Ok(after
            .into_iter()
            .zip(before)
            .map(|((name, value), (_, old))| {
                let changed = value != old;
                (name, value, changed)
            })
            .collect())
    })
}

fn indexes(on: bool, indexes: Indexes, drop: &str) -> Result<()> {
    if !on {
        return Ok(Spi::run(drop)?);
    }
    for (name, create) in indexes {
        if of_ours(name).is_none() {
            Spi::run(create)?;
        }
    }
    Ok(())
}

fn check_retain(retain: Option<Interval>) -> Result<()> {
    const NEGATIVE: &str = "SELECT $1 < '0'::interval";
    if Spi::get_one_with_args::<bool>(NEGATIVE, &[retain.into()])? == Some(true) {
        return Err(Error::invalid_parameter("argument \"retain\" must not be negative")
            .hint("Say how long the log is kept, such as '2 years'; '0' keeps it for ever."));
    }
    Ok(())
}

/// The settings as they are, in the order they are told.
fn shown() -> Result<Vec<(String, Option<String>)>> {
    const SHOWN: &str = "
        SELECT v.setting, v.value
        FROM (SELECT max(index) AS index, max(retain) AS retain FROM dbguard.audit_log_option) o,
             LATERAL (VALUES
               (1, 'index', coalesce(o.index, 'key')),
               (2, 'tenant_index', CASE WHEN to_regclass('dbguard.audit_change_tenant_idx') IS NULL THEN 'off' ELSE 'on' END),
               (3, 'transaction_index', CASE WHEN to_regclass('dbguard.audit_change_xact_idx') IS NULL THEN 'off' ELSE 'on' END),
               (4, 'retain', o.retain::text),
               (5, 'every', (SELECT p.every::text FROM dbguard.partition_set p
                             WHERE p.schema_name = 'dbguard' AND p.table_name = 'audit_change'))) v(place, setting, value)
        ORDER BY v.place";
    Ok(Spi::connect_mut(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.update(SHOWN, None, &[])? {
            list.push((row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?));
        }
        Ok(list)
    })?)
}

/// The end of what is not kept any longer, in microseconds since 2000-01-01 UTC; and what time it is.
pub fn times() -> Result<(Option<i64>, i64)> {
    const TIMES: &str = "
        SELECT (extract(epoch FROM now() - (SELECT retain FROM dbguard.audit_log_option) - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8,
               (extract(epoch FROM now() - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8";
    let (cutoff, now) = Spi::get_two::<i64, i64>(TIMES)?;
    Ok((cutoff, now.unwrap_or_default()))
}
