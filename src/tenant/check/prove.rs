//! Tries to reach another tenant's rows of one table, and rows without being any tenant.

use super::outcome::{of_look, of_write, Outcome};
use super::Finding;
use crate::ddl::tenant as ddl;
use crate::error::Result;
use crate::pg::guc;
use crate::tenant::guarded::Guarded;
use dbguard_core::tenant::Kind;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Who tries, and what.
pub struct Attempt<'a> {
    pub table: &'a Guarded,
    pub role: Oid,
}

/// Tenants that surely have no rows, for tables that have none of two.
fn made_up(kind: Kind) -> [&'static str; 2] {
    match kind {
        Kind::Uuid => ["5d2f7c1e-8a3b-4c6d-9e0f-a1b2c3d4e5f6", "c4e8b0d2-1f3a-4b5c-8d7e-f6a5b4c3d2e1"],
        Kind::Bigint => ["-9223372036854775807", "-9223372036854775806"],
        Kind::Int => ["-2147483647", "-2147483646"],
        Kind::Text => ["~a", "~b"],
    }
}

pub fn table(attempt: &Attempt) -> Result<Vec<Finding>> {
    let t = attempt.table;
    let (schema, name, column) = (&*t.schema, &*t.name, &*t.column);
    let real = tenants(attempt)?;
    let spare = made_up(t.kind);
    let theirs = real.first().map_or(spare[0], String::as_str);
    let mine = real.get(1).map_or(spare[1], String::as_str);
    let mut outcomes = vec![];
    let mut tried = |check: &'static str, outcome: Outcome| outcomes.push((check, outcome));

    // being no tenant
    let any = ddl::any_row(schema, name);
    if guc::shown(&t.setting).is_none() {
        let what = "rows are seen when the setting is missing";
        tried("no tenant", of_look(t, attempt.ask(None, &any), what));
    }
    let mut nobody = vec![
        ("", "rows are seen when the setting is empty"),
        ("  ", "rows are seen when the setting is blank"),
    ];
    if t.kind != Kind::Text {
        nobody.push(("no' such", "rows are seen when the setting holds no value of the type"));
    }
    for (value, what) in nobody {
        tried("no tenant", of_look(t, attempt.ask(Some(value), &any), what));
    }
    let row = ddl::insert(schema, name, column, theirs, &columns(attempt)?);
    let write = of_write(t, attempt.ask(Some(""), &row), "a row was written when the setting is empty");
    tried("no tenant", with_triggers(attempt, write)?);

    // being another
    let ask = |sql: &str| attempt.ask(Some(mine), sql);
    tried(
        "read",
        of_look(t, ask(&ddl::row_of(schema, name, column, theirs)), "another tenant's row was read"),
    );
    let write = of_write(t, ask(&row), "a row was written for another tenant");
    tried("insert", with_triggers(attempt, write)?);
    let update = ddl::update_row(schema, name, column, theirs, theirs);
    tried("update", of_look(t, ask(&update), "another tenant's row was updated"));
    if real.len() == 2 {
        let moved = ddl::update_row(schema, name, column, mine, theirs);
        let outcome = match ask(&moved) {
            // it does not even see its own
            Ok(false) => Outcome::Held,
            other => of_write(t, other, "a row was moved to another tenant"),
        };
        tried("move", with_triggers(attempt, outcome)?);
    }
    let delete = ddl::delete_row(schema, name, column, theirs);
    tried("delete", of_look(t, ask(&delete), "another tenant's row was deleted"));
    let own = match real.get(1) {
        Some(_) => ask(&ddl::row_of(schema, name, column, mine)).ok(),
        None => None,
    };
    Ok(told(t, outcomes, real.len(), own))
}

