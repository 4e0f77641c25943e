//! What the extension plpgsql_check says of PL/pgSQL functions, or why nothing.
//!
//! It plans every expression of a body, and the planner runs what is IMMUTABLE, or STABLE in an estimate:
//! functions of whoever owns them, behind operators, casts, index expressions, domains and views too. So no check
//! runs with rights that this code should not have. A function of an ordinary role is checked as that role, fenced
//! in as VACUUM fences in index functions; a caller who may not become that role does not check it. A function
//! of a superuser is checked only for superusers, never as one but as pg_read_all_data, which may name what is in any
//! schema; and only where nothing in the database belongs to an ordinary role, whose code would see all tables then.
//! Whatever a check did is rolled back; it may not write, and is given up after two seconds.

use crate::ddl;
use crate::error::{Error, Result};
use crate::lint::read::{rows, Row};
use crate::pg::guc;
use crate::pg::subxact::brief_look;
use crate::pg::user::{as_role, Fence};
use dbguard_core::lint::catalog::{BodyError, Checked, Facts};
use dbguard_core::lint::scope::Scope;
use dbguard_core::quote::ident;
use pgrx::pg_sys::Oid;
use pgrx::{PgSqlErrorCode, Spi};
use std::time::{Duration, Instant};

/// A function, and the table whose trigger it is.
struct Body {
    function: u32,
    schema: String,
    /// As whom it is checked.
    acting: Option<Oid>,
    path: String,
    /// That role may use the function's schema.
    sees: bool,
    trigger: bool,
    polymorphic: bool,
    relation: u32,
    old_table: Option<String>,
    new_table: Option<String>,
}

type Signature = Vec<(String, String, Option<String>)>;

/// A check takes a millisecond, unless code that it comes to runs on.
const LIMIT: Duration = Duration::from_secs(2);

/// Gone with the subtransaction of the check. What is read-only within one cannot be made otherwise by what it
/// calls.
const CAREFUL: &str = "SELECT pg_catalog.set_config('search_path', $1, true), \
                       pg_catalog.set_config('lock_timeout', '200ms', true), \
                       pg_catalog.set_config('transaction_read_only', 'on', true)";

/// `until`: what is not checked by then is told so.
pub fn check(
    facts: &Facts,
    scope: &Scope,
    until: Option<Instant>,
) -> Result<std::result::Result<Vec<Checked>, String>> {
    let homes = rows(include_str!("sql/plpgsql_check_home.sql"), |r| {
        let (names, types, defaults) = (r.list::<String>(2)?, r.list::<String>(3)?, r.list(4)?);
        let signature = names.into_iter().zip(types).zip(defaults).map(|((n, t), d)| (n, t, d)).collect();
        Ok((r.maybe::<String>(1)?, signature))
    })?;
    let (schema, signature): (String, Signature) = match homes.into_iter().next() {
        Some((Some(schema), signature)) => (schema, signature),
        Some(_) => {
            return Ok(Err("this version of plpgsql_check has no plpgsql_check_function_tb".to_owned()))
        }
        None => return Ok(Err("the extension plpgsql_check is not installed".to_owned())),
    };
    let takes_tables = signature.iter().any(|(name, _, _)| name == "newtable");
    let sql = ddl::lint::plpgsql_check(&schema, &signature);
    let bodies = rows(include_str!("sql/plpgsql_functions.sql"), body)?;
    let linted = |b: &&Body| scope.has(&b.schema) && !facts.member_functions.contains(&b.function);
    let checked = bodies.iter().filter(linted).map(|b| {
        let left = until.map_or(LIMIT, |end| end.saturating_duration_since(Instant::now()).min(LIMIT));
        let outcome = match reason(b, takes_tables) {
            Some(reason) => Err(reason.to_owned()),
            None if left.is_zero() => Err("the time limit was reached".to_owned()),
            None => errors(&sql, b, left).map_err(|e| e.message().to_owned()),
        };
        Checked { function: b.function, relation: b.relation, outcome }
    });
    Ok(Ok(checked.collect()))
}

fn body(r: Row) -> Result<Body> {
    Ok(Body {
        function: r.oid(1)?,
        schema: r.get(2)?,
        acting: r.maybe(3)?,
        path: r.get(4)?,
        sees: r.get(5)?,
        trigger: r.get(6)?,
        polymorphic: r.get(7)?,
        relation: r.oid(8)?,
        old_table: r.maybe(9)?,
        new_table: r.maybe(10)?,
    })
}

fn reason(b: &Body, takes_tables: bool) -> Option<&'static str> {
    if b.trigger && b.relation == 0 {
        return Some("no trigger uses it");
    }
    if b.polymorphic {
        return Some("its parameters have no types before it is called");
    }
    if b.acting.is_none() {
        return Some("only a role that may become its owner can check it; one of a superuser's only a superuser, where no other role owns anything");
    }
    if !b.sees {
        return Some("its owner may not use the schema it is in");
    }
    let tables = b.old_table.is_some() || b.new_table.is_some();
    (tables && !takes_tables).then_some("this version of plpgsql_check knows no transition tables")
}

/// Whoever calls a function chooses the search_path, unless it has its own: what is wrong is wrong whether
/// its own schema comes first or its owner's usual path.
fn errors(sql: &str, b: &Body, limit: Duration) -> Result<Vec<BodyError>> {
    let (own, usual) = (ident(&b.schema), b.path.trim());
    let separator = if usual.is_empty() { "" } else { ", " };
    let first = run(sql, b, &format!("pg_catalog, {own}{separator}{usual}, pg_temp"), limit)?;
    if first.is_empty() || usual.is_empty() {
        return Ok(first);
    }
    let second = run(sql, b, &format!("pg_catalog, {usual}, {own}, pg_temp"), limit)?;
    Ok(first.into_iter().filter(|e| second.contains(e)).collect())
}

fn run(sql: &str, b: &Body, path: &str, limit: Duration) -> Result<Vec<BodyError>> {
    let acting = b.acting.ok_or_else(|| Error::internal("nobody to check a function as"))?;
    let (function, relation) = (Oid::from(b.function), Oid::from(b.relation));
    let checked = || {
        Spi::connect(|client| {
            client.select(CAREFUL, None, &[path.into()])?;
            let arguments = [
                function.into(),
                relation.into(),
                b.old_table.as_deref().into(),
                b.new_table.as_deref().into(),
            ];
            let mut found: Vec<BodyError> = vec![];
            for row in client.select(sql, None, &arguments)? {
                if row.get::<String>(4)?.as_deref() != Some("error") {
                    continue;
                }
                let (sqlstate, message) = (row.get(2)?.unwrap_or_default(), row.get(3)?.unwrap_or_default());
                // it catches that too: a statement that the user cancels, or our limit, shall end
                if sqlstate == "57014" {
                    return Err(Error::new(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, message));
                }
                found.push(BodyError { line: row.get(1)?.unwrap_or(0), sqlstate, message });
            }
            Ok(found)
        })
    };
    // the rule reads the messages
    let checked = || guc::with(&[(c"lc_messages", c"C")], checked);
    match brief_look(limit, || as_role(acting, Fence::Restricted, checked))? {
        Some(found) => Ok(found),
        None => Err(Error::invalid_parameter(format!("it took more than {} ms", limit.as_millis()))),
    }
}
