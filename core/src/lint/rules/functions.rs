use crate::lint::catalog::{Catalog, Function};
use crate::lint::rule::Rule;
use crate::lint::sql::{Kind, Sql};

mod check_calls_table_reading_function;
mod false_immutable;
mod matview_not_concurrently_refreshable;
mod missing_return_in_trigger;
mod nested_views;
mod plpgsql_check_errors;
mod select_star_in_routine;
mod swallowed_exception;

pub const RULES: &[&Rule] = &[
    &nested_views::RULE,
    &plpgsql_check_errors::RULE,
    &select_star_in_routine::RULE,
    &false_immutable::RULE,
    &swallowed_exception::RULE,
    &matview_not_concurrently_refreshable::RULE,
    &check_calls_table_reading_function::RULE,
    &missing_return_in_trigger::RULE,
];

/// A table or view that the body of a function reads, qualified.
fn table_read(c: &Catalog, f: &Function) -> Option<String> {
    if let Some(r) = f.reads.iter().find_map(|oid| c.relation(*oid)) {
        return Some(r.sql_name());
    }
    let named = f.body()?.from();
    named.iter().filter(|n| !n.called).find_map(|n| c.called(n).next().map(|r| r.sql_name()))
}

/// Where a body asks for the time, the session, a setting, a sequence or chance: what it asks.
fn unsteady(sql: Sql) -> Option<String> {
    const WORDS: &[&str] = &[
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "session_user",
        "current_role",
    ];
    const CALLS: &[&str] = &[
        "now",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "timeofday",
        "random",
        "gen_random_uuid",
        "nextval",
        "currval",
        "setval",
        "lastval",
        "current_setting",
    ];
    (0..sql.len()).find_map(|i| {
        if let Some(day) = sql.text(i).filter(|_| becomes_time(sql, i)) {
            return Some(format!("'{day}'"));
        }
        if sql.kind(i) != Some(Kind::Word) {
            return None;
        }
        let foreign = sql.before_is(i, &["."]) && !(i >= 2 && sql.is(i - 2, "pg_catalog"));
        let call = sql.is(i + 1, "(") && (sql.is_any(i, CALLS) || age_of_today(sql, i));
        let asks = !foreign && (call || sql.is_any(i, WORDS));
        asks.then(|| format!("{}{}", sql.raw(i).to_lowercase(), if call { "()" } else { "" }))
    })
}

/// 'now', 'today' and the like, made a date or time: another one each day.
fn becomes_time(sql: Sql, i: usize) -> bool {
    const MOMENTS: &[&str] = &["now", "today", "tomorrow", "yesterday"];
    const TYPES: &[&str] = &["date", "time", "timestamp", "timestamptz", "timetz"];
    let moment = sql.text(i).is_some_and(|t| MOMENTS.iter().any(|m| t.trim().eq_ignore_ascii_case(m)));
    let typed = |at: usize| {
        let at = if sql.is(at, "pg_catalog") && sql.is(at + 1, ".") { at + 2 } else { at };
        sql.is_any(at, TYPES)
    };
    moment
        && ((sql.is(i + 1, "::") && typed(i + 2))
            // in CAST (...): elsewhere it names a column
            || (sql.is(i + 1, "as") && typed(i + 2) && sql.before_is(i, &["("]) && i >= 2 && sql.is(i - 2, "cast"))
            || sql.before_is(i, TYPES)
            || (sql.before_is(i, &["zone"]) && i >= 4 && sql.is_any(i - 4, TYPES)))
}

/// age() of one date: up to today.
fn age_of_today(sql: Sql, i: usize) -> bool {
    if !sql.is(i, "age") || !sql.is(i + 1, "(") {
        return false;
    }
    let mut depth = 0;
    (i + 1..sql.behind_parenthesis(i + 1)).all(|j| {
        match sql.raw(j) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            _ => {}
        }
        depth != 1 || !sql.is(j, ",")
    })
}
