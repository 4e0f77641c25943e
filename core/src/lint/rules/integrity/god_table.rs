use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "INT023",
    name: "god_table",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Table has very many columns",
    why: "Every UPDATE of a small thing writes the whole wide row anew, locks what others want to change \
          beside it, and nobody knows which columns belong together. Info above 20 columns, warning \
          above 40, error above 100. Heirs count what they inherit; views are left alone.",
    bad: "CREATE TABLE users (id bigint, ..., newsletter_font text); -- 130 columns",
    good: "CREATE TABLE user_preferences (user_id bigint PRIMARY KEY REFERENCES users, ...);",
    remedy: "tables of their own, one to one, for what is read and written together",
    peers: "pgFirstAid(50/200), GitLab AddColumnsToWideTables",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("21", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 21) i); END$$"),
        case("101, quoted", r#"DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE "T.t" (' || string_agg('"C' || i || '" int', ',') || ')' FROM generate_series(1, 101) i); END$$"#),
        case("partitioned, told once", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ') PARTITION BY LIST (c1)' FROM generate_series(1, 50) i); END$$; CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("20", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 20) i); END$$"),
        case("others dropped", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 30) i); EXECUTE (SELECT 'ALTER TABLE t ' || string_agg('DROP c' || i, ',') FROM generate_series(1, 15) i); END$$"),
        case("view", "DO $$BEGIN EXECUTE (SELECT 'CREATE VIEW v AS SELECT ' || string_agg('1 AS c' || i, ',') FROM generate_series(1, 50) i); END$$"),
        case("temporary", "DO $$BEGIN EXECUTE (SELECT 'CREATE TEMP TABLE t (' || string_agg('c' || i || ' int', ',') || ')' FROM generate_series(1, 50) i); END$$"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        out.examine(&t.schema);
        let severity = match t.attributes.len() {
            0..=20 => continue,
            21..=40 => Severity::Info,
            41..=100 => Severity::Warning,
            _ => Severity::Error,
        };
        let message = format!("table {} has {} columns", t.sql_name(), t.attributes.len());
        let found = Finding::new(t.object(), message).severity(severity);
        out.find(found.evidence("columns", t.attributes.len()));
    }
}
