use crate::lint::catalog::{Catalog, Constraint};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;
use crate::quote::ident;
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "INT006",
    name: "duplicate_foreign_key",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Foreign key says the same as another one",
    why: "Each write is checked twice, and each DELETE of a parent row looks for children twice. The \
          same means: the same columns of both tables, pair by pair, in whatever order. Where the \
          two differ in what they do on DELETE or UPDATE, or in when they are checked, no fix is \
          proposed, for only you know which of them is meant.",
    bad: "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders; -- twice",
    good: "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders;",
    remedy: "DROP CONSTRAINT the younger one",
    peers: "db_verifier fk1010, pg-index-health, pgcrab",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("twice", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a REFERENCES a)"),
        case("other order of the columns, quoted", r#"CREATE TABLE "A.a" ("X" int, y int, PRIMARY KEY ("X", y)); CREATE TABLE t (p int, "Q" int, FOREIGN KEY (p, "Q") REFERENCES "A.a" ("X", y), FOREIGN KEY ("Q", p) REFERENCES "A.a" (y, "X"))"#),
        case("other action", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a REFERENCES a ON DELETE CASCADE)"),
        case("partitioned child, told once", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ADD CONSTRAINT again FOREIGN KEY (a) REFERENCES a"),
        case("three of them", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a REFERENCES a REFERENCES a)"),
    ],
    silent: &[
        case("once", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES a)"),
        case("other pairs", "CREATE TABLE a (x int, y int, UNIQUE (x, y), UNIQUE (y, x)); CREATE TABLE t (p int, q int, FOREIGN KEY (p, q) REFERENCES a (x, y), FOREIGN KEY (p, q) REFERENCES a (y, x))"),
        case("another column of the parent", "CREATE TABLE a (id int PRIMARY KEY, other int UNIQUE); CREATE TABLE t (a int REFERENCES a REFERENCES a (other))"),
        case("copies on partitions", "CREATE TABLE a (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE a1 PARTITION OF a DEFAULT; CREATE TABLE t (a int REFERENCES a)"),
        case("temporary", "CREATE TEMP TABLE a (id int PRIMARY KEY); CREATE TEMP TABLE t (a int REFERENCES a REFERENCES a)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let mut alike: HashMap<(u32, Vec<(i16, i16)>), Vec<&Constraint>> = HashMap::new();
        for k in t.constraints.iter().filter(|k| k.kind == 'f' && !k.inherited) {
            out.examine(&t.schema);
            let mut pairs: Vec<(i16, i16)> =
                k.columns.iter().copied().zip(k.ref_columns.iter().copied()).collect();
            pairs.sort_unstable();
            alike.entry((k.ref_relation, pairs)).or_default().push(k);
        }
        for mut same in alike.into_values() {
            same.sort_by_key(|k| k.oid);
            let Some((first, younger)) = same.split_first() else { continue };
            for k in younger {
                let (table, name) = (t.sql_name(), ident(&k.name));
                let message = format!(
                    "foreign key {name} of {table} ({}) says the same as {}",
                    idents(&t.names(&k.columns)),
                    ident(&first.name)
                );
                let fix = (does(k) == does(first)).then(|| {
                    Fix::new(format!("ALTER TABLE {table} DROP CONSTRAINT {name};"), Safety::BriefLock)
                });
                let found = Finding::new(t.constraint_object(k), message)
                    .evidence("same_as", first.name.as_str())
                    .fix(fix);
                out.find(found);
            }
        }
    }
}

/// All that may differ beside the columns.
fn does(k: &Constraint) -> (char, char, &[i16], bool, bool) {
    (k.on_delete, k.on_update, &k.delete_sets, k.validated, k.enforced)
}
