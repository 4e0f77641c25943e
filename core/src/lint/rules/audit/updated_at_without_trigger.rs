use crate::lint::catalog::types::{DATE, TIMESTAMP, TIMESTAMPTZ};
use crate::lint::catalog::{Attribute, Catalog, Relation, Trigger};
use crate::lint::engine::object_name;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::plpgsql::Body;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::literal;

pub static RULE: Rule = Rule {
    code: "AUD003",
    name: "updated_at_without_trigger",
    category: Category::Lifecycle,
    severity: Severity::Warning,
    title: "Column updated_at is not kept by a trigger",
    why: "Then it is right only as long as every program, script and psql session remembers to \
          set it. Silent where an enabled BEFORE UPDATE row trigger sets the column. Where at \
          least 80 % of five or more such tables have none, the application does it by choice: \
          told once for the schema.",
    bad: "CREATE TABLE orders (updated_at timestamptz DEFAULT now());",
    good: "SELECT dbguard.touch_enable('orders');",
    remedy: "a BEFORE UPDATE trigger with dbguard.set_updated_at",
    peers: "",
    hides: &[],
    rollup: Some(Rollup { at_least: 5, share: 0.8 }),
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("no trigger", "CREATE TABLE t (updated_at timestamptz)"),
        case("only on insert", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'; CREATE TABLE t (updated_at timestamp); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("disabled", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END'; CREATE TABLE t (updated_at date); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER g"),
        case("sets another column", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN /* NEW.updated_at := now(); */ NEW.x := 1; RETURN NEW; END'; CREATE TABLE t (x int, updated_at timestamptz); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case(
            "ours, for another column",
            "CREATE TABLE t (modified timestamptz, updated_at timestamptz); CREATE TRIGGER dbguard_touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('modified')",
        ),
        case("quoted, partitioned", r#"CREATE TABLE "T.t" ("updatedAt" timestamptz) PARTITION BY RANGE ("updatedAt"); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
    ],
    silent: &[
        case("set by plpgsql", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END'; CREATE TABLE t (updated_at timestamptz); CREATE TRIGGER g BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("named in the argument", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW := json_populate_record(NEW, json_build_object(TG_ARGV[0], now())); RETURN NEW; END'; CREATE TABLE t (\"Modified_At\" timestamptz); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f('Modified_At')"),
        case(
            "ours, by name and by default",
            r#"CREATE TABLE t (updated_at timestamptz); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at(); CREATE TABLE u ("modifiedAt" date); SELECT dbguard.touch_enable('u', 'modifiedAt')"#,
        ),
        case("a view's column", "CREATE VIEW v AS SELECT now() AS updated_at"),
        case("text, not a time", "CREATE TABLE t (updated_at text)"),
        case("generated", "CREATE TABLE t (a timestamptz, updated_at timestamptz GENERATED ALWAYS AS (a) STORED)"),
        case("temporary", "CREATE TEMP TABLE t (updated_at timestamptz)"),
    ],
};

const NAMES: &[&str] = &[
    "updated_at",
    "updatedat",
    "modified_at",
    "modifiedat",
    "updated_on",
    "modified_on",
    "last_update",
    "last_updated",
    "last_updated_at",
    "last_modified",
    "last_modified_at",
    "date_modified",
    "modified_date",
    "modifieddate",
    "update_date",
    "update_time",
];

fn check(c: &Catalog, out: &mut Report) {
    let touched = |a: &Attribute| {
        NAMES.contains(&a.name.to_ascii_lowercase().as_str())
            && matches!(a.type_oid, DATE | TIMESTAMP | TIMESTAMPTZ)
            && !a.generated
    };
    for (t, a) in c.columns().filter(|(_, a)| touched(a)) {
        out.examine(&t.schema);
        if !t.triggers.iter().any(|g| g.on_update() && sets(c, g, &a.name)) {
            let column = t.column_object(a);
            let message = format!("no trigger keeps {} right", column.identity);
            out.find(
                Finding::new(column, message).evidence("column", a.name.as_str()).fix(keep(c, t, &a.name)),
            );
        }
    }
}

/// Whether a trigger fills the column. Benefit of the doubt to what cannot be read: a body that replaces NEW as a whole, a language
/// other than PL/pgSQL, a column named in the trigger's arguments.
pub fn sets(c: &Catalog, g: &Trigger, column: &str) -> bool {
    if !(g.enabled && g.before() && g.row()) {
        return false;
    }
    let Some(f) = c.function(g.function) else { return false };
    if f.schema == "dbguard" && f.name == "set_updated_at" {
        return g.arguments.first().map_or("updated_at", String::as_str) == column;
    }
    let named = g.arguments.iter().any(|a| a == column);
    match (f.language.as_str(), &f.source) {
        ("c" | "internal", _) | (_, None) => named,
        ("plpgsql", Some(source)) => {
            let body = Body::new(source);
            named || body.assigns_new(column) || body.replaces_new()
        }
        (_, Some(source)) => named || source.contains(column),
    }
}

/// A trigger that keeps the column.
pub fn keep(c: &Catalog, t: &Relation, column: &str) -> Option<Fix> {
    c.functions.iter().find(|f| f.schema == "dbguard" && f.name == "set_updated_at")?;
    let taken = t.triggers.iter().any(|g| g.name == "dbguard_touch");
    let name = if taken { object_name(&["dbguard_touch", column]) } else { "dbguard_touch".to_owned() };
    let argument = if column == "updated_at" { String::new() } else { literal(column) };
    let table = t.sql_name();
    let sql = format!("CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at({argument});");
    Some(Fix::new(sql, Safety::BriefLock).undo(format!("DROP TRIGGER {name} ON {table};")))
}
