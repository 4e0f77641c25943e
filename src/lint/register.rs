//! dbguard.lint_register and lint_unregister.

use crate::catalog;
use crate::error::{notice, Error, Result};
use crate::lint::arguments::{required_text, severity_argument};
use crate::lint::{own, view as asked};
use dbguard_core::lint::own::code_fault;
use dbguard_core::lint::rule::Category;
use dbguard_core::lint::rules;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Names of the view, and the first line of its comment.
fn named(view: Oid) -> Result<(String, String, Option<String>)> {
    const COMMENT: &str = "SELECT pg_catalog.obj_description($1, 'pg_class')";
    let relation = catalog::relation(view)?;
    if relation.persistence == 't' {
        return Err(Error::wrong_object_type(format!("\"{}\" is a temporary view", relation.name))
            .hint("It goes with its session. Name a permanent one."));
    }
    let comment = Spi::get_one_with_args::<String>(COMMENT, &[view.into()])?;
    let line = comment.as_deref().and_then(|c| c.lines().next()).map(str::to_owned);
    Ok((relation.schema, relation.name, line))
}

fn category_argument(text: Option<&str>) -> Result<Category> {
    let text = required_text("category", text)?;
    Category::parse(text).ok_or_else(|| {
        let all: Vec<&str> = Category::ALL.iter().map(|c| c.as_str()).collect();
        Error::invalid_parameter(format!("unknown category \"{text}\""))
            .detail(format!("Categories are {}.", all.join(", ")))
            .hint("Leave category out for own.")
    })
}

/// The rule is known by the view's name too: that must not mean another rule.
fn name_is_free(code: &str, name: &str) -> Result<()> {
    if name.starts_with('-') || name.contains(['*', '?']) || name.contains(char::is_control) {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_NAME,
            format!("a rule cannot be called \"{name}\""),
        )
        .hint(
            "A rule is called as its view is, and * ? and a leading - mean something else: rename the view.",
        ));
    }
    let word = |text: &str| text.eq_ignore_ascii_case(name);
    let others = own::all()?;
    let taken = others.iter().find(|r| r.code != code && (word(r.name) || word(r.code)));
    let taken = taken.map(|r| r.code).or(Category::parse(name).map(Category::as_str));
    match taken {
        None => Ok(()),
        Some(what) => Err(Error::new(
            PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
            format!("the name \"{name}\" already means {what}"),
        )
        .hint("A rule is called as its view is: rename the view.")),
    }
}

/// How many findings the rule has now. Registered again, it is changed.
///
/// Errors: 22023 for a code, severity or category that cannot be; 42710 for a name that means another rule; and
/// whatever keeps the view from being asked.
#[pg_extern(sql = false)]
fn lint_register(
    code: Option<&str>,
    view: Option<Oid>,
    title: Option<&str>,
    severity: Option<&str>,
    category: Option<&str>,
    why: Option<&str>,
    remedy: Option<&str>,
) -> std::result::Result<i32, ErrorReport> {
    const WRITE: &str = "
        INSERT INTO dbguard.lint_registered (code, schema_name, view_name, title, severity, category, why, remedy)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (code) DO UPDATE
        SET schema_name = excluded.schema_name, view_name = excluded.view_name, title = excluded.title,
            severity = excluded.severity, category = excluded.category, why = excluded.why,
            remedy = excluded.remedy, author = SESSION_USER, registered_at = pg_catalog.now()";
    let code = required_text("code", code)?;
    if let Some(fault) = code_fault(code) {
        return Err(Error::invalid_parameter(format!("\"{code}\" cannot be the code of a rule of your own"))
            .detail(fault)
            .hint("For example ACME001.")
            .into());
    }
    let view = view.ok_or_else(|| Error::null_argument("view"))?;
    let severity = severity_argument("severity", severity)?;
    let category = category_argument(category)?;
    let (schema, name, comment) = named(view)?;
    name_is_free(code, &name)?;
    let title = title.or(comment.as_deref()).map(|t| t.trim().trim_end_matches('.'));
    let title = title.filter(|t| !t.is_empty() && !t.contains(char::is_control)).ok_or_else(|| {
        Error::invalid_parameter("a rule needs a title of one line")
            .hint("Say what is wrong: title => '...', or as a comment on the view.")
    })?;
    let findings = asked::ask(&schema, &name, None)?.len();
    let args = [
        code.into(),
        schema.as_str().into(),
        name.as_str().into(),
        title.into(),
        severity.as_str().into(),
        category.as_str().into(),
        required_text("why", why)?.into(),
        required_text("remedy", remedy)?.into(),
    ];
    Spi::run_with_args(WRITE, &args).map_err(Error::from)?;
    Ok(i32::try_from(findings).unwrap_or(i32::MAX))
}

/// Whether there was such a rule. What was chosen about it goes with it; what was ignored of it, or is in baselines, stays.
#[pg_extern(sql = false)]
fn lint_unregister(code: Option<&str>) -> std::result::Result<bool, ErrorReport> {
    let code = required_text("code", code)?;
    if rules::find(code).is_some() {
        return Err(Error::invalid_parameter(format!("\"{code}\" is a rule of dbguard"))
            .hint("Switch it off: SELECT * FROM dbguard.lint_configure(code, false);")
            .into());
    }
    let gone = Spi::connect_mut(|client| {
        const CHOSEN: &str = "DELETE FROM dbguard.lint_config WHERE rule = $1";
        const GONE: &str = "DELETE FROM dbguard.lint_registered WHERE code = $1 RETURNING true";
        client.update(CHOSEN, None, &[code.into()])?;
        client.update(GONE, None, &[code.into()]).map(|gone| !gone.is_empty())
    })
    .map_err(Error::from)?;
    if !gone {
        notice(format!("no rule \"{code}\" is registered, nothing to do"));
    }
    Ok(gone)
}
