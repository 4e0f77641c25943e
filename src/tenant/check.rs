//! tenant_check: what is proven, and what the catalogs give away. One row a finding, and one for each table that stood.

mod bypass;
mod catalog;
mod outcome;
mod prove;
mod role;

use super::guarded::{guarded, policies};
use crate::catalog::schema_with;
use crate::ddl::tenant as ddl;
use crate::error::Result;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// One row of the result. The severities are lint's; `ok` is a table that stood, `skipped` what could not be looked at.
pub struct Finding {
    pub table: Option<Oid>,
    pub check: String,
    pub severity: String,
    pub finding: String,
    pub fix: Option<String>,
}

impl Finding {
    pub fn new(table: Oid, check: &str, severity: &str, finding: impl Into<String>) -> Finding {
        Finding {
            table: Some(table),
            check: check.to_owned(),
            severity: severity.to_owned(),
            finding: finding.into(),
            fix: None,
        }
    }

    fn fix(mut self, statement: String) -> Finding {
        self.fix = Some(statement);
        self
    }
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn tenant_check(
    schema: Option<&str>,
    role: Option<Oid>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Option<Oid>),
            name!(check, String),
            name!(severity, String),
            name!(finding, String),
            name!(fix, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let rows = check(schema, role)?;
    Ok(TableIterator::new(
        rows.into_iter().map(|f| (f.table, f.check, f.severity, f.finding, f.fix)).collect::<Vec<_>>(),
    ))
}

fn check(schema: Option<&str>, role: Option<Oid>) -> Result<Vec<Finding>> {
    let schema = schema.map(|s| schema_with(s, &[])).transpose()?;
    let mut findings = broken(schema)?;
    let tables = guarded(schema)?;
    findings.extend(role::with(role, &tables, prove::table)?);
    findings.extend(catalog::findings(schema, &tables)?);
    if !tables.is_empty() {
        findings.extend(bypass::findings()?);
    }
    const ALONE: &str = "
        SELECT p.polrelid FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE p.polname = 'dbguard_tenant_access' AND ($1 IS NULL OR c.relnamespace = $1)
          AND NOT EXISTS (SELECT FROM pg_policy q WHERE q.polrelid = p.polrelid AND q.polname = 'dbguard_tenant')";
    Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
        for row in client.select(ALONE, None, &[schema.into()])? {
            let what = "policy dbguard_tenant is gone: other policies may let other tenants' rows through";
            findings.extend(row.get::<Oid>(1)?.map(|table| Finding::new(table, "policy", "error", what)));
        }
        Ok(())
    })?;
    Ok(findings)
}

/// Tables that have our policy and are not guarded by it.
fn broken(schema: Option<Oid>) -> Result<Vec<Finding>> {
    let mut findings = vec![];
    for p in policies(schema, None)? {
        if p.rule.is_none() {
            let what = "policy dbguard_tenant is not as tenant_enable made it: it may let other tenants' rows through";
            findings.push(Finding::new(p.relation, "policy", "error", what));
        } else if !p.enabled {
            let what = "row-level security is off: every tenant's rows are seen";
            let fix = ddl::row_security(&p.schema, &p.name, true);
            findings.push(Finding::new(p.relation, "row security", "error", what).fix(fix));
        }
    }
    Ok(findings)
}
