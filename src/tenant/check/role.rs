//! The role that tries: one made for the purpose and gone with the attempt, or one the caller names.

use super::prove::Attempt;
use super::Finding;
use crate::ddl;
use crate::error::{Error, Result};
use crate::pg::compat::{owns_relation, CAN_ACT_AS};
use crate::pg::subxact::{brief_look, look};
use crate::pg::{guc, user, xact};
use crate::tenant::guarded::Guarded;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::time::Duration;

/// A table is given up after that.
const LIMIT: Duration = Duration::from_secs(10);

/// Tries each table, in a subtransaction that is rolled back: nothing of it stays, nor the role.
pub fn with(
    role: Option<Oid>,
    tables: &[Guarded],
    prove: impl Fn(&Attempt) -> Result<Vec<Finding>>,
) -> Result<Vec<Finding>> {
    if let Some(role) = role {
        may_act_as(role)?;
    }
    let skipped = |t: &Guarded, why: String| Finding::new(t.relation, "proof", "skipped", why);
    let mut findings = vec![];
    for table in tables {
        pgrx::check_for_interrupts!();
        if !owns_relation(table.relation, user::current()) {
            findings.push(skipped(table, "only its owner can have it tried".to_owned()));
            continue;
        }
        if xact::is_standby() {
            findings.push(skipped(table, "a standby cannot try it: ask the primary".to_owned()));
            continue;
        }
        let mut found = vec![];
        let done = brief_look(LIMIT, || {
            guc::with(&[(c"lock_timeout", c"1s"), (c"lc_messages", c"C")], || {
                let own = role.is_none();
                let role = role.map_or_else(make, Ok)?;
                if own {
                    grant(table, role)?;
                }
                found = prove(&Attempt { table, role })?;
                Ok(())
            })
        });
        match done {
            Ok(Some(())) => findings.extend(found),
            Ok(None) => findings.push(skipped(table, format!("it took longer than {} s", LIMIT.as_secs()))),
            Err(e) => {
                let hint = match e.code() {
                    PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => {
                        "; without CREATEROLE, name a role: tenant_check(role => '...')"
                    }
                    _ => "",
                };
                findings.push(skipped(table, format!("{}{hint}", e.message())));
            }
        }
    }
    Ok(findings)
}

fn may_act_as(role: Oid) -> Result<()> {
    let sql = ddl::tenant::may_act_as(CAN_ACT_AS);
    match Spi::get_one_with_args::<bool>(&sql, &[role.into()])? {
        Some(true) => Ok(()),
        _ => Err(Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied to act as role \"{}\"", String::from_utf8_lossy(&user::name(role))),
        )
        .hint("Name a role that you are a member of.")),
    }
}

/// A role that nobody has granted anything. Its name is free, or there is an error, which is told.
fn make() -> Result<Oid> {
    const ROLE: &str = "SELECT oid FROM pg_roles WHERE rolname = 'dbguard_tenant_check'";
    ddl::run(ddl::tenant::CREATE_ROLE)?;
    Spi::get_one::<Oid>(ROLE)?.ok_or_else(|| Error::internal("the role was not made"))
}

fn grant(table: &Guarded, role: Oid) -> Result<()> {
    const USAGE: &str = "SELECT has_schema_privilege($1, $2::text, 'USAGE')";
    ddl::run(&ddl::tenant::grant_all(&table.schema, &table.name))?;
    let args = [role.into(), table.schema.as_str().into()];
    if Spi::get_one_with_args::<bool>(USAGE, &args)? != Some(true) {
        ddl::run(&ddl::tenant::grant_usage(&table.schema))?;
    }
    Ok(())
}

impl Attempt<'_> {
    /// Runs a query that answers true or false, as the role and as a tenant; undone at once. No row is false.
    pub fn ask(&self, tenant: Option<&str>, sql: &str) -> Result<bool> {
        let mut answer = false;
        look(|| {
            user::as_role(self.role, user::Fence::Restricted, || {
                let mut ask = || {
                    answer = Spi::connect_mut(|client| {
                        let mut rows = client.update(sql, Some(1), &[])?;
                        rows.next().map_or(Ok(None), |row| row.get::<bool>(1))
                    })
                    .map_err(|e: pgrx::spi::Error| e)?
                        == Some(true);
                    Ok(())
                };
                match tenant {
                    Some(tenant) => guc::set_within(&self.table.setting, tenant, ask),
                    None => ask(),
                }
            })
        })?;
        Ok(answer)
    }

    /// Runs a query as the table's owner, who sees all rows; the texts of its first row.
    pub fn as_owner(&self, sql: &str) -> Result<Vec<Option<String>>> {
        let mut row = vec![];
        look(|| {
            user::as_role(self.table.owner, user::Fence::RestrictedAllRows, || {
                row = Spi::connect(|client| {
                    let mut rows = client.select(sql, Some(1), &[])?;
                    rows.next().map_or(Ok(None), |row| row.get::<Vec<Option<String>>>(1))
                })
                .map_err(|e: pgrx::spi::Error| e)?
                .unwrap_or_default();
                Ok(())
            })
        })?;
        Ok(row)
    }
}
