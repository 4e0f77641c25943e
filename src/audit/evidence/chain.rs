//! The rows of audit_seal.

use crate::audit::write::record;
use crate::error::{Error, Result};
use crate::pg::relation::of_ours;
use dbguard_core::seal::Seal;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

/// A seal as it is stored.
pub struct Link {
    pub seal: Seal,
    pub sealed_at: TimestampWithTimeZone,
    pub hash: Vec<u8>,
}

/// 55000 unless there is a log.
pub fn need_log() -> Result<()> {
    if of_ours(c"audit_change").is_some() && of_ours(c"audit_seal").is_some() {
        return Ok(());
    }
    Err(record::no_log())
}

/// The seals from number `since` on, in their order.
pub fn since(since: i64) -> Result<Vec<Link>> {
    const SEALS: &str = "
        SELECT number, extract(epoch FROM sealed_at)::text, home, from_xact::text, to_xact::text, next_xact::text, closed,
               changes, first_id, last_id, contents, previous, sealed_at, hash
        FROM dbguard.audit_seal WHERE number >= $1 ORDER BY number";
    let links = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client
            .select(SEALS, None, &[since.into()])?
            .map(|row| {
                let xact = |text: Option<String>| text.and_then(|t| t.parse().ok()).unwrap_or_default();
                let seal = Seal {
                    number: row.get(1)?.unwrap_or_default(),
                    sealed_at: row.get(2)?.unwrap_or_default(),
                    home: row.get(3)?.unwrap_or_default(),
                    from_xact: xact(row.get(4)?),
                    to_xact: xact(row.get(5)?),
                    next_xact: xact(row.get(6)?),
                    closed: row.get(7)?.unwrap_or_default(),
                    changes: row.get(8)?.unwrap_or_default(),
                    first_id: row.get(9)?,
                    last_id: row.get(10)?,
                    contents: row.get(11)?.unwrap_or_default(),
                    previous: row.get(12)?,
                };
                Ok(row.get(13)?.map(|sealed_at| (seal, sealed_at, row.get(14))))
            })
            .collect()
    })?;
    links
        .into_iter()
        .flatten()
        .map(|(seal, sealed_at, hash)| Ok(Link { seal, sealed_at, hash: hash?.unwrap_or_default() }))
        .collect()
}

/// The last seal, if there is one.
pub fn head() -> Result<Option<Link>> {
    const LAST: &str = "SELECT max(number) FROM dbguard.audit_seal";
    let last = Spi::connect(|client| client.select(LAST, Some(1), &[])?.first().get_one::<i64>())?;
    Ok(last.map(since).transpose()?.and_then(|mut links| links.pop()))
}

/// Where the log of each home is sealed to, and whether it was closed there.
pub fn ends() -> Result<Vec<(String, u64, bool)>> {
    const ENDS: &str = "
        SELECT DISTINCT ON (home) home, to_xact::text, closed FROM dbguard.audit_seal ORDER BY home, number DESC";
    let ends = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client
            .select(ENDS, None, &[])?
            .map(|row| Ok((row.get::<String>(1)?, row.get::<String>(2)?, row.get::<bool>(3)?)))
            .collect()
    })?;
    let end = |(home, to, closed): (Option<String>, Option<String>, Option<bool>)| {
        Some((home?, to?.parse().ok()?, closed?))
    };
    Ok(ends.into_iter().filter_map(end).collect())
}

/// Adds a link. A session that cannot see what another sealed meanwhile (REPEATABLE READ) gets 40001.
pub fn add(seal: &Seal, sealed_at: TimestampWithTimeZone) -> Result<String> {
    const ADD: &str = "
        INSERT INTO dbguard.audit_seal (number, sealed_at, home, from_xact, to_xact, next_xact, closed, changes,
                                        first_id, last_id, contents, previous, hash)
        VALUES ($1, $2, $3, $4::xid8, $5::xid8, $6::xid8, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (number) DO NOTHING";
    let hash = seal.hash();
    Spi::connect_mut(|client| {
        let args = [
            seal.number.into(),
            sealed_at.into(),
            seal.home.as_str().into(),
            seal.from_xact.to_string().into(),
            seal.to_xact.to_string().into(),
            seal.next_xact.to_string().into(),
            seal.closed.into(),
            seal.changes.into(),
            seal.first_id.into(),
            seal.last_id.into(),
            seal.contents.clone().into(),
            seal.previous.clone().into(),
            hash.to_vec().into(),
        ];
        client.update(ADD, None, &args).map(|_| ())
    })?;
    Ok(dbguard_core::seal::hex(&hash))
}

/// Number and hash of an exported head.
pub fn exported(head: &serde_json::Value) -> Result<(i64, String)> {
    let number = head.get("number").and_then(serde_json::Value::as_i64);
    let hash = head.get("hash").and_then(serde_json::Value::as_str);
    number.zip(hash.map(str::to_owned)).ok_or_else(|| {
        Error::invalid_parameter("invalid head of the chain")
            .detail("It must have a \"number\" and a \"hash\".")
            .hint("Give what dbguard.audit_seal_export() returned.")
    })
}
