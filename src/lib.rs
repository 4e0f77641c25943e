//! dbguard: a guard for a PostgreSQL schema, inside the database.
//!
//! One folder a part (audit, touch, partition, tenant, lint); `pg` holds all that the compiler cannot check, `ddl` builds all
//! SQL text, `error` and `settings` every error and setting. SQL objects are written by hand in
//! `sql/`, one file a part, and name the `*_wrapper` symbols that `#[pg_extern(sql = false)]` makes.

use pgrx::prelude::*;

// Lets #[pg_guard] work on extern blocks outside pgrx-pg-sys.
pub(crate) use pgrx::pg_sys::submodules::ffi;

mod actor;
mod audit;
mod auto;
mod cache;
mod catalog;
mod ddl;
mod error;
mod lint;
mod partition;
mod pg;
mod settings;
mod tenant;
mod touch;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/bootstrap.sql", name = "bootstrap", bootstrap);
extension_sql_file!("../sql/audit.sql", name = "audit", requires = ["bootstrap"]);
extension_sql_file!("../sql/audit_choose.sql", name = "audit_choose", requires = ["audit"]);
extension_sql_file!("../sql/audit_read.sql", name = "audit_read", requires = ["audit"]);
extension_sql_file!("../sql/audit_ddl.sql", name = "audit_ddl", requires = ["audit"]);
extension_sql_file!("../sql/audit_ship.sql", name = "audit_ship", requires = ["audit_ddl"]);
extension_sql_file!("../sql/audit_seal.sql", name = "audit_seal", requires = ["audit"]);
extension_sql_file!("../sql/audit_revert.sql", name = "audit_revert", requires = ["audit"]);
extension_sql_file!("../sql/touch.sql", name = "touch", requires = ["bootstrap"]);
extension_sql_file!("../sql/soft_delete.sql", name = "soft_delete", requires = ["touch"]);
extension_sql_file!("../sql/touch_standard.sql", name = "touch_standard", requires = ["touch"]);
extension_sql_file!("../sql/partition.sql", name = "partition", requires = ["bootstrap"]);
extension_sql_file!("../sql/partition_import.sql", name = "partition_import", requires = ["partition"]);
extension_sql_file!("../sql/partition_job.sql", name = "partition_job", requires = ["bootstrap"]);
extension_sql_file!(
    "../sql/partition_drain.sql",
    name = "partition_drain",
    requires = ["partition", "partition_job"]
);
extension_sql_file!("../sql/partition_convert.sql", name = "partition_convert", requires = ["partition"]);
extension_sql_file!("../sql/tenant.sql", name = "tenant", requires = ["bootstrap"]);
extension_sql_file!("../sql/tenant_data.sql", name = "tenant_data", requires = ["tenant"]);
extension_sql_file!("../sql/lint.sql", name = "lint", requires = ["bootstrap"]);
extension_sql_file!("../sql/lint_config.sql", name = "lint_config", requires = ["lint"]);
extension_sql_file!("../sql/lint_report.sql", name = "lint_report", requires = ["lint"]);
extension_sql_file!("../sql/lint_own.sql", name = "lint_own", requires = ["lint"]);
extension_sql_file!("../sql/finalize.sql", name = "finalize", finalize);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::define();
    audit::install();
}

#[pg_extern(sql = false)]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
