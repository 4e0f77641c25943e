use crate::lint::catalog::{Catalog, Function};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::sql::{Named, Sql};

pub static RULE: Rule = Rule {
    code: "FVT002",
    name: "select_star_in_routine",
    category: Category::Functions,
    severity: Severity::Info,
    title: "Function relies on the columns of SELECT * and their order",
    why: "The day somebody adds a column to the table, the INSERT has one value too many and the result \
          no longer fits what the function declares: both fail when called, not when the column is \
          added. Looked at are INSERT ... SELECT * and, where the result's columns are listed one by \
          one (RETURNS TABLE, OUT), the query that is returned. SELECT * into a record or row, in \
          EXISTS, from a subquery, a WITH query, a function or a temporary table is left alone.",
    bad: "INSERT INTO orders_archive SELECT * FROM orders WHERE ...;",
    good: "INSERT INTO orders_archive (id, customer_id, total) SELECT id, customer_id, total FROM orders WHERE ...;",
    remedy: "list the columns",
    peers: "sqlcheck 3001",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("insert", "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO u SELECT * FROM t; END$$"),
        case("quoted, with a list, in sql", r#"CREATE SCHEMA "S.s"; CREATE TABLE "S.s"."T" (a int); CREATE TABLE u (a int); CREATE FUNCTION "F f"() RETURNS void LANGUAGE sql AS $$insert into u (a) select /* all */ * from "S.s"."T" where a > 1$$"#),
        case("return query", "CREATE TABLE t (a int, b text); CREATE FUNCTION f() RETURNS TABLE (x int, y text) LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT * FROM t; END$$"),
        case("last of sql", "CREATE TABLE t (a int, b text); CREATE FUNCTION f(OUT x int, OUT y text) LANGUAGE sql AS $$SELECT 1; SELECT * FROM t LIMIT 1;$$"),
    ],
    silent: &[
        case("row type", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS SETOF t LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT * FROM t; END$$; CREATE FUNCTION g() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'"),
        case("into a record", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$DECLARE r record; BEGIN SELECT * INTO r FROM t; FOR r IN SELECT * FROM t LOOP NULL; END LOOP; IF EXISTS (SELECT * FROM t) THEN NULL; END IF; SELECT count(*) INTO r FROM t; END$$"),
        case("listed inside", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS TABLE (x int) LANGUAGE plpgsql AS $$BEGIN RETURN QUERY SELECT * FROM (SELECT a FROM t) s; RETURN QUERY WITH t AS (SELECT 1) SELECT * FROM t; RETURN QUERY SELECT * FROM generate_series(1, 2); END$$"),
        case("comment, string, temporary table", "CREATE TABLE u (a int); CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN -- INSERT INTO u SELECT * FROM u;
            RAISE NOTICE 'INSERT INTO u SELECT * FROM u'; CREATE TEMP TABLE x AS SELECT * FROM u; INSERT INTO u SELECT * FROM x; INSERT INTO x SELECT * FROM u; END$$"),
        case("parsed already", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS TABLE (x int) BEGIN ATOMIC SELECT * FROM t; END"),
        case("extension member", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS TABLE (x int) LANGUAGE sql AS 'SELECT * FROM t'; ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for f in c.functions.iter().filter(|f| f.linted) {
        let Some(sql) = f.body() else { continue };
        out.examine(&f.schema);
        let stars: Vec<usize> = (0..sql.len()).filter(|i| star(sql, *i)).collect();
        if stars.is_empty() {
            continue;
        }
        let from = sql.from();
        let found = stars.into_iter().find_map(|i| relied_on(c, f, sql, i, &from).map(|what| (i, what)));
        if let Some((i, what)) = found {
            let line = sql.line(i);
            let message = format!("{}, line {line}: {what}", f.object().identity);
            out.find(Finding::new(f.object(), message).confidence(0.8).evidence("line", line));
        }
    }
}

/// `SELECT * FROM`
fn star(sql: Sql, i: usize) -> bool {
    sql.is(i, "select") && sql.is(i + 1, "*") && sql.is(i + 2, "from")
}

fn relied_on(c: &Catalog, f: &Function, sql: Sql, i: usize, from: &[Named]) -> Option<String> {
    let source = from.iter().find(|n| n.at == i + 3 && !n.called)?;
    let source = c.called(source).next()?.sql_name();
    if let Some(target) = insert_target(sql, i) {
        let target = c.called(&target).next()?.sql_name();
        return Some(format!("INSERT INTO {target} takes all columns of {source} by their order"));
    }
    let listed = !f.row_type && f.parameters.iter().any(|p| matches!(p.mode, 't' | 'o' | 'b'));
    let returned = match f.language.as_str() {
        "plpgsql" => sql.before_is(i, &["query"]),
        "sql" => {
            let end = (i..sql.len()).find(|j| sql.is(*j, ";")).unwrap_or(sql.len());
            end + 1 >= sql.len() && (i == 0 || sql.before_is(i, &[";"]))
        }
        _ => false,
    };
    (listed && returned)
        .then(|| format!("the result's columns are listed, but the query returns all of {source}"))
}

/// The table of `INSERT INTO name [(columns)] SELECT` that ends at this SELECT.
fn insert_target(sql: Sql, select: usize) -> Option<Named> {
    let mut last = select.checked_sub(1)?;
    if sql.is(last, ")") {
        while !sql.is(last, "(") {
            last = last.checked_sub(1)?;
        }
        last = last.checked_sub(1)?;
    }
    let first = if last >= 2 && sql.is(last - 1, ".") { last - 2 } else { last };
    (first >= 2 && sql.is(first - 1, "into") && sql.is(first - 2, "insert")).then(|| sql.named(first))?
}
