//! dbguard.tenant_uuid and its like: which tenant a setting names. They run once a statement, in front of every query of a
//! guarded table: they never raise an error because of the value, and run no SQL.

use crate::pg::guc;
use dbguard_core::tenant;
use pgrx::prelude::*;

/// What the setting holds; None if it was never set.
fn setting(name: &str) -> Option<String> {
    guc::shown(name).and_then(|value| String::from_utf8(value).ok())
}

#[pg_extern(sql = false)]
fn tenant_uuid(name: &str) -> Option<pgrx::Uuid> {
    tenant::uuid(&setting(name)?).map(pgrx::Uuid::from_bytes)
}

#[pg_extern(sql = false)]
fn tenant_bigint(name: &str) -> Option<i64> {
    tenant::bigint(&setting(name)?)
}

#[pg_extern(sql = false)]
fn tenant_int(name: &str) -> Option<i32> {
    tenant::int(&setting(name)?)
}

#[pg_extern(sql = false)]
fn tenant_text(name: &str) -> Option<String> {
    setting(name).filter(|value| tenant::text(value).is_some())
}
