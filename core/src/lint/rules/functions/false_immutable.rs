use crate::lint::catalog::{Catalog, Function, FunctionUse};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::functions::{table_read, unsteady};
use crate::lint::text::idents;
use std::collections::HashSet;

pub static RULE: Rule = Rule {
    code: "FVT005",
    name: "false_immutable",
    category: Category::Functions,
    severity: Severity::Error,
    title: "Function is declared IMMUTABLE, is not, and something stored relies on it",
    why: "An index, a generated column or a partition key keeps what the function said once. If it says \
          something else today, the index no longer finds rows that are there, and a restore puts \
          other values in. Only functions whose body asks for the time, the session, a setting, a \
          sequence or chance, or reads a table; that a function merely calls others declared STABLE is not \
          held against it.",
    bad: "CREATE FUNCTION age_of(d date) RETURNS int IMMUTABLE ... AS 'SELECT extract(year FROM age(now(), d))::int'; CREATE INDEX ON people (age_of(born));",
    good: "CREATE INDEX ON people (born);",
    remedy: "store or index what does not change, drop what relies on the function, and declare it STABLE",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("time in an index", "CREATE FUNCTION f(d timestamptz) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT d < now()'; CREATE TABLE t (d timestamptz); CREATE INDEX ON t (f(d))"),
        case("table, generated column", "CREATE TABLE r (id int, n text); CREATE FUNCTION f(i int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN (SELECT n FROM r WHERE id = i); END$$; CREATE TABLE t (a int, b text GENERATED ALWAYS AS (f(a)) STORED)"),
        case("quoted, partition key", r#"CREATE FUNCTION "F f"(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN i + pg_catalog.current_setting('my.offset')::int; END$$; CREATE TABLE "T.t" (a int) PARTITION BY RANGE ("F f"(a))"#),
        case("predicate, parsed body", "CREATE FUNCTION f() RETURNS text LANGUAGE sql IMMUTABLE RETURN CURRENT_USER::text; CREATE TABLE t (a text); CREATE INDEX ON t (a) WHERE a = f()"),
        case("age up to today, day by name", "CREATE FUNCTION f(d date) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT extract(year FROM age(greatest(d, d)))::int'; CREATE TABLE t (d date); CREATE INDEX ON t (f(d)); CREATE FUNCTION g(d date) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN d < 'today'::date; END$$; CREATE INDEX ON t (g(d)); CREATE FUNCTION h(d date) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT d < CAST(' NOW ' AS timestamp)$$; CREATE INDEX ON t (h(d)); CREATE FUNCTION i(d date) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT d < timestamp with time zone 'tomorrow'$$; CREATE INDEX ON t (i(d))"),
        case("age up to today, parsed body", "CREATE FUNCTION f(d timestamp) RETURNS interval LANGUAGE sql IMMUTABLE RETURN age(d); CREATE TABLE t (d timestamp); CREATE INDEX ON t (f(d))"),
    ],
    silent: &[
        case("really so", "CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT lower(trim(both from a)) /* now() */ || 'now()'$$; CREATE TABLE t (a text); CREATE INDEX ON t (f(a)); CREATE TABLE a (x int)"),
        case("nothing stored relies on it", "CREATE FUNCTION f(d timestamptz) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT d < now()'; CREATE TABLE t (d timestamptz, e bool DEFAULT f(now())); CREATE VIEW v AS SELECT f(d) FROM t"),
        case("calls what is called stable", "CREATE FUNCTION f(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT concat_ws(' ', a, b)$$; CREATE TABLE t (a text, b text); CREATE INDEX ON t (f(a, b))"),
        case("age between two, words that are none of time", "CREATE FUNCTION f(d date, e date) RETURNS interval LANGUAGE sql IMMUTABLE AS 'SELECT age(least(d, e), e)'; CREATE TABLE t (d date, e date, s text); CREATE INDEX ON t (f(d, e)); CREATE FUNCTION g(s text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT s = 'today' OR s = 'now'::text OR date '2020-01-01' < '2021-01-01'::date$$; CREATE INDEX ON t (g(s)); CREATE FUNCTION h(s text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'now' AS date$$; CREATE INDEX ON t (h(s))"),
        case("names alike", r#"CREATE TABLE r (id int); CREATE FUNCTION f(r text, "now" int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT $1 IS DISTINCT FROM r AND extract(year from date '2020-01-01') > "now"$$; CREATE TABLE t (a text); CREATE INDEX ON t (f(a, 1))"#),
        case("extension member", "CREATE FUNCTION f(d timestamptz) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT d < now()'; CREATE TABLE t (d timestamptz); CREATE INDEX ON t (f(d)); ALTER EXTENSION plpgsql ADD FUNCTION f(timestamptz)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut seen = HashSet::new();
    for u in c.function_uses.iter().filter(|u| u.kind != 'c') {
        let f = c.function(u.function).filter(|f| f.linted && f.volatility == 'i');
        let Some(f) = f.filter(|f| seen.insert(f.oid)) else { continue };
        out.examine(&f.schema);
        let (Some(what), Some(user)) = (change(c, f), user(c, u)) else { continue };
        let name = f.object().identity;
        let message = format!("IMMUTABLE function {name} {what}, and {user} relies on it");
        out.find(Finding::new(f.object(), message).confidence(0.9).evidence("relies", user));
    }
}

fn change(c: &Catalog, f: &Function) -> Option<String> {
    if let Some(table) = table_read(c, f) {
        return Some(format!("reads {table}"));
    }
    if f.unsteady {
        return Some("asks for the time, the session, a setting, a sequence or chance".to_owned());
    }
    unsteady(f.body()?).map(|asks| format!("calls {asks}"))
}

fn user(c: &Catalog, u: &FunctionUse) -> Option<String> {
    let t = c.relation(u.relation)?;
    let index = || t.indexes.iter().find(|i| i.oid == u.object);
    Some(match u.kind {
        'i' => format!("index {}", index()?.sql_name()),
        'g' => format!("generated column {}.{}", t.sql_name(), idents(&t.names(&[u.column]))),
        _ => format!("the partition key of {}", t.sql_name()),
    })
}
