//! dbguard.lint_config: which rules run, how severe they are, and their numbers.

use crate::catalog::writable;
use crate::error::{notice, Error, Result};
use crate::lint::own;
use crate::lint::read::rows;
use crate::pg::json;
use dbguard_core::lint::config::{Choice, Config, BLANKET, SCORE};
use dbguard_core::lint::finding::Severity;
use dbguard_core::lint::rule::Rule;
use dbguard_core::lint::{rules, score, select};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB};
use serde_json::{Map, Value};

/// What has been chosen so far.
pub fn read() -> Result<Config> {
    let sql = "SELECT c.rule, c.schemas, c.enabled, c.severity, c.params FROM dbguard.lint_config c";
    let choices = rows(sql, |r| {
        Ok(Choice {
            rule: r.get(1)?,
            schemas: r.get(2)?,
            enabled: r.maybe(3)?,
            severity: r.maybe::<String>(4)?.as_deref().and_then(Severity::parse),
            params: match r.get::<JsonB>(5)?.0 {
                Value::Object(params) => params,
                _ => Map::new(),
            },
        })
    })?;
    Ok(Config::new(choices))
}

/// A choice as the caller said it.
struct Wanted {
    rule: String,
    schemas: String,
    enabled: Option<bool>,
    severity: Option<&'static str>,
    params: Option<Map<String, Value>>,
}

impl Wanted {
    fn is_nothing(&self) -> bool {
        self.enabled.is_none() && self.severity.is_none() && self.params.is_none()
    }
}

/// The rules a word means, by their code where it is one.
fn rule_word(word: &str) -> Result<(String, Vec<&'static Rule>)> {
    if word == BLANKET || word == SCORE {
        return Ok((word.to_owned(), vec![]));
    }
    let all = own::all()?;
    if let Some(rule) = rules::named(&all, word) {
        return Ok((rule.code.to_owned(), vec![rule]));
    }
    let words = [word.to_owned()];
    match select::select(&all, Some(&words)) {
        Ok(found) if !word.starts_with('-') => Ok((word.to_owned(), found)),
        _ => Err(super::arguments::no_such_rule(word, &all)),
    }
}

fn check_params(rules: &[&Rule], word: &str, params: &Map<String, Value>) -> Result<()> {
    let mut known: Vec<&str> = rules.iter().flat_map(|r| r.params).map(|p| p.name).collect();
    if word == SCORE {
        known.extend(score::WEIGHTS);
    }
    known.sort_unstable();
    known.dedup();
    for (name, value) in params {
        if !known.contains(&name.as_str()) {
            let detail = match known.is_empty() {
                true => format!("\"{word}\" has no numbers to choose."),
                false => format!("Numbers of \"{word}\" are {}.", known.join(", ")),
            };
            return Err(Error::invalid_parameter(format!("\"{word}\" has no number \"{name}\""))
                .detail(detail)
                .hint("SELECT code, params FROM dbguard.lint_rules;"));
        }
        if !value.is_null() && !value.as_f64().is_some_and(|n| n.is_finite() && n >= 0.0) {
            return Err(Error::invalid_parameter(format!("\"{name}\" must be a number, not {value}"))
                .hint("Numbers are zero or more; null takes the choice back."));
        }
    }
    Ok(())
}

fn wanted(
    rule: Option<&str>,
    enabled: Option<bool>,
    severity: Option<&str>,
    params: Option<AnyElement>,
    schemas: Option<&str>,
) -> Result<Wanted> {
    let rule = rule.ok_or_else(|| Error::null_argument("rule"))?;
    let schemas = schemas.ok_or_else(|| Error::null_argument("schema_pattern"))?.to_owned();
    let (rule, meant) = rule_word(rule)?;
    let severity = severity.map(|s| super::arguments::severity_argument("severity", Some(s))).transpose()?;
    let params = match params.map(|p| json::argument("params", p)).transpose()? {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => {
            return Err(Error::invalid_parameter("argument \"params\" must be a JSON object")
                .hint("For example: params => '{\"columns\": 40}'."))
        }
    };
    if let Some(params) = &params {
        check_params(&meant, &rule, params)?;
        if schemas != "*" {
            return Err(Error::invalid_parameter("numbers of a rule are the same for all schemas")
                .hint("Leave schema_pattern out, or params."));
        }
    }
    if rule == SCORE && (enabled.is_some() || severity.is_some()) {
        return Err(Error::invalid_parameter("of the score only params can be chosen")
            .hint("For example: lint_configure('score', params => '{\"error\": 50}')."));
    }
    if rule == BLANKET && (params.is_some() || severity.is_some() || schemas != "*") {
        return Err(Error::invalid_parameter(format!("\"{BLANKET}\" is on or off"))
            .hint("SELECT * FROM dbguard.lint_configure('allow_blanket_ignore', true);"));
    }
    Ok(Wanted { rule, schemas, enabled, severity: severity.map(Severity::as_str), params })
}

type Stored = (String, String, Option<bool>, Option<String>, JsonB);

fn store(w: Wanted) -> Result<Vec<Stored>> {
    const WRITE: &str = "
        INSERT INTO dbguard.lint_config AS c (rule, schemas, enabled, severity, params)
        VALUES ($1, $2, $3, $4, pg_catalog.jsonb_strip_nulls(coalesce($5, '{}')))
        ON CONFLICT (rule, schemas) DO UPDATE
        SET enabled = coalesce(excluded.enabled, c.enabled),
            severity = coalesce(excluded.severity, c.severity),
            params = pg_catalog.jsonb_strip_nulls(c.params || coalesce($5, '{}')),
            author = SESSION_USER, changed_at = pg_catalog.now()
        RETURNING c.rule, c.schemas, c.enabled, c.severity, c.params";
    const FORGET: &str = "DELETE FROM dbguard.lint_config WHERE rule = $1 AND schemas = $2 RETURNING true";
    Spi::connect_mut(|client| {
        let place = [w.rule.as_str().into(), w.schemas.as_str().into()];
        if w.is_nothing() {
            if client.update(FORGET, None, &place)?.is_empty() {
                notice(format!("nothing was chosen about \"{}\", nothing to do", w.rule));
            }
            return Ok(vec![]);
        }
        let [rule, schemas] = place;
        let params = w.params.map(|p| JsonB(Value::Object(p)));
        let args = [rule, schemas, w.enabled.into(), w.severity.into(), params.into()];
        let mut stored = vec![];
        for row in client.update(WRITE, None, &args)? {
            let get = |n| row.get::<String>(n);
            let params = row.get::<JsonB>(5)?.unwrap_or(JsonB(Value::Null));
            stored.push((
                get(1)?.unwrap_or_default(),
                get(2)?.unwrap_or_default(),
                row.get::<bool>(3)?,
                get(4)?,
                params,
            ));
        }
        Ok(stored)
    })
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn lint_configure(
    rule: Option<&str>,
    enabled: Option<bool>,
    severity: Option<&str>,
    params: Option<AnyElement>,
    schema_pattern: Option<&str>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(rule_chosen, String),
            name!(schemas, String),
            name!(enabled_now, Option<bool>),
            name!(severity_now, Option<String>),
            name!(params_now, JsonB),
        ),
    >,
    ErrorReport,
> {
    writable("lint_configure")?;
    let wanted = wanted(rule, enabled, severity, params, schema_pattern)?;
    Ok(TableIterator::new(store(wanted)?))
}
