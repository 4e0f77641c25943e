//! What callers may say, and what they are told when they say something else.

use crate::error::{Error, Result};
use dbguard_core::lint::catalog::Facts;
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::rule::Rule;
use dbguard_core::lint::scope::Scope;
use dbguard_core::lint::{rules, select};
use pgrx::PgSqlErrorCode;

type List = Option<Vec<Option<String>>>;

/// An array argument; NULL as a whole is "all", NULL inside it is a mistake.
fn elements(name: &str, list: List) -> Result<Option<Vec<String>>> {
    let Some(list) = list else { return Ok(None) };
    let elements: Option<Vec<String>> = list.into_iter().collect();
    match elements {
        Some(e) => Ok(Some(e)),
        None => Err(Error::invalid_parameter(format!("argument \"{name}\" must not contain nulls"))
            .hint("Leave the argument out to mean all.")),
    }
}

pub fn rules_argument(list: List) -> Result<Vec<&'static Rule>> {
    let words = elements("rules", list)?;
    select::select(&rules::all(), words.as_deref()).map_err(|unknown| {
        Error::invalid_parameter(format!("no lint rule matches \"{}\"", unknown.word))
            .detail(unknown.valid)
            .hint(
                "Name codes, rules or categories; * and ? stand for any characters, a leading - leaves out.",
            )
    })
}

pub fn severity_argument(text: Option<&str>) -> Result<Severity> {
    let text = text.ok_or_else(|| Error::null_argument("min_severity"))?;
    Severity::parse(text).ok_or_else(|| {
        Error::invalid_parameter(format!("unknown severity \"{text}\""))
            .detail("Severities are info, warning, error.")
            .hint("To see everything, leave min_severity out.")
    })
}

/// The schemas asked for, each known and not one that is never linted.
pub fn schemas_argument(list: List, facts: &Facts) -> Result<Option<Vec<String>>> {
    let Some(names) = elements("schemas", list)? else { return Ok(None) };
    let scope = Scope::new(facts, None);
    for name in &names {
        if scope.has(name) {
            continue;
        }
        let mut known: Vec<&str> =
            facts.schemas.iter().map(|s| s.name.as_str()).filter(|s| scope.has(s)).collect();
        known.sort_unstable();
        let detail = format!("Schemas to lint are {}.", known.join(", "));
        let system = name.starts_with("pg_") || name == "information_schema";
        return Err(if system || facts.schemas.iter().any(|s| s.name == *name) {
            Error::invalid_parameter(format!("schema \"{name}\" belongs to the system or to a tool"))
                .detail(detail)
                .hint("Name schemas of your own, or leave the argument out for all of them.")
        } else {
            Error::new(
                PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
                format!("schema \"{name}\" does not exist"),
            )
            .detail(detail)
            .hint("Names are given as they are stored: without quotes, in their own case.")
        });
    }
    Ok(Some(names))
}
