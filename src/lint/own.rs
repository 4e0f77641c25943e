//! dbguard.lint_registered: rules of the user's own, each a view. Asking one is in `view`.

use crate::error::Result;
use crate::lint::read::rows;
use crate::lint::view;
use dbguard_core::lint::catalog::Catalog;
use dbguard_core::lint::finding::{Object, Report, Severity};
use dbguard_core::lint::own::{judge, Definition};
use dbguard_core::lint::rule::{Category, Rule};
use dbguard_core::lint::rules;
use pgrx::Spi;
use std::time::Duration;

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
    let found = Spi::connect(|client| {
        let view = client.select(VIEW, Some(1), &[rule.code.into()])?.first();
        view.get_two::<String, String>()
    });
    let said = match found {
        Ok((Some(schema), Some(name))) => view::ask(&schema, &name, left).map_err(|e| {
            let hint = e.hint_text().map(|hint| format!(". {hint}"));
            format!("{}{}", e.message(), hint.unwrap_or_default())
        }),
        Ok(_) => Err("it is no longer registered".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    match said {
        Ok(said) => judge(catalog, rule, said, out),
        Err(reason) => out.skip(Object::database(&catalog.database), reason),
    }
}
