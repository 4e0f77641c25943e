//! dbguard.lint_ignored: findings somebody chose to live with, for a time and with a reason.

use crate::error::{notice, Error, Result};
use crate::lint::read::rows;
use crate::lint::{arguments, config, own};
use crate::settings::LINT_IGNORE_DAYS;
use dbguard_core::lint::catalog::{means_all, Comment, Facts};
use dbguard_core::lint::ignore::{Ignore, Origin};
use dbguard_core::lint::{rules, select};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Adds what the table and the comments say.
pub fn read(facts: &mut Facts) -> Result<()> {
    const HOLDING: &str = "
        SELECT i.rule, i.object_pattern, i.reason, i.author::text,
               CASE WHEN pg_catalog.isfinite(i.expires) THEN pg_catalog.to_char(i.expires, 'YYYY-MM-DD') END
        FROM dbguard.lint_ignored i WHERE i.ended_at IS NULL ORDER BY i.id";
    facts.ignores = rows(HOLDING, |r| {
        Ok(Ignore {
            rules: vec![r.get(1)?],
            reason: r.get(3)?,
            until: r.maybe::<String>(5)?.and_then(|day| day.parse().ok()),
            origin: Origin::Table { pattern: r.get(2)?, author: r.get(4)? },
            fault: None,
        })
    })?;
    facts.comments = rows(include_str!("sql/comments.sql"), |r| {
        Ok(Comment {
            catalog: r.letter(1)?.unwrap_or_default(),
            oid: r.oid(2)?,
            column: r.get(3)?,
            text: r.get(4)?,
        })
    })?;
    Ok(())
}

/// A rule as it is stored: its code where it has one.
fn rule_argument(rule: Option<&str>) -> Result<String> {
    let word = rule.ok_or_else(|| Error::null_argument("rule"))?;
    let all = own::all()?;
    if let Some(rule) = rules::named(&all, word) {
        return Ok(rule.code.to_owned());
    }
    if means_all(word, &all) && !config::read()?.allows_blanket_ignores() {
        return Err(Error::invalid_parameter("to ignore all rules at once is not allowed here")
            .detail("What is wrong with an object then shows nowhere.")
            .hint("Name the rules, or allow it: SELECT * FROM dbguard.lint_configure('allow_blanket_ignore', true);"));
    }
    if !all.iter().any(|r| select::means(word, r)) {
        return Err(arguments::no_such_rule(word, &all));
    }
    Ok(word.to_owned())
}

const END: &str = "
    UPDATE dbguard.lint_ignored SET ended_at = pg_catalog.now(), ended_by = SESSION_USER
    WHERE rule = $1 AND object_pattern = $2 AND ended_at IS NULL RETURNING true";

/// From now until a day. Said again, the new reason and day count; the old ones stay on record.
#[pg_extern(sql = false)]
fn lint_ignore(
    rule: Option<&str>,
    object_pattern: Option<&str>,
    reason: Option<&str>,
    expires: Option<pgrx::datum::Date>,
) -> std::result::Result<i64, ErrorReport> {
    const ADD: &str = "
        INSERT INTO dbguard.lint_ignored (rule, object_pattern, reason, expires)
        VALUES ($1, $2, $3, coalesce($4, current_date + $5)) RETURNING id";
    let rule = rule_argument(rule)?;
    let pattern = object_pattern.ok_or_else(|| Error::null_argument("object_pattern"))?;
    let reason = reason.map(str::trim).filter(|r| !r.is_empty()).ok_or_else(|| {
        Error::invalid_parameter("an ignore needs a reason")
            .hint("Say why this is right as it is: reason => '...'.")
    })?;
    if pattern.is_empty() {
        return Err(Error::invalid_parameter("object_pattern is empty")
            .hint("Give an object as dbguard.lint() shows it, such as public.orders; * and ? stand for any characters.")
            .into());
    }
    let passed =
        Spi::get_one_with_args::<bool>("SELECT $1 < current_date", &[expires.into()]).map_err(Error::from)?;
    if passed == Some(true) {
        return Err(Error::invalid_parameter("expires is in the past")
            .hint(format!("Leave it out for {} days, or give 'infinity'.", LINT_IGNORE_DAYS.get()))
            .into());
    }
    let id = Spi::connect_mut(|client| {
        client.update(END, None, &[rule.as_str().into(), pattern.into()])?;
        let args = [
            rule.as_str().into(),
            pattern.into(),
            reason.into(),
            expires.into(),
            LINT_IGNORE_DAYS.get().into(),
        ];
        client.update(ADD, None, &args)?.first().get_one::<i64>()
    });
    Ok(id.map_err(Error::from)?.ok_or_else(|| Error::internal("no id of the new ignore"))?)
}

/// How many were ended.
#[pg_extern(sql = false)]
fn lint_unignore(rule: Option<&str>, object_pattern: Option<&str>) -> std::result::Result<i32, ErrorReport> {
    let word = rule.ok_or_else(|| Error::null_argument("rule"))?;
    let rule = rules::named(&own::all()?, word).map_or(word, |r| r.code);
    let pattern = object_pattern.ok_or_else(|| Error::null_argument("object_pattern"))?;
    let ended = Spi::connect_mut(|client| {
        client.update(END, None, &[rule.into(), pattern.into()]).map(|ended| ended.len())
    });
    let ended = ended.map_err(Error::from)?;
    if ended == 0 {
        notice(format!("\"{rule}\" is not ignored for \"{pattern}\", nothing to do"));
    }
    Ok(i32::try_from(ended).unwrap_or(i32::MAX))
}
