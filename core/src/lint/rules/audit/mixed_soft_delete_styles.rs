use crate::lint::catalog::types::BOOL;
use crate::lint::catalog::{Attribute, Catalog, Relation, Trigger};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::audit::marks_deleted;
use crate::quote::ident;
use std::collections::{BTreeMap, HashMap};

pub static RULE: Rule = Rule {
    code: "AUD009",
    name: "mixed_soft_delete_styles",
    category: Category::Lifecycle,
    severity: Severity::Warning,
    title: "Deleted rows are marked in more than one way",
    why: "A table with both a flag and a time can say deleted and not deleted at once, and each query \
          believes one of them. Where most tables of a schema mark deleted rows by a time and some by a \
          flag, or under another name, every query, view and policy has to know which: info. Silent \
          where one of the two is generated from the other, or a CHECK or trigger holds them together.",
    bad: "CREATE TABLE users (is_deleted boolean, deleted_at timestamptz);",
    good: "CREATE TABLE users (deleted_at timestamptz, is_deleted boolean GENERATED ALWAYS AS (deleted_at IS NOT NULL) STORED);",
    remedy: "keep the time, and drop the flag or generate it",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("both in a table", "CREATE TABLE t (is_deleted bool, deleted_at timestamptz)"),
        case("quoted, partitioned", r#"CREATE TABLE "T.t" ("isDeleted" bool, "deletedAt" timestamp, a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
        case("one of four", "CREATE TABLE a (deleted_at timestamptz); CREATE TABLE b (deleted_at timestamptz); CREATE TABLE c (deleted_at timestamptz); CREATE TABLE t (deleted bool)"),
        case("another name", "CREATE TABLE a (deleted_at timestamptz); CREATE TABLE b (deleted_at timestamptz); CREATE TABLE c (deleted_at timestamptz); CREATE TABLE t (discarded_at timestamptz)"),
    ],
    silent: &[
        case("generated", "CREATE TABLE t (deleted_at timestamptz, is_deleted bool GENERATED ALWAYS AS (deleted_at IS NOT NULL) STORED)"),
        case("held together by a check", "CREATE TABLE t (deleted_at timestamptz, is_deleted bool, CHECK (is_deleted = (deleted_at IS NOT NULL)))"),
        case("held together by a trigger", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.is_deleted := NEW.deleted_at IS NOT NULL; RETURN NEW; END'; CREATE TABLE t (deleted_at timestamptz, is_deleted bool); CREATE TRIGGER g BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("half and half", "CREATE TABLE a (deleted_at timestamptz); CREATE TABLE b (deleted_at timestamptz); CREATE TABLE c (deleted bool); CREATE TABLE t (deleted bool)"),
        case("archived is not deleted", "CREATE TABLE t (deleted_at timestamptz, archived_at timestamptz, is_archived bool, deleted_by int)"),
        case("another schema, temporary", "CREATE TABLE a (deleted_at timestamptz); CREATE TABLE b (deleted_at timestamptz); CREATE TABLE c (deleted_at timestamptz); CREATE SCHEMA s; CREATE TABLE s.t (deleted bool); CREATE TEMP TABLE u (deleted bool, deleted_at timestamptz)"),
    ],
};

/// Tables of one way, and their share of all that mark, for it to be the schema's.
const LEAST: usize = 3;
const SHARE: f64 = 0.75;

fn check(c: &Catalog, out: &mut Report) {
    let mut ways: BTreeMap<&str, Vec<(&Relation, &Attribute)>> = BTreeMap::new();
    for t in c.tables() {
        let own = |a: &&Attribute| marks_deleted(a) && !a.generated && !a.inherited;
        let marks: Vec<&Attribute> = t.attributes.iter().filter(own).collect();
        let Some(first) = marks.first() else { continue };
        out.examine(&t.schema);
        let (flag, time) =
            (marks.iter().find(|a| a.base_type == BOOL), marks.iter().find(|a| a.base_type != BOOL));
        if let (Some(flag), Some(time)) = (flag, time) {
            if !held_together(c, t, flag, time) {
                let message = format!(
                    "table {} marks deleted rows by both {} and {}",
                    t.sql_name(),
                    ident(&flag.name),
                    ident(&time.name)
                );
                out.find(
                    Finding::new(t.object(), message)
                        .evidence("columns", vec![flag.name.as_str(), time.name.as_str()]),
                );
            }
        } else {
            ways.entry(&t.schema).or_default().push((t, first));
        }
    }
    for tables in ways.into_values() {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (_, a) in &tables {
            *counts.entry(&a.name).or_default() += 1;
        }
        let Some((usual, count)) = counts.into_iter().max_by_key(|(_, n)| *n) else { continue };
        if count < LEAST || (count as f64) < SHARE * tables.len() as f64 {
            continue;
        }
        for (t, a) in tables.iter().filter(|(_, a)| a.name != usual) {
            let message = format!(
                "table {} marks deleted rows by {}, {count} others by {}",
                t.sql_name(),
                ident(&a.name),
                ident(usual)
            );
            out.find(
                Finding::new(t.object(), message)
                    .severity(Severity::Info)
                    .evidence("column", a.name.as_str()),
            );
        }
    }
}

/// A CHECK that names both, or a trigger that may set one of them.
fn held_together(c: &Catalog, t: &Relation, a: &Attribute, b: &Attribute) -> bool {
    let check = t
        .constraints
        .iter()
        .any(|k| k.kind == 'c' && k.columns.contains(&a.num) && k.columns.contains(&b.num));
    let body = |g: &Trigger| c.function(g.function).and_then(|f| f.source.as_deref());
    let trigger = t.triggers.iter().any(|g| {
        g.enabled
            && g.before()
            && g.row()
            && body(g).is_none_or(|s| s.contains(&a.name) || s.contains(&b.name))
    });
    check || trigger
}
