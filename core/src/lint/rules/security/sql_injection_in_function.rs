use crate::lint::catalog::{Catalog, Function};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::injection::Raw;
use crate::lint::names::{folded, words};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::dynamic::{dynamic_functions, lends_rights, raw};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC026",
    name: "sql_injection_in_function",
    category: Category::Security,
    severity: Severity::Error,
    title: "Function puts a parameter into dynamic SQL unquoted",
    why: "Whoever chooses the parameter chooses the statement. An error where the function runs with its \
          owner's rights, a warning where it runs with the caller's: then the way leads through an \
          application that hands in what its users type. Silent where the parameter is quoted, compared \
          with something, cast or looked up first; for functions with the caller's rights also where the parameter is \
          the statement itself or is named as a piece of SQL (p_sql, where_clause).",
    bad: "EXECUTE 'SELECT * FROM orders WHERE customer = ''' || p_name || '''';",
    good: "EXECUTE 'SELECT * FROM orders WHERE customer = $1' USING p_name;",
    remedy: "USING for values, format() with %I for names and %L for constants",
    peers: "plpgsql_check",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("joined", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM t WHERE a = ''' || p_name || ''''; END$$"),
        case("format, quoted", r#"CREATE FUNCTION "F f"(IN "Name" varchar(9), OUT n int) LANGUAGE plpgsql AS $$BEGIN EXECUTE format('SELECT count(*) FROM %s WHERE a = %L', "Name", 1) INTO n; END$$"#),
        case("concat, a name that only looks like SQL", "CREATE FUNCTION f(p_country_code text) RETURNS void LANGUAGE plpgsql AS $$BEGIN IF p_country_code = '' THEN RETURN; END IF; EXECUTE concat('DELETE FROM t_', p_country_code); END$$; CREATE FUNCTION g(p_order_no text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE format('DELETE FROM t WHERE a = ''' || g.p_order_no || ''' AND b = %L', 1); END$$"),
        case("definer", "CREATE FUNCTION f(text) RETURNS SETOF int LANGUAGE plpgsql SECURITY DEFINER AS $$DECLARE q text := 'SELECT 1 FROM t ' || $1; BEGIN RETURN QUERY EXECUTE q; END$$; DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; ALTER FUNCTION f OWNER TO lint_app"),
    ],
    silent: &[
        case("using", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM t WHERE a = $1' USING p_name; END$$"),
        case("quoted", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM ' || quote_ident(p_name) || format(' WHERE %I > %L', p_name, p_name); END$$"),
        case("quoted in concat, what is not empty is quoted", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$DECLARE s text := 'SELECT 1'; BEGIN IF p_name <> '' THEN s := s || ' WHERE ' || quote_literal(f.p_name) || '= a'; END IF; EXECUTE concat_ws(' ', s, format('AND b = %L', p_name)); END$$"),
        case("checked", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN IF p_name NOT IN ('a', 'b') THEN RAISE 'no'; END IF; EXECUTE 'DELETE FROM ' || p_name; END$$"),
        case("named as SQL", "CREATE FUNCTION f(p_code text, order_by text, sort_dir text, column_type text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DO ' || p_code || order_by || sort_dir || column_type; END$$"),
        case("runs what it is given", "CREATE FUNCTION f(p_sql text, p_where text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE p_sql; EXECUTE 'DELETE FROM t WHERE ' || p_where; END$$"),
        case("in a comment or string", "CREATE FUNCTION f(p_name text) RETURNS text LANGUAGE plpgsql AS $$BEGIN /* EXECUTE 'x' || p_name; */ RETURN 'EXECUTE ' || p_name; END$$"),
        case("a number, a name of the system", "CREATE FUNCTION f(n int, c regclass) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM ' || c || ' WHERE id = ' || n; END$$"),
        case("extension member", "CREATE FUNCTION f(p_name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DROP TABLE ' || p_name; END$$; ALTER EXTENSION plpgsql ADD FUNCTION f(text)"),
    ],
};

/// Pieces of names of parameters that are meant to be SQL, wherever they stand.
const SQL_BY_NAME: &[&str] = &[
    "sql",
    "query",
    "where",
    "clause",
    "stmt",
    "statement",
    "expr",
    "command",
    "cmd",
    "ddl",
    "defin",
    "predicate",
    "orderby",
];

/// The same as words of their own.
const SQL_BY_WORD: &[&str] = &[
    "cond",
    "conds",
    "condition",
    "conditions",
    "filter",
    "filters",
    "sort",
    "columns",
    "cols",
    "fields",
    "select",
    "options",
    "list",
];

/// The same where the name has no other words than these and those that go with them.
const SQL_ALONE: &[&str] = &["order", "code", "type", "body"];
const WITH_IT: &[&str] = &[
    "p",
    "in",
    "v",
    "i",
    "a",
    "arg",
    "param",
    "by",
    "dir",
    "direction",
    "data",
    "column",
    "col",
    "field",
    "pg",
    "source",
    "function",
];

fn check(c: &Catalog, out: &mut Report) {
    for f in dynamic_functions(c) {
        out.examine(&f.schema);
        let lends = lends_rights(c, f);
        let found = raw(c, f);
        let Some(raw) = found.iter().find(|r| lends || !meant(r)) else { continue };
        let (severity, confidence) = if lends { (Severity::Error, 0.8) } else { (Severity::Warning, 0.5) };
        out.find(finding(f, raw).severity(severity).confidence(confidence).evidence("line", raw.line));
    }
}

fn meant(raw: &Raw) -> bool {
    let (words, folded) = (words(&raw.parameter), folded(&raw.parameter));
    let any = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let only = words.iter().all(|w| SQL_ALONE.contains(&w.as_str()) || WITH_IT.contains(&w.as_str()));
    raw.whole
        || any(SQL_BY_WORD)
        || (any(SQL_ALONE) && only)
        || SQL_BY_NAME.iter().any(|w| folded.contains(w))
}

fn finding(f: &Function, raw: &Raw) -> Finding {
    let (name, parameter) = (f.object().identity, ident(&raw.parameter));
    Finding::new(
        f.object(),
        format!("{name} executes its parameter {parameter} unquoted (line {})", raw.line),
    )
}
