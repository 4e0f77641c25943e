//! What callers may say, and what they are told when they say something else.

use crate::error::{Error, Result};
use dbguard_core::lint::catalog::Facts;
use dbguard_core::lint::config::{Config, How};
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::profile::{self, Profile};
use dbguard_core::lint::rule::Rule;
use dbguard_core::lint::scope::Scope;
use dbguard_core::lint::select;
use pgrx::PgSqlErrorCode;
use std::time::Duration;

/// A text that must be given.
pub fn required_text<'a>(name: &str, text: Option<&'a str>) -> Result<&'a str> {
    text.ok_or_else(|| Error::null_argument(name))
}

pub type List = Option<Vec<Option<String>>>;

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

pub fn rules_argument(
    list: List,
    all: &[&'static Rule],
    profile: Option<Profile>,
    config: &Config,
) -> Result<Vec<(&'static Rule, How)>> {
    let words = elements("rules", list)?;
    profile::chosen(all, words.as_deref(), profile, config)
        .map_err(|unknown| no_such_rule(&unknown.word, all))
}

pub fn profile_argument(text: &str) -> Result<Profile> {
    Profile::parse(text).ok_or_else(|| {
        let all = Profile::ALL.map(Profile::as_str).join(", ");
        Error::invalid_parameter(format!("unknown profile \"{text}\""))
            .detail(format!("Profiles are {all}."))
            .hint("Leave profile out for recommended.")
    })
}

/// A time limit in seconds.
pub fn seconds_argument(seconds: f32) -> Result<Duration> {
    Duration::try_from_secs_f32(seconds).map_err(|_| {
        Error::invalid_parameter(format!("max_seconds must be zero or more, not {seconds}"))
            .hint("NULL is no limit.")
    })
}

pub fn no_such_rule(word: &str, all: &[&Rule]) -> Error {
    Error::invalid_parameter(format!("no lint rule matches \"{word}\""))
        .detail(select::valid_words(all))
        .hint("Name codes, rules or categories; * and ? stand for any characters, a leading - leaves out.")
}

pub fn severity_argument(name: &str, text: Option<&str>) -> Result<Severity> {
    let text = text.ok_or_else(|| Error::null_argument(name))?;
    Severity::parse(text).ok_or_else(|| {
        Error::invalid_parameter(format!("unknown severity \"{text}\""))
            .detail("Severities are info, warning, error.")
            .hint(format!("Give {name} one of them, or leave it out."))
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
