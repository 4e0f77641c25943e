use crate::lint::catalog::Catalog;
use crate::lint::finding::Object;
use crate::lint::finding::{Report, Severity};
use crate::lint::ignore::{Ignore, Origin, Standing};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::select::means;
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "DBG001",
    name: "unused_ignore",
    category: Category::Ignores,
    severity: Severity::Info,
    title: "Ignore that hides nothing",
    why: "What it was made for is gone, or it never matched. Left there, it will hide the next mistake of the same kind. \
          What rows, statistics, sessions and statements show is another thing tomorrow, so ignores of rules that \
          read those are never called unused.",
    bad: "COMMENT ON TABLE t IS '@dbguard ignore INT002 -- staging'; -- and t has a primary key",
    good: "COMMENT ON TABLE t IS NULL;",
    remedy: "take the ignore back",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("comment, other rule", r#"CREATE TABLE t (id int PRIMARY KEY); COMMENT ON TABLE t IS 'Things. @dbguard ignore INT002 -- no key needed'"#),
        case("table", r#"CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.lint_ignore('INT002', 'public.t', 'staging')"#),
        case("comment of a column, quoted", r#"CREATE TABLE "T.t" (id int PRIMARY KEY, "A b" timestamptz); COMMENT ON COLUMN "T.t"."A b" IS '@dbguard ignore TYP001 -- ''local'' time'"#),
        case("on a schema", r#"CREATE SCHEMA s; COMMENT ON SCHEMA s IS '@dbguard ignore TYP00? until 2999-01-01 -- old'"#),
    ],
    silent: &[
        case("hides the table's finding", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002 -- staging'"#),
        case("hides a column's, by the table", r#"CREATE TABLE t (id int PRIMARY KEY, m money); SELECT dbguard.lint_ignore('money_type', 'public.t', 'test')"#),
        case("an index', by the table", r#"CREATE TABLE t (id int PRIMARY KEY, a int); CREATE INDEX i1 ON t (a); CREATE INDEX i2 ON t (a); COMMENT ON TABLE t IS '@dbguard ignore IDX002 -- for a test'"#),
        case("a rule that reads rows", r#"CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.lint_ignore('PAR003', 'public.t', 'test')"#),
        case("taken back", r#"CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.lint_ignore('INT002', 'public.t', 'test'), dbguard.lint_unignore('INT002', 'public.t')"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let (all, today, tables) = (c.all_rules(), c.today(), c.tables_of_parts());
    let mut told: HashMap<&str, Vec<Object>> = HashMap::new();
    // what it hides may be in a schema that this run does not look at
    let judged = |i: &&Ignore| {
        c.all_schemas() || matches!(&i.origin, Origin::Comment { object, .. } if object.kind != "database")
    };
    for ignore in c.ignores.iter().filter(|i| i.standing(today) == Standing::Holds).filter(judged) {
        out.examine(&super::object(c, ignore).schema);
        let meant: Vec<&&Rule> =
            all.iter().filter(|r| ignore.rules.iter().any(|word| means(word, r))).collect();
        // what cannot be judged from the catalogs alone may be what it hides
        if meant.iter().any(|r| !r.reads.is_empty() || r.category == Category::Ignores) {
            continue;
        }
        let used = meant.iter().any(|rule| {
            let objects = told.entry(rule.code).or_insert_with(|| objects(c, rule));
            objects.iter().any(|o| ignore.covers(rule, o, tables.get(&(o.kind, o.oid)).map(String::as_str)))
        });
        if !used {
            out.find(super::finding(c, ignore, "hides nothing"));
        }
    }
}

/// All that a rule speaks about: single objects, and the schemas where it would be told once.
fn objects(c: &Catalog, rule: &Rule) -> Vec<Object> {
    let mut report = Report::default();
    (rule.check)(c, &mut report);
    let schemas: HashSet<&str> = report.findings.iter().map(|f| f.object.schema.as_str()).collect();
    let schemas = schemas.into_iter().filter(|_| rule.rollup.is_some());
    let schemas: Vec<Object> = schemas.filter_map(|s| c.schema(s)).map(|s| s.object()).collect();
    report.findings.into_iter().map(|f| f.object).chain(schemas).collect()
}
