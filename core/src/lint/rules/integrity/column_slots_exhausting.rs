use crate::lint::catalog::{Catalog, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

/// MaxHeapAttributeNumber: dropped columns count, for ever.
const MOST: i16 = 1600;

pub static RULE: Rule = Rule {
    code: "INT024",
    name: "column_slots_exhausting",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Table has used up most of the 1600 columns it may ever have",
    why: "A dropped column keeps its number. A migration that adds and drops columns again and again, \
          or a sync tool that does, comes to a day when ADD COLUMN fails and only a new table helps. \
          Told from 1200 on; error from 1550.",
    bad: "ALTER TABLE t ADD COLUMN tmp int; ALTER TABLE t DROP COLUMN tmp; -- a thousand times",
    good: "CREATE TABLE t_new (LIKE t INCLUDING ALL); -- copied and renamed: its numbers begin anew",
    remedy: "copy the table into a new one and swap the names, before the limit is reached",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("added and dropped", "CREATE TABLE t (a int); DO $$BEGIN FOR n IN 1..12 LOOP EXECUTE (SELECT 'ALTER TABLE t ' || string_agg('ADD c' || i || ' int', ',') FROM generate_series(1, 100) i); EXECUTE (SELECT 'ALTER TABLE t ' || string_agg('DROP c' || i, ',') FROM generate_series(1, 100) i); END LOOP; END$$"),
        case("there all at once, quoted", r#"DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE "T.t" (' || string_agg('"C' || i || '" bool', ',') || ')' FROM generate_series(1, 1560) i); END$$"#),
    ],
    silent: &[
        case("a thousand", "DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE t (' || string_agg('c' || i || ' bool', ',') || ')' FROM generate_series(1, 1000) i); END$$"),
        case("a few dropped", "CREATE TABLE t (a int, b int, c int); ALTER TABLE t DROP b"),
        case("view", "DO $$BEGIN EXECUTE (SELECT 'CREATE VIEW v AS SELECT ' || string_agg('1 AS c' || i, ',') FROM generate_series(1, 1300) i); END$$"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && t.kind == RelationKind::Table) {
        out.examine(&t.schema);
        if t.numbers_used >= 1200 {
            let message = format!(
                "table {} has used {} of {MOST} columns, dropped ones with them",
                t.sql_name(),
                t.numbers_used
            );
            let severity = if t.numbers_used >= 1550 { Severity::Error } else { Severity::Warning };
            let found = Finding::new(t.object(), message)
                .severity(severity)
                .evidence("used", t.numbers_used)
                .evidence("columns", t.attributes.len());
            out.find(found);
        }
    }
}
