use crate::lint::catalog::{BodyError, Catalog, Checked, Function};
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::made::Made;
use crate::lint::rule::{case, Category, Rollup, Rule, Section};
use std::collections::{BTreeMap, HashSet};

pub static RULE: Rule = Rule {
    code: "FVT003",
    name: "plpgsql_check_errors",
    category: Category::Functions,
    severity: Severity::Error,
    title: "Function fails as soon as it comes to a certain line",
    why: "PL/pgSQL looks at a statement when it first runs it: a column that was renamed, a function with other \
          parameters, an ambiguous name stay unseen until then. The extension plpgsql_check looks at all of them \
          now; without it this rule is skipped. Trigger functions are checked with each table whose trigger they are. \
          What only exists when the function runs is left alone: tables that some function makes, temporary ones, \
          names the function itself looks for or whose absence it catches, and what depends on the search_path \
          of the caller. Each function is checked with its owner's rights at most, never with those of a superuser; those of superusers only where no other role owns anything in the database.",
    bad: "CREATE FUNCTION total(o int) ... AS $$BEGIN RETURN (SELECT sum(prise) FROM lines WHERE order_id = o); END$$;",
    good: "CREATE FUNCTION total(o int) ... AS $$BEGIN RETURN (SELECT sum(price) FROM lines WHERE order_id = o); END$$;",
    remedy: "mend the line, or drop the function if nobody has missed it",
    peers: "plpgsql_check",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Bodies],
    params: &[],
    recommended: false,
    check,
    fires: &[
        case("no such column", "CREATE EXTENSION plpgsql_check; CREATE TABLE lines (price int); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN\nRETURN (SELECT sum(prise) FROM lines); END$$"),
        case("no such table, quoted, the extension elsewhere", r#"CREATE SCHEMA "E.e"; CREATE EXTENSION plpgsql_check SCHEMA "E.e"; CREATE SCHEMA "S.s"; CREATE FUNCTION "S.s"."F f"() RETURNS void LANGUAGE plpgsql AS $$BEGIN IF random() < 2 THEN DELETE FROM gone; DELETE FROM "S.s".gone; END IF; END$$"#),
        case("trigger, for one of its tables", "CREATE EXTENSION plpgsql_check; CREATE TABLE a (touched timestamptz); CREATE TABLE b (x int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.touched := now(); RETURN NEW; END$$; CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER t BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()"),
        case("ambiguous, of an ordinary role", "CREATE EXTENSION plpgsql_check; DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE SCHEMA s AUTHORIZATION lint_app; SET ROLE lint_app; CREATE TABLE s.t (a int); CREATE FUNCTION s.f() RETURNS int LANGUAGE plpgsql AS $$DECLARE a int; BEGIN SELECT a INTO a FROM t; RETURN a; END$$; RESET ROLE"),
        case("other parameters", "CREATE EXTENSION plpgsql_check; CREATE FUNCTION g(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql SET search_path = public AS $$BEGIN RETURN g(1); END$$"),
    ],
    silent: &[
        case("as it should be", r#"CREATE EXTENSION plpgsql_check; CREATE TABLE "T.t" ("A" int); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$DECLARE r record; BEGIN FOR r IN SELECT * FROM "T.t" LOOP RETURN r."A"; END LOOP; FOR r IN EXECUTE 'SELECT 1 AS b' LOOP RETURN r.b; END LOOP; RETURN 1; END$$"#),
        case("temporary tables", "CREATE EXTENSION plpgsql_check; CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN CREATE TEMP TABLE mine (a int) ON COMMIT DROP; INSERT INTO mine VALUES (1); RETURN (SELECT a FROM mine); END$$; CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM f(); DELETE FROM mine; INSERT INTO pg_temp.other VALUES (1); DELETE FROM tmp_rows; END$$"),
        case("another search_path", "CREATE EXTENSION plpgsql_check; CREATE SCHEMA s; CREATE SCHEMA r; CREATE TABLE r.t (a int); CREATE FUNCTION r.h(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE r.e AS ENUM ('a'); CREATE TABLE s.u (a int); CREATE FUNCTION s.f() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM a FROM u; PERFORM h(a) FROM t; PERFORM 'a'::e; RETURN 1; END$$"),
        case("asks first, or catches it", "CREATE EXTENSION plpgsql_check; CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN IF to_regclass('later') IS NOT NULL THEN DELETE FROM later; END IF; END$$; CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM later(); EXCEPTION WHEN undefined_function THEN NULL; END$$"),
        case("knows its table", "CREATE EXTENSION plpgsql_check; CREATE TABLE a (touched timestamptz); CREATE TABLE b (x int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_TABLE_NAME = 'a' THEN NEW.touched := now(); END IF; RETURN NEW; END$$; CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER t BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()"),
        case("transition tables, arguments of triggers", "CREATE EXTENSION plpgsql_check; CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE TABLE n (a bigint); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO n SELECT count(*) FROM added; IF TG_ARGV[0] = 'x' THEN RETURN NULL; END IF; RETURN NULL; END$$; CREATE TRIGGER g AFTER INSERT ON t REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION f('x')"),
        case("event trigger, unused and polymorphic functions", "CREATE EXTENSION plpgsql_check; CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM gone; END$$; CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.gone := 1; RETURN NEW; END$$; CREATE FUNCTION p(a anyarray) RETURNS anyelement LANGUAGE plpgsql AS $$BEGIN RETURN a[1].gone; END$$"),
        case("a role's own, not open to others", "CREATE EXTENSION plpgsql_check; DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE SCHEMA s AUTHORIZATION lint_app; CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO lint_app; CREATE FUNCTION s.f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT max(a) FROM s.t); END$$; ALTER FUNCTION s.f OWNER TO lint_app"),
        case("extension member", "CREATE EXTENSION plpgsql_check; CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN DELETE FROM gone; END$$; ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let checked = match &c.checked {
        None => return,
        Some(Err(reason)) => return out.skip(Object::database(&c.database), reason),
        Some(Ok(checked)) => checked,
    };
    let mut of: BTreeMap<u32, Vec<&Checked>> = BTreeMap::new();
    for one in checked {
        of.entry(one.function).or_default().push(one);
    }
    let mut absent = Absent { c, made: None };
    for (oid, checks) in of {
        let Some(f) = c.function(oid).filter(|f| f.linted) else { continue };
        out.examine(&f.schema);
        let mut errors = vec![];
        let mut unseen = None;
        for one in checks {
            match &one.outcome {
                Err(reason) => unseen = Some(reason.clone()),
                Ok(found) => {
                    let right = found.iter().find(|e| kept_from_looking(&e.sqlstate));
                    unseen = right.map(|e| e.message.clone()).or(unseen);
                    errors.extend(found.iter().filter(|e| absent.sure(f, e)).map(|e| (one.relation, e)));
                }
            }
        }
        if let Some(first) = errors.first() {
            out.find(finding(c, f, *first, &errors));
        } else if let Some(reason) = unseen {
            out.skip(f.object(), reason);
        }
    }
}

fn finding(
    c: &Catalog,
    f: &Function,
    (relation, e): (u32, &BodyError),
    all: &[(u32, &BodyError)],
) -> Finding {
    let name = f.object().identity;
    let table = c.relation(relation).map_or(String::new(), |t| format!(" as a trigger of {}", t.sql_name()));
    let message = format!("{name} fails at line {}{table}: {} ({})", e.line, e.message, e.sqlstate);
    let distinct: HashSet<(i32, &str)> = all.iter().map(|(_, e)| (e.line, e.message.as_str())).collect();
    Finding::new(f.object(), message)
        .confidence(0.9)
        .evidence("line", e.line)
        .evidence("sqlstate", e.sqlstate.as_str())
        .evidence("other_errors", distinct.len() - 1)
}

/// No privilege, a lock, a read-only transaction, no memory: nothing that is wrong with the function.
fn kept_from_looking(sqlstate: &str) -> bool {
    sqlstate == "42501"
        || ["25", "53", "55", "57", "58", "XX"].iter().any(|class| sqlstate.starts_with(class))
}

/// Tells what is wrong from what is not there yet.
struct Absent<'c> {
    c: &'c Catalog,
    made: Option<Made>,
}

impl Absent<'_> {
    fn sure(&mut self, f: &Function, e: &BodyError) -> bool {
        let Some(sql) = f.body() else { return false };
        // of rows that dynamic SQL gives, nothing is known
        if sql.has("execute") && (e.message.contains("record \"") || e.sqlstate == "42804") {
            return false;
        }
        // a trigger function may know what it was called for
        let row = e.message.contains("record \"new\"") || e.message.contains("record \"old\"");
        if row && TRIGGER_WORDS.iter().any(|word| sql.has(word)) {
            return false;
        }
        match e.sqlstate.as_str() {
            "42601" | "42702" | "42803" | "42804" | "42846" | "42P10" => true,
            "42P01" => !asks(f) && !self.table_may_come(f, &e.message),
            "42883" => !asks(f) && self.function_is_nowhere(f, &e.message),
            "42704" => !asks(f) && (own_path(f) || quoted(&e.message).is_some_and(|n| n.contains('.'))),
            // a temporary table may stand before one that has no such column
            "42703" => !asks(f) && !self.hides_a_table(f),
            "3F000" => !asks(f),
            _ => false,
        }
    }

    fn made(&mut self) -> &Made {
        let c = self.c;
        self.made.get_or_insert_with(|| {
            let mut made = Made::default();
            c.functions.iter().filter_map(Function::body).for_each(|sql| made.read(sql));
            made
        })
    }

    fn table_may_come(&mut self, f: &Function, message: &str) -> bool {
        let Some(named) = quoted(message) else { return true };
        let (schema, name) = named.rsplit_once('.').map_or((None, named), |(s, n)| (Some(s), n));
        let temporary =
            name.to_lowercase().split(['_', '-']).any(|w| matches!(w, "tmp" | "temp" | "temporary"));
        if temporary || schema.is_some_and(|s| s.starts_with("pg_temp")) || makes_unknown(f) {
            return true;
        }
        if self.made().names.contains(name) {
            return true;
        }
        let elsewhere = |r: &&crate::lint::catalog::Relation| r.name == name && r.schema != f.schema;
        schema.is_none() && !own_path(f) && self.c.relations.iter().any(|r| elsewhere(&r))
    }

    /// `function s.f(integer) does not exist`, `operator does not exist: text = integer`
    fn function_is_nowhere(&self, f: &Function, message: &str) -> bool {
        if own_path(f) {
            return true;
        }
        if let Some(operands) = message.strip_prefix("operator does not exist: ") {
            const EVERYWHERE: &[&str] =
                &[" = ", " <> ", " < ", " > ", " <= ", " >= ", " + ", " - ", " * ", " / ", " || "];
            let operator = EVERYWHERE.iter().find_map(|o| operands.split_once(o));
            return operator.is_some_and(|(a, b)| builtin(a) && builtin(b));
        }
        let Some((name, _)) = message.split_once('(') else { return false };
        let name = name.rsplit(' ').next().unwrap_or("");
        let elsewhere = |g: &&Function| g.name == name && g.schema != f.schema;
        name.contains('.') || !self.c.functions.iter().any(|g| elsewhere(&g))
    }

    fn hides_a_table(&self, f: &Function) -> bool {
        let mut made = Made::default();
        f.body().into_iter().for_each(|sql| made.read(sql));
        made.unknown || self.c.relations.iter().any(|r| made.names.contains(&r.name))
    }
}

