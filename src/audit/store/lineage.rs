//! Which table of the log a table is: the same through renames, dump and restore, drop and re-creation.

use crate::error::Result;
use crate::pg::relation::{describe, Relation};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// The lineage `table`, known as `here`, continues; None if the log knows nothing of it.
///
/// By its OID if the log has seen it in this database; else by its name: unless the table that last had
/// the name has got another one since, or is there under another one.
pub fn of(table: &Relation, here: &str) -> Result<Option<i32>> {
    const BY_HOME: &str =
        "SELECT lineage FROM dbguard.audit_relation WHERE home = $1 ORDER BY id DESC LIMIT 1";
    const BY_NAME: &str = "
        SELECT last.lineage, last.home
        FROM (SELECT * FROM dbguard.audit_relation
              WHERE schema_name = $1::name AND table_name = $2::name ORDER BY id DESC LIMIT 1) last
        WHERE NOT EXISTS (SELECT FROM dbguard.audit_relation later
                          WHERE later.home = last.home AND later.id > last.id
                            AND (later.schema_name, later.table_name) <> (last.schema_name, last.table_name))";
    let by_home = Spi::connect(|client| {
        client.select(BY_HOME, Some(1), &[here.into()])?.next().map_or(Ok(None), |row| row.get::<i32>(1))
    })?;
    if by_home.is_some() {
        return Ok(by_home);
    }
    let by_name = Spi::connect(|client| {
        let args = [table.schema.as_str().into(), table.name.as_str().into()];
        client
            .select(BY_NAME, Some(1), &args)?
            .next()
            .map_or(Ok(None), |row| Ok(row.get::<i32>(1)?.zip(row.get::<String>(2)?)))
    })
    .map_err(|e: pgrx::spi::Error| e)?;
    Ok(by_name.filter(|(_, home)| !lives_elsewhere(home, here)).map(|(lineage, _)| lineage))
}

/// Whether the table of `home` is still there: then the name has changed hands.
fn lives_elsewhere(home: &str, here: &str) -> bool {
    let parts = |home: &str| home.rsplit_once('/').map(|(db, oid)| (db.to_owned(), oid.parse().ok()));
    match (parts(home), parts(here)) {
        (Some((db, Some(oid))), Some((our_db, _))) if db == our_db => describe(Oid::from_u32(oid)).is_some(),
        _ => false,
    }
}
