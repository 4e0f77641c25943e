use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::sql::Sql;

pub static RULE: Rule = Rule {
    code: "FVT009",
    name: "swallowed_exception",
    category: Category::Functions,
    severity: Severity::Warning,
    title: "EXCEPTION WHEN OTHERS does nothing: every error passes in silence",
    why: "Not only the error that was expected: a full disk, a deadlock, a misspelt column, a broken \
          constraint too. What the block did is rolled back, and nobody is told. Handlers that do anything \
          at all, and those that name the conditions they expect, are left alone.",
    bad: "EXCEPTION WHEN OTHERS THEN NULL;",
    good: "EXCEPTION WHEN unique_violation THEN NULL;",
    remedy: "name the conditions that are expected, or RAISE WARNING with SQLERRM",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("null", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END$$"),
        case("nothing at all, inner block, quoted", r#"CREATE PROCEDURE "F.f ""f"(x int) LANGUAGE plpgsql AS $$BEGIN BEGIN PERFORM 1/0; EXCEPTION when division_by_zero then raise; when others then -- never mind
            end; END$$"#),
    ],
    silent: &[
        case("named", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM 1/0; EXCEPTION WHEN division_by_zero OR unique_violation THEN NULL; END$$"),
        case("told", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', SQLERRM; END$$"),
        case("answered", "CREATE FUNCTION f(a text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN PERFORM a::jsonb; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END$$"),
        case("in a string or comment", "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$BEGIN /* EXCEPTION WHEN OTHERS THEN NULL; */ RETURN 'EXCEPTION WHEN OTHERS THEN NULL;'; END$$"),
        case("another language", "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT 'x' AS \"when others then end\"$$"),
        case("extension member", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END$$; ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for f in c.functions.iter().filter(|f| f.linted && f.language == "plpgsql") {
        let Some(sql) = f.body() else { continue };
        out.examine(&f.schema);
        let lines: Vec<usize> = (0..sql.len()).filter(|i| swallows(sql, *i)).map(|i| sql.line(i)).collect();
        if let Some(line) = lines.first() {
            let message = format!("{} passes over every error in silence (line {line})", f.object().identity);
            out.find(Finding::new(f.object(), message).evidence("lines", lines.clone()));
        }
    }
}

/// `WHEN OTHERS THEN [NULL;]` and then the end of the handler.
fn swallows(sql: Sql, i: usize) -> bool {
    if !(sql.is(i, "when") && sql.is(i + 1, "others") && sql.is(i + 2, "then")) {
        return false;
    }
    let mut at = i + 3;
    while sql.is(at, "null") && sql.is(at + 1, ";") {
        at += 2;
    }
    sql.is_any(at, &["end", "when"])
}