fn told(t: &Guarded, outcomes: Vec<(&'static str, Outcome)>, real: usize, own: Option<bool>) -> Vec<Finding> {
    let mut findings = vec![];
    for (check, outcome) in outcomes {
        match outcome {
            Outcome::Held => {}
            // who may not read a table at all proves nothing by that
            Outcome::Denied(why) if check == "read" => {
                findings.push(Finding::new(t.relation, check, "skipped", why));
            }
            Outcome::Denied(_) => {}
            Outcome::Reached(what) => findings.push(Finding::new(t.relation, check, "error", what)),
            Outcome::Unknown(why) => {
                findings.push(Finding::new(
                    t.relation,
                    check,
                    "skipped",
                    format!("could not be judged: {why}"),
                ));
            }
        }
    }
    if own == Some(false) {
        // who sees nothing at all proves nothing by it
        let what = "a tenant does not see its own rows either: no policy of the table's own lets the role";
        findings.push(Finding::new(t.relation, "own rows", "skipped", what));
    }
    if findings.is_empty() {
        let what = match real {
            2 => "rows of two tenants: neither reads, writes, moves nor deletes what is the other's",
            1 => "rows of one tenant: another neither reads, writes nor deletes them; moving was not tried",
            _ => "no rows: writing for another tenant was refused; there was nothing to read, move or delete",
        };
        findings.push(Finding::new(t.relation, "proof", "ok", what));
    }
    findings
}

/// Two tenants that have rows, if there are: the first and the last, which an index finds at once.
fn tenants(attempt: &Attempt) -> Result<Vec<String>> {
    let t = attempt.table;
    let mut list: Vec<String> = attempt
        .as_owner(&ddl::first_and_last(&t.schema, &t.name, &t.column))?
        .into_iter()
        .flatten()
        // the tenant of a blank setting is none
        .filter(|v| t.kind != Kind::Text || !v.trim_ascii().is_empty())
        .collect();
    list.dedup();
    Ok(list)
}

/// All columns a row is written with, each with a value of its own so that no default is evaluated: NULL, or what a
/// row has where a NULL would not get as far as the policies (partition keys, domains).
fn columns(attempt: &Attempt) -> Result<Vec<(String, Option<String>)>> {
    const COLUMNS: &str = "
        SELECT a.attname::text,
               t.typtype = 'd' OR EXISTS (
                   SELECT FROM pg_partition_tree(a.attrelid) l
                   JOIN pg_partitioned_table p ON p.partrelid = l.relid
                   JOIN pg_attribute k ON k.attrelid = p.partrelid AND k.attnum = ANY (p.partattrs)
                   WHERE k.attname = a.attname)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> $2
        ORDER BY a.attnum";
    let t = attempt.table;
    let all = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut all = vec![];
        for row in client.select(COLUMNS, None, &[t.relation.into(), t.column.as_str().into()])? {
            all.push((row.get::<String>(1)?.unwrap_or_default(), row.get::<bool>(2)? == Some(true)));
        }
        Ok(all)
    })?;
    let borrowed: Vec<&str> = all.iter().filter(|(_, needed)| *needed).map(|(c, _)| c.as_str()).collect();
    let mut values = match borrowed.is_empty() {
        true => vec![],
        false => attempt.as_owner(&ddl::some_row(&t.schema, &t.name, &borrowed))?,
    }
    .into_iter();
    Ok(all.into_iter().map(|(c, needed)| (c, if needed { values.next().flatten() } else { None })).collect())
}

/// A row that a BEFORE trigger may have given to the tenant who wrote it proves nothing.
fn with_triggers(attempt: &Attempt, outcome: Outcome) -> Result<Outcome> {
    const CHANGES: &str = "
        SELECT t.tgname::text FROM pg_trigger t
        WHERE t.tgrelid = $1 AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0 AND t.tgenabled IN ('O', 'A')
          AND t.tgfoid NOT IN (SELECT oid FROM pg_proc WHERE pronamespace = 'dbguard'::regnamespace)
        LIMIT 1";
    let Outcome::Reached(what) = outcome else { return Ok(outcome) };
    let trigger = Spi::connect(|client| {
        let mut found = client.select(CHANGES, Some(1), &[attempt.table.relation.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?;
    Ok(match trigger {
        Some(name) => Outcome::Unknown(format!("{what}, or trigger {name} changed whose it is")),
        None => Outcome::Reached(what),
    })
}
