use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::audit::updated_at_without_trigger::sets;
use crate::lint::rules::audit::{default_now, is_archive, is_time, says_created, says_updated};
use crate::quote::ident;
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "AUD004",
    name: "audit_column_nullable_or_no_default",
    category: Category::Lifecycle,
    severity: Severity::Info,
    title: "Time of making or changing may be NULL, or nothing fills it",
    why: "A row without a time falls out of every range and sorts last; it comes from the one program that \
          forgot. Told of created_at and the like that may be NULL, of updated_at that has a default and may \
          be NULL all the same (without one, NULL may mean never changed), and of a column without a default \
          where four of five of its kind in the schema have one. Silent where a trigger fills it on INSERT.",
    bad: "CREATE TABLE orders (created_at timestamptz);",
    good: "CREATE TABLE orders (created_at timestamptz NOT NULL DEFAULT now());",
    remedy: "SET DEFAULT now(), and SET NOT NULL once no row is without",
    peers: "",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("nothing at all", "CREATE TABLE t (created_at timestamptz)"),
        case("default, and yet null", "CREATE TABLE t (updated_at timestamp DEFAULT now())"),
        case("quoted, partitioned, a date", r#"CREATE TABLE "T.t" (id int, "CreatedOn" date) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
        case("without the default of the others", "CREATE TABLE a (created_at timestamptz NOT NULL DEFAULT now()); CREATE TABLE b (created_at timestamptz NOT NULL DEFAULT now()); CREATE TABLE c (created_at timestamptz NOT NULL DEFAULT now()); CREATE TABLE d (created_at timestamptz NOT NULL DEFAULT now()); CREATE TABLE t (created_at timestamptz NOT NULL)"),
        case("a disabled trigger", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.created_at := now(); RETURN NEW; END'; CREATE TABLE t (created_at timestamptz); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER g"),
    ],
    silent: &[
        case("both", "CREATE TABLE t (created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now())"),
        case("copies of what was deleted", "CREATE TABLE deleted_orders (created_at timestamptz); CREATE TABLE \"Order.History\" (created_at timestamptz)"),
        case("never changed", "CREATE TABLE t (created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz)"),
        case("the application fills it", "CREATE TABLE t (created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)"),
        case("a check, a domain", "CREATE DOMAIN d AS timestamptz NOT NULL; CREATE TABLE t (created_at timestamptz CHECK (created_at IS NOT NULL), updated_at d DEFAULT now())"),
        case("a trigger", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.created_at := now(); RETURN NEW; END'; CREATE TABLE t (created_at timestamptz); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("other names and types, a view, temporary", "CREATE TABLE t (deleted_at timestamptz, created_by int, created text); CREATE VIEW v AS SELECT now() AS created_at; CREATE TEMP TABLE u (created_at timestamptz)"),
    ],
};

/// Of one kind in a schema, for most of them to say something about the others.
const LEAST: usize = 5;

fn check(c: &Catalog, out: &mut Report) {
    let ours = |a: &Attribute| is_time(a) && !a.generated && (says_created(a) || says_updated(a));
    let columns: Vec<(&Relation, &Attribute)> =
        c.columns().filter(|(t, a)| ours(a) && !is_archive(t)).collect();
    let mut counts: HashMap<(&str, bool), (usize, usize)> = HashMap::new();
    for (t, a) in &columns {
        let count = counts.entry((&t.schema, says_created(a))).or_default();
        *count = (count.0 + usize::from(a.has_default), count.1 + 1);
    }
    for (t, a) in columns {
        let created = says_created(a);
        // NULL may mean never changed
        if !created && !a.has_default && !t.never_null(a) {
            continue;
        }
        out.examine(&t.schema);
        let usual = counts
            .get(&(t.schema.as_str(), created))
            .is_some_and(|(with, all)| *all >= LEAST && with * 5 >= all * 4);
        let what = match (t.never_null(a), a.has_default) {
            (false, false) if created => "may be NULL and has no default",
            (false, true) => "has a default and may be NULL all the same",
            (true, false) if usual => "has no default, as others of its kind have",
            _ => continue,
        };
        if t.triggers.iter().any(|g| g.on_insert() && sets(c, g, &a.name)) {
            continue;
        }
        let column = t.column_object(a);
        let message = format!("column {} {what}", column.identity);
        out.find(Finding::new(column, message).evidence("column", a.name.as_str()).fix(fix(t, a)));
    }
}

fn fix(t: &Relation, a: &Attribute) -> Option<Fix> {
    let (table, column) = (t.sql_name(), ident(&a.name));
    let mut sql = Vec::new();
    if !a.has_default {
        sql.push(format!(
            "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {};",
            default_now(a.base_type)?
        ));
    }
    if t.never_null(a) {
        return Some(Fix::new(sql.join("\n"), Safety::BriefLock));
    }
    sql.push(format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;"));
    let undo = format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;");
    Some(Fix::new(sql.join("\n"), Safety::Rewrite).undo(undo))
}
