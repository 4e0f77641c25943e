//! dbguard.lint_registered: rules of the user's own. A view is asked as the caller, in a read-only
//! subtransaction that is rolled back, with a limit for its time and its locks.

use crate::ddl;
use crate::error::{Error, Result};
use crate::lint::read::rows;
use crate::pg::{lock, subxact::brief_look};
use crate::settings::LINT_VIEW_TIMEOUT;
use dbguard_core::lint::catalog::Catalog;
use dbguard_core::lint::finding::{Object, Report, Severity};
use dbguard_core::lint::own::{judge, Definition, Said};
use dbguard_core::lint::rule::{Category, Rule};
use dbguard_core::lint::rules;
use dbguard_core::quote::qualified;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::Value;
use std::time::Duration;

/// Findings of one view that are read; a view that says more says too much to be read.
const MOST: usize = 10_000;

/// Those registered, by code.
pub fn registered() -> Result<Vec<&'static Rule>> {
    const ALL: &str = "
        SELECT r.code, r.view_name::text, r.category, r.severity, r.title, r.why, r.remedy
        FROM dbguard.lint_registered r ORDER BY r.code COLLATE \"C\"";
    rows(ALL, |r| {
        Ok(Definition {
            code: r.get(1)?,
            name: r.get(2)?,
            category: Category::parse(&r.get::<String>(3)?).unwrap_or(Category::Own),
            severity: Severity::parse(&r.get::<String>(4)?).unwrap_or(Severity::Warning),
            title: r.get(5)?,
            why: r.get(6)?,
            remedy: r.get(7)?,
        }
        .rule())
    })
}

/// All rules: ours, then those registered.
pub fn all() -> Result<Vec<&'static Rule>> {
    let mut all = rules::all();
    all.extend(registered()?);
    Ok(all)
}

/// Asks the view of a rule. What keeps it from answering is told, never swallowed.
pub fn ask(catalog: &Catalog, rule: &'static Rule, left: Option<Duration>, out: &mut Report) {
    const VIEW: &str = "
        SELECT r.schema_name::text, r.view_name::text FROM dbguard.lint_registered r WHERE r.code = $1";
    let view = Spi::connect(|client| {
        let view = client.select(VIEW, Some(1), &[rule.code.into()])?.first();
        view.get_two::<String, String>()
    });
    let said = match view {
        Ok((Some(schema), Some(name))) => read(&schema, &name, left).map_err(|e| match e.hint_text() {
            Some(hint) => format!("{}. {hint}", e.message()),
            None => e.message().to_owned(),
        }),
        Ok(_) => Err("it is no longer registered".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    match said {
        Ok(said) => judge(catalog, rule, said, out),
        Err(reason) => out.skip(Object::database(&catalog.database), reason),
    }
}

/// What a view says now.
pub fn read(schema: &str, name: &str, left: Option<Duration>) -> Result<Vec<Said>> {
    let usual = Duration::from_millis(u64::from(LINT_VIEW_TIMEOUT.get().unsigned_abs()));
    let limit = left.map_or(usual, |left| left.min(usual));
    let view = qualified(schema, name);
    let said = brief_look(limit, || {
        careful()?;
        let columns = trusted(schema, name)?;
        let sql = ddl::lint::own_rule(schema, name, |column| columns.iter().any(|c| c == column));
        said(&sql)
    })?;
    match said {
        Some(said) if said.len() > MOST => {
            Err(Error::invalid_parameter(format!("view {view} has more than {MOST} rows"))
                .hint("A rule says what is wrong, not everything there is."))
        }
        Some(said) => Ok(said),
        None => Err(Error::invalid_parameter(format!("view {view} took more than {} ms", limit.as_millis()))
            .hint("Make it faster, or set dbguard.lint_view_timeout higher.")),
    }
}

/// Gone with the subtransaction. What is read-only within one cannot be made otherwise by what it calls. Row
/// security would hide rows: then rather an error.
fn careful() -> Result<()> {
    const CAREFUL: &str = "
        SELECT pg_catalog.set_config('lock_timeout', '200ms', true),
               pg_catalog.set_config('row_security', 'off', true),
               pg_catalog.set_config('transaction_read_only', 'on', true)";
    // not as a change: on a standby that would be refused
    Ok(Spi::connect(|client| client.select(CAREFUL, None, &[]).map(|_| ()))?)
}

/// The columns of a view whose code the caller may run: functions in a view run as who asks it. So those who can
/// put code there, its owner and that of its schema, must be able to act as the caller anyway.
fn trusted(schema: &str, name: &str) -> Result<Vec<String>> {
    let view = qualified(schema, name);
    let missing = || {
        Error::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, format!("view {view} does not exist"))
            .hint("Make it again, or take the rule back with dbguard.lint_unregister.")
    };
    let find = || {
        Spi::connect(|client| {
            let args = [schema.into(), name.into()];
            let mut found = client.select(include_str!("sql/own_view.sql"), Some(1), &args)?;
            let Some(row) = found.next() else { return Ok(None) };
            let owner = (row.get::<bool>(3)?, row.get::<String>(4)?);
            let keeper = (row.get::<bool>(5)?, row.get::<String>(6)?);
            let columns = row.get::<Vec<String>>(7)?.unwrap_or_default();
            Ok::<_, Error>(Some((row.get::<Oid>(1)?, row.get::<bool>(2)?, owner, keeper, columns)))
        })
    };
    let Some((Some(oid), ..)) = find()? else { return Err(missing()) };
    // from here on nobody replaces it or gives it away
    lock::access_share(oid);
    let Some((Some(again), is_view, owner, keeper, columns)) = find()? else { return Err(missing()) };
    if again != oid {
        return Err(missing());
    }
    if is_view != Some(true) {
        return Err(Error::wrong_object_type(format!("{view} is not a view"))
            .hint("Name a view or a materialized view."));
    }
    let who = [(owner, "the view is"), (keeper, "its schema is")];
    match who.into_iter().find(|((trusted, _), _)| *trusted != Some(true)) {
        None => Ok(columns),
        Some(((_, role), what)) => {
            let role = role.unwrap_or_default();
            Err(Error::new(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("view {view} could run code of role {role} as you: {what} owned by {role}"),
            )
            .hint(format!("Ask as {role}, or keep the view in a schema of your own.")))
        }
    }
}

fn said(sql: &str) -> Result<Vec<Said>> {
    let most = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    Spi::connect(|client| {
        let mut said = vec![];
        for row in client.select(sql, Some(most), &[])? {
            let oid = |n| row.get::<Oid>(n).map(|oid| oid.map(Oid::to_u32).filter(|oid| *oid != 0));
            said.push(Said {
                relation: oid(1)?,
                function: oid(2)?,
                attribute: row.get(3)?,
                message: row.get(4)?,
                severity: row.get(5)?,
                fix_sql: row.get(6)?,
                key: row.get(7)?,
                confidence: row.get(8)?,
                details: match row.get::<JsonB>(9)?.map(|d| d.0) {
                    Some(Value::Object(details)) => details,
                    _ => serde_json::Map::new(),
                },
            });
        }
        Ok(said)
    })
}
