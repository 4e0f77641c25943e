use crate::lint::catalog::{Catalog, Oid, Relation};
use crate::lint::finding::{Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::queries::{excerpt, outside, queries, Query};
use crate::lint::sql::Kind;
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "QRY006",
    name: "n_plus_one_suspect",
    category: Category::Queries,
    severity: Severity::Warning,
    title: "One query a row: the rows of another query are looked up one by one",
    why: "A list is read, and for each of its rows one more query is sent: the way there and back costs more than \
          the query. Told where the same role runs a lookup by one key about as often as a list query of the \
          table at the other end of a foreign key returned rows. Numbers of calls are all there is to go by: a suspicion.",
    bad: "SELECT * FROM orders WHERE day = $1; -- and for each: SELECT * FROM customers WHERE id = $1",
    good: "SELECT ... FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.day = $1;",
    remedy: "JOIN, or one query with = ANY($1) for all the keys",
    peers: "pgFirstAid (high calls, low value)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Workload],
    params: &[
        Param { name: "calls", default: 1000.0, about: "calls of the lookup from which it is judged" },
        Param { name: "ratio", default: 10.0, about: "lookups for one call of the list query from which it is told" },
        Param { name: "mean_ms", default: 1.0, about: "milliseconds a call up to which a lookup is one" },
    ],
    recommended: true,
    check,
    fires: &[],
    silent: &[
        case("not installed: skipped", "CREATE TABLE t (a int)"),
        case("not preloaded: skipped", "DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN CREATE EXTENSION pg_stat_statements; END IF; END $$"),
        case("in a schema with a hostile name", r#"CREATE SCHEMA "S.s ""x"; DO $$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN CREATE EXTENSION pg_stat_statements SCHEMA "S.s ""x"; END IF; END $$"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let (calls, ratio, mean) = (c.param(&RULE, "calls"), c.param(&RULE, "ratio"), c.param(&RULE, "mean_ms"));
    let all = queries(c, out);
    let mut lists: HashMap<Oid, Vec<&Query>> = HashMap::new();
    for q in all.iter().filter(|q| q.is_select() && q.statement.rows_per_call() >= ratio) {
        if let Some(t) = q.first_table(c) {
            lists.entry(t.oid).or_default().push(q);
        }
    }
    for q in all.iter().filter(|q| q.statement.calls >= calls && q.statement.mean_ms() <= mean) {
        let Some((t, column)) = lookup(c, q) else { continue };
        let suspects = other_ends(c, t, column).into_iter().filter_map(|oid| lists.get(&oid)).flatten();
        let Some(list) = suspects.copied().find(|l| feeds(l, q, ratio)) else { continue };
        let what = format!(
            "{} calls by one key of {}, about as many as query {} returned rows ({})",
            q.statement.calls,
            t.sql_name(),
            list.statement.queryid,
            excerpt(&list.statement.query)
        );
        let found = q.finding(c, &what).confidence(0.5).evidence("table", t.sql_name());
        out.find(found.evidence("list_queryid", list.statement.queryid.to_string()));
    }
}

/// About as many lookups as the list returned rows, by a role that runs both.
fn feeds(list: &Query, lookup: &Query, ratio: f64) -> bool {
    let (l, q) = (list.statement, lookup.statement);
    let share = q.calls / l.rows.max(1.0);
    l.queryid != q.queryid
        && q.calls >= ratio * l.calls
        && (0.8..=1.25).contains(&share)
        && l.users.iter().any(|u| q.users.contains(u))
}

/// `SELECT ... FROM t WHERE column = $1 [LIMIT $2]`, of one table.
fn lookup<'c>(c: &'c Catalog, q: &Query) -> Option<(&'c Relation, i16)> {
    let sql = q.sql;
    if !q.is_select() || q.from.len() != 1 {
        return None;
    }
    let t = q.first_table(c)?;
    let from = outside(sql, q.verb, &["from"]).first().copied()?;
    let at = outside(sql, q.verb, &["where"]).first().copied()?;
    if (from..at).any(|i| sql.is(i, ",")) {
        return None;
    }
    let rest: Vec<usize> = (at + 1..sql.len()).filter(|i| !sql.is_any(*i, &["(", ")", ";"])).collect();
    let (name, rest) = match rest.as_slice() {
        [_, dot, name, rest @ ..] if sql.is(*dot, ".") => (*name, rest),
        [name, rest @ ..] => (*name, rest),
        [] => return None,
    };
    let parameter = |i: &usize| sql.kind(*i) == Some(Kind::Parameter);
    let by_one = match rest {
        [equals, value] => sql.is(*equals, "=") && parameter(value),
        [equals, value, limit, n] => {
            sql.is(*equals, "=") && parameter(value) && sql.is(*limit, "limit") && parameter(n)
        }
        _ => false,
    };
    let column = t.column(&sql.name(name)?)?.num;
    by_one.then_some((t, column))
}

/// Tables whose rows may be what the lookup is made for: those that refer to the column, and those it refers to.
fn other_ends(c: &Catalog, t: &Relation, column: i16) -> HashSet<Oid> {
    let parents =
        t.constraints.iter().filter(|k| k.kind == 'f' && k.columns == [column]).map(|k| k.ref_relation);
    let children = c.references_to(t.oid, column).filter(|(_, k)| k.columns.len() == 1).map(|(r, _)| r.oid);
    parents.chain(children).collect()
}
