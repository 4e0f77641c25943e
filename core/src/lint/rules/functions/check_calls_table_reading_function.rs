use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::functions::table_read;
use crate::quote::ident;
use std::collections::HashSet;

pub static RULE: Rule = Rule {
    code: "FVT014",
    name: "check_calls_table_reading_function",
    category: Category::Functions,
    severity: Severity::Error,
    title: "CHECK calls a function that reads a table",
    why: "The server checks the row when the row changes, never when that table does: rows that break \
          the rule stay. Two sessions at once both pass. And a dump does not restore: the data is \
          loaded before or without the rows the function wants to see.",
    bad: "CREATE TABLE orders (customer int CHECK (customer_exists(customer)));",
    good: "CREATE TABLE orders (customer int REFERENCES customers);",
    remedy: "a foreign key, an exclusion constraint, or a trigger that locks what it reads",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("sql", "CREATE TABLE r (id int); CREATE FUNCTION f(i int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM r WHERE id = i)'; CREATE TABLE t (a int CHECK (f(a)))"),
        case("plpgsql, quoted, partitioned, told once", r#"CREATE SCHEMA "S.s"; CREATE VIEW "S.s"."V" AS SELECT 1 AS id; CREATE FUNCTION "F f"(i int) RETURNS bool LANGUAGE plpgsql AS $$DECLARE n int; BEGIN SELECT count(*) INTO n FROM "S.s"."V" v JOIN pg_class ON true; RETURN n > i; END$$; CREATE TABLE "T.t" (a int, CONSTRAINT "C c" CHECK ("F f"(a))) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
        case("parsed body", "CREATE TABLE r (id int); CREATE FUNCTION f(i int) RETURNS bool LANGUAGE sql RETURN EXISTS (SELECT FROM r WHERE id = i); CREATE TABLE t (a int CHECK (a > 0 AND f(a)))"),
    ],
    silent: &[
        case("reads none", "CREATE TABLE r (id int); CREATE FUNCTION f(a text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$SELECT a ~ 'from r' /* SELECT FROM r */$$; CREATE TABLE t (a text CHECK (f(a)))"),
        case("reads the row's own array", "CREATE FUNCTION f(a int[]) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT bool_and(x > 0) FROM unnest(a) x'; CREATE TABLE t (a int[] CHECK (f(a)))"),
        case("only a default", "CREATE TABLE r (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT max(id) FROM r'; CREATE TABLE t (a int DEFAULT f())"),
        case("a catalog", "CREATE FUNCTION f(a text) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = a)'; CREATE TABLE t (a text CHECK (f(a)))"),
        case("temporary", "CREATE TABLE r (id int); CREATE FUNCTION f(i int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM r WHERE id = i)'; CREATE TEMP TABLE t (a int CHECK (f(a)))"),
        case("function of an extension", "CREATE TABLE r (id int); CREATE FUNCTION f(i int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM r WHERE id = i)'; ALTER EXTENSION plpgsql ADD FUNCTION f(int); CREATE TABLE t (a int CHECK (f(a)))"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut told = HashSet::new();
    for u in c.function_uses.iter().filter(|u| u.kind == 'c') {
        let Some(t) = c.relation(u.relation).filter(|t| t.linted && !t.is_partition) else { continue };
        let Some(k) = t.constraints.iter().find(|k| k.oid == u.object && !k.inherited) else { continue };
        out.examine(&t.schema);
        let Some(f) = c.function(u.function).filter(|f| f.linted) else { continue };
        if let Some(table) = table_read(c, f).filter(|_| told.insert(k.oid)) {
            let name = f.object().identity;
            let message =
                format!("CHECK {} of {} calls {name}, which reads {table}", ident(&k.name), t.sql_name());
            out.find(
                Finding::new(t.constraint_object(k), message).confidence(0.9).evidence("function", name),
            );
        }
    }
}
