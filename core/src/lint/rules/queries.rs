use crate::lint::catalog::{Catalog, Oid, Relation, Statement};
use crate::lint::finding::{Finding, Object, Report};
use crate::lint::rule::Rule;
use crate::lint::scope::is_tool_schema;
use crate::lint::sql::{Named, Sql};

mod n_plus_one_suspect;
mod offset_pagination;
mod select_star;
mod slow_mean_time;
mod top_total_time;
mod unbounded_result;

pub const RULES: &[&Rule] = &[
    &slow_mean_time::RULE,
    &top_total_time::RULE,
    &select_star::RULE,
    &unbounded_result::RULE,
    &offset_pagination::RULE,
    &n_plus_one_suspect::RULE,
];

/// A statement of an application and what can be told from its text.
struct Query<'c> {
    statement: &'c Statement,
    sql: Sql<'c>,
    /// The token of SELECT, INSERT, UPDATE ... outside all parentheses.
    verb: usize,
    /// Tables, views and functions of FROM and JOIN, at any depth.
    from: Vec<Named>,
    /// Has LIMIT or FETCH outside all parentheses.
    limited: bool,
    offset: bool,
}

impl Query<'_> {
    fn is_select(&self) -> bool {
        self.sql.is(self.verb, "select")
    }

    /// The relation that the query as a whole starts from, if there is but one of that name.
    fn first_table<'c>(&self, c: &'c Catalog) -> Option<&'c Relation> {
        let from = outside(self.sql, self.verb, &["from"]).first().copied()?;
        let named = self.from.iter().find(|n| n.at > from && n.at <= from + 2 && !n.called)?;
        only(c, named)
    }

    fn finding(&self, c: &Catalog, message: &str) -> Finding {
        let s = self.statement;
        let text = excerpt(&s.query);
        let mut f =
            Finding::new(Object::database(&c.database), format!("query {}: {message}: {text}", s.queryid));
        f.key = format!("queryid {}", s.queryid);
        f.evidence("queryid", s.queryid.to_string())
            .evidence("query", s.query.as_str())
            .evidence("calls", s.calls)
            .evidence("mean_ms", (s.mean_ms() * 1000.0).round() / 1000.0)
            .evidence("rows_per_call", (s.rows_per_call() * 10.0).round() / 10.0)
    }
}

/// The relation of that name, if rules look at it and there is no other.
fn only<'c>(c: &'c Catalog, named: &Named) -> Option<&'c Relation> {
    let mut oids = c.called(named).map(|r| r.oid).collect::<Vec<Oid>>().into_iter();
    match (oids.next(), oids.next()) {
        (Some(oid), None) => c.relation(oid).filter(|r| r.linted),
        _ => None,
    }
}

/// Statements of applications. Where they cannot be seen, that is said and there are none.
fn queries<'c>(c: &'c Catalog, out: &mut Report) -> Vec<Query<'c>> {
    match &c.workload {
        None => Vec::new(),
        Some(Err(reason)) => {
            out.skip(Object::database(&c.database), reason.as_str());
            Vec::new()
        }
        Some(Ok(all)) => all.iter().filter_map(query).inspect(|_| out.examine("")).collect(),
    }
}

/// None: a utility statement, one of ours or of a tool.
fn query(statement: &Statement) -> Option<Query<'_>> {
    const VERBS: &[&str] = &["select", "insert", "update", "delete", "merge", "values", "table"];
    let sql = statement.sql();
    let first = (0..sql.len()).find(|i| !sql.is(*i, "("))?;
    let verb = if sql.is(first, "with") { *outside(sql, first, VERBS).first()? } else { first };
    if !sql.is_any(verb, VERBS) {
        return None;
    }
    let from = sql.from();
    if of_a_tool(sql) {
        return None;
    }
    let limited = !outside(sql, verb, &["limit", "fetch"]).is_empty();
    let offset = !outside(sql, verb, &["offset"]).is_empty();
    Some(Query { statement, sql, verb, from, limited, offset })
}

/// It reads or changes a catalog or something of a tool, dbguard among them.
fn of_a_tool(sql: Sql) -> bool {
    (0..sql.len()).any(|i| {
        let names = sql.is_any(i, &["from", "join", "into", "update", ","]) || sql.before_is(i, &["select"]);
        let at = if sql.before_is(i, &["select"]) { i } else { i + 1 };
        let Some(n) = sql.named(at).filter(|_| names) else { return false };
        let tool = |s: &String| is_tool_schema(s, false) && (n.called || !sql.is(i, ","));
        n.schema.as_ref().is_some_and(tool) || (n.name.starts_with("pg_") && !sql.is(i, ","))
    })
}

/// Such words from a token on, at its depth of parentheses.
fn outside(sql: Sql, start: usize, words: &[&str]) -> Vec<usize> {
    let mut depth = 0;
    let mut found = Vec::new();
    for i in start..sql.len() {
        match sql.raw(i) {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 0 && sql.is_any(i, words) => found.push(i),
            _ => {}
        }
    }
    found
}

/// The beginning of a query, on one line.
fn excerpt(query: &str) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or("")),
        None => line,
    }
}

#[cfg(test)]
mod tests;
