//! What is wrong with what is ignored.

use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Object, Report, Safety};
use crate::lint::ignore::{Ignore, Origin, Standing};
use crate::lint::rule::Rule;
use crate::quote::literal;

mod expired_ignore;
mod ignore_without_reason;
mod unknown_code;
mod unused_ignore;

pub const RULES: &[&Rule] =
    &[&unused_ignore::RULE, &expired_ignore::RULE, &ignore_without_reason::RULE, &unknown_code::RULE];

/// The object an ignore is told about: what has the comment, or the database.
fn object(c: &Catalog, ignore: &Ignore) -> Object {
    match &ignore.origin {
        Origin::Table { .. } => Object::database(&c.database),
        Origin::Comment { object, .. } => object.clone(),
    }
}

/// A finding about an ignore, with the statements that take it back.
fn finding(c: &Catalog, ignore: &Ignore, what: &str) -> Finding {
    let words = ignore.rules.join(", ");
    let sql: Option<String> = match &ignore.origin {
        Origin::Table { pattern, .. } => ignore
            .rules
            .iter()
            .map(|r| format!("SELECT dbguard.lint_unignore({}, {});", literal(r), literal(pattern)))
            .collect::<Vec<_>>()
            .join("\n")
            .into(),
        Origin::Comment { sql, .. } => sql.clone(),
    };
    let message = format!("ignore of {words} for {} {what}", ignore.place());
    let mut found = Finding::new(object(c, ignore), message)
        .fix(sql.map(|sql| Fix::new(sql, Safety::Review)))
        .evidence("rules", ignore.rules.clone())
        .evidence("reason", ignore.reason.as_str());
    found.key = format!("{}|{words}", ignore.place());
    found
}

/// Tells each ignore that stands so.
fn tell(c: &Catalog, out: &mut Report, standing: Standing, what: impl Fn(&Ignore) -> String) {
    let today = c.today();
    for ignore in &c.ignores {
        out.examine(&object(c, ignore).schema);
        if ignore.standing(today) == standing {
            out.find(finding(c, ignore, &what(ignore)));
        }
    }
}
