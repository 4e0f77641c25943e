//! The log in another database, by logical replication.

use crate::audit::store::make::make_log;
use crate::catalog::extension_owner;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::relation::of_ours;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// All that the views of the log read.
const TABLES: &[&str] = &["audit_relation", "audit_context", "audit_change", "audit_pack", "audit_command"];

#[pg_extern(sql = false)]
fn audit_init() -> std::result::Result<bool, ErrorReport> {
    Ok(init()?)
}

#[pg_extern(sql = false)]
fn audit_publication(name: Option<&str>) -> std::result::Result<SetOfIterator<'static, String>, ErrorReport> {
    let name = name.ok_or_else(|| Error::null_argument("name"))?;
    Ok(SetOfIterator::new(publication(name)?))
}

/// Makes the log where nothing is audited; false if it was there.
fn init() -> Result<bool> {
    let there = of_ours(c"audit_change").is_some();
    as_role(extension_owner()?, Fence::Local, make_log)?;
    Ok(!there)
}

/// Publishes the log; answers what to run in the database that is to receive it.
fn publication(name: &str) -> Result<Vec<String>> {
    init()?;
    as_role(extension_owner()?, Fence::Local, || {
        ddl::run(&ddl::publication::create_publication(name, "dbguard", TABLES))
    })?;
    let database = Spi::connect(|client| {
        client.select("SELECT current_database()::text", Some(1), &[])?.first().get_one::<String>()
    })?
    .unwrap_or_default();
    Ok(ddl::publication::receive(name, &database))
}
