//! Reading the log: who may, and of which table's changes. What is read is the log owner's; who may
//! SELECT from the view audit_log may read it by our functions, too.

use crate::audit::choose::audited;
use crate::audit::store::lineage;
use crate::audit::write::record;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::query::{text_param, Param, SetCall};
use crate::pg::relation::{of_ours, partition_parent, Relation};
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

const CHANGES: &str = include_str!("changes.sql");
const TRANSACTION: &str = include_str!("transaction.sql");

/// Runs `f` with the rights of the log's owner: nothing of the caller's making may run inside.
/// Raises 55000 when there is no log, 42501 when the caller may not read it.
pub fn with_log<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    const READABLE: &str = "SELECT has_table_privilege($1, 'SELECT')";
    let (Some(view), Some(changes)) = (of_ours(c"audit_log"), of_ours(c"audit_change")) else {
        return Err(record::no_log());
    };
    let readable =
        Spi::connect(|client| client.select(READABLE, Some(1), &[view.into()])?.first().get_one::<bool>())?;
    if readable != Some(true) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            "permission denied for view audit_log",
        )
        .hint("The log's owner may allow it: GRANT SELECT ON dbguard.audit_log TO ..."));
    }
    as_role(catalog::relation(changes)?.owner, Fence::Local, f)
}

/// The table whose changes are logged for this one: a partition's are its root's.
pub fn logged_as(relation: Oid) -> Result<Relation> {
    let mut table = catalog::relation(relation)?;
    while table.is_partition {
        table = catalog::relation(partition_parent(table.oid))?;
    }
    Ok(table)
}

/// The table's lineage in the log; None if the log knows nothing of it. To be called with the log's
/// rights.
pub fn lineage_of(table: &Relation) -> Result<Option<i32>> {
    lineage::of(table, &audited::home(table))
}

/// The ids of all versions of the table in the log.
pub fn versions_of(table: &Relation) -> Result<Vec<i32>> {
    const VERSIONS: &str = "SELECT id FROM dbguard.audit_relation WHERE lineage = $1 ORDER BY id";
    let Some(lineage) = lineage_of(table)? else { return Ok(vec![]) };
    let ids = Spi::connect(|client| -> std::result::Result<Vec<i32>, pgrx::spi::Error> {
        let rows = client.select(VERSIONS, None, &[lineage.into()])?;
        Ok(rows
            .map(|row| row.get::<i32>(1))
            .collect::<std::result::Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    })?;
    Ok(ids)
}

/// All rows of audit_relation that are this table's.
#[pg_extern(sql = false)]
fn audit_relations(relation: Option<Oid>) -> std::result::Result<Vec<i32>, pgrx::pg_sys::panic::ErrorReport> {
    let relation = relation.ok_or_else(|| Error::null_argument("relation"))?;
    let table = logged_as(relation)?;
    Ok(with_log(|| versions_of(&table))?)
}

/// dbguard.audit_transaction(xact): all changes of one transaction, in order.
#[pg_extern(sql = false)]
fn audit_transaction(fcinfo: pg_sys::FunctionCallInfo) {
    let call = SetCall::new(fcinfo);
    if let Err(e) = transaction(&call) {
        e.raise();
    }
}

fn transaction(call: &SetCall) -> Result<()> {
    let xact = call.arg(0);
    if xact.1.is_none() {
        return Err(Error::null_argument("xact"));
    }
    call.begin();
    with_log(|| call.append_query(TRANSACTION, &[xact]))?;
    Ok(())
}

/// dbguard.audit_changes(relation, actor, tenant, since, until): the changes that fit all that is given.
#[pg_extern(sql = false)]
fn audit_changes(fcinfo: pg_sys::FunctionCallInfo) {
    let call = SetCall::new(fcinfo);
    if let Err(e) = changes(&call) {
        e.raise();
    }
}

fn changes(call: &SetCall) -> Result<()> {
    let table = call.oid(0).map(logged_as).transpose()?;
    call.begin();
    with_log(|| {
        let lineage = match &table {
            None => None,
            Some(table) => match lineage_of(table)? {
                Some(lineage) => Some(lineage),
                // the log knows nothing of it
                None => return Ok(()),
            },
        };
        let lineage: Param = (pg_sys::INT4OID, lineage.map(pg_sys::Datum::from));
        call.append_query(CHANGES, &[lineage, call.arg(1), call.arg(2), call.arg(3), call.arg(4)])?;
        Ok(())
    })
}

/// A text argument that may be NULL.
pub fn optional_text(text: Option<&str>) -> Param {
    text.map_or((pg_sys::TEXTOID, None), |t| text_param(t.as_bytes()))
}