fn makes_unknown(f: &Function) -> bool {
    let mut made = Made::default();
    f.body().into_iter().for_each(|sql| made.read(sql));
    made.unknown
}

const TRIGGER_WORDS: &[&str] =
    &["tg_table_name", "tg_relname", "tg_table_schema", "tg_relid", "tg_name", "tg_argv", "tg_nargs"];

/// Looks whether something is there, or goes on where it is not.
fn asks(f: &Function) -> bool {
    const WORDS: &[&str] = &[
        "undefined_table",
        "undefined_function",
        "undefined_column",
        "undefined_object",
        "invalid_schema_name",
        "to_reg",
        "information_schema",
        "pg_class",
        "pg_tables",
        "pg_attribute",
        "pg_proc",
        "pg_type",
        "pg_namespace",
        "pg_extension",
        "server_version",
    ];
    let lower = f.source.as_deref().unwrap_or("").to_ascii_lowercase();
    WORDS.iter().any(|w| lower.contains(w))
}

fn own_path(f: &Function) -> bool {
    f.config.iter().any(|s| s.starts_with("search_path="))
}

fn quoted(message: &str) -> Option<&str> {
    message.split_once('"')?.1.split_once('"').map(|(name, _)| name)
}

fn builtin(type_name: &str) -> bool {
    const TYPES: &[&str] = &[
        "integer",
        "bigint",
        "smallint",
        "numeric",
        "real",
        "double precision",
        "text",
        "character varying",
        "character",
        "boolean",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
        "interval",
        "uuid",
        "json",
        "jsonb",
        "bytea",
    ];
    TYPES.contains(&type_name.trim_end_matches("[]"))
}
