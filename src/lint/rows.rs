//! What cannot be read from the catalogs: the last values of sequences, and whether DEFAULT
//! partitions hold rows. Each look waits for no lock for long, is given up after a while, and may be refused.

use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::subxact::brief_look;
use dbguard_core::lint::bounds::is_default;
use dbguard_core::lint::catalog::{Facts, RelationKind};
use dbguard_core::lint::scope::Scope;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

/// Gone with the subtransaction of the look. Row security would hide rows: then rather an error.
const CAREFUL: &str = "SELECT pg_catalog.set_config('lock_timeout', $1, true), \
                       pg_catalog.set_config('row_security', 'off', true)";
const PATIENTLY: &str = "200ms";
const BRIEFLY: &str = "10ms";
/// For one look.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks all sequences at once; if one of them is locked or was just dropped, each by itself.
pub fn sequence_values(facts: &mut Facts) {
    let readable: Vec<u32> =
        facts.sequences.iter().filter(|s| s.unreadable.is_none()).map(|s| s.oid).collect();
    let all = values_of(&readable, PATIENTLY);
    for s in facts.sequences.iter_mut().filter(|s| s.unreadable.is_none()) {
        let one = match &all {
            Ok(values) => Ok(values.get(&s.oid).copied()),
            Err(_) => values_of(&[s.oid], BRIEFLY).map(|values| values.get(&s.oid).copied()),
        };
        match one {
            Ok(value) => s.last_value = value,
            Err(e) => s.unreadable = Some(e.message().to_owned()),
        }
    }
}

fn values_of(sequences: &[u32], wait: &str) -> Result<HashMap<u32, i64>> {
    let sequences: Vec<Oid> = sequences.iter().map(|oid| Oid::from(*oid)).collect();
    within_limit(|| {
        Spi::connect(|client| {
            client.select(CAREFUL, None, &[wait.into()])?;
            let mut values = HashMap::new();
            for row in client.select(include_str!("sql/sequence_values.sql"), None, &[sequences.into()])? {
                if let (Some(oid), Some(value)) = (row.get::<Oid>(1)?, row.get::<i64>(2)?) {
                    values.insert(oid.to_u32(), value);
                }
            }
            Ok(values)
        })
    })
}

fn within_limit<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    let found = brief_look(LIMIT, f)?;
    found.ok_or_else(|| Error::invalid_parameter(format!("it took more than {} s", LIMIT.as_secs())))
}

/// Looks for a row in each DEFAULT partition.
pub fn default_partitions(facts: &mut Facts, scope: &Scope) {
    for r in &mut facts.relations {
        if !r.partition_bound.as_deref().is_some_and(is_default) || !scope.has(&r.schema) {
            continue;
        }
        r.rows_seen = Some(match r.kind {
            RelationKind::ForeignTable => Err("it is a foreign table".to_owned()),
            _ => match (has_row(&r.schema, &r.name), r.pages > 1024) {
                (Ok(false), true) => Err("no row in its first 1,024 pages".to_owned()),
                (seen, _) => seen.map_err(|e| e.message().to_owned()),
            },
        });
    }
}

fn has_row(schema: &str, name: &str) -> Result<bool> {
    let sql = ddl::lint::some_row(schema, name);
    within_limit(|| {
        Spi::connect(|client| {
            client.select(CAREFUL, None, &[PATIENTLY.into()])?;
            Ok(client.select(sql.as_str(), None, &[])?.first().get_one::<bool>()?.unwrap_or(false))
        })
    })
}
