use crate::lint::catalog::{Catalog, Constraint, Index, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::{create_index, missing_index_severity};
use crate::lint::text::{idents, only_not_null};

pub static RULE: Rule = Rule {
    code: "IDX001",
    name: "fk_without_index",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Foreign key has no index that its check can use",
    why: "Every DELETE of a parent row, and every UPDATE of its key, reads the whole child table. \
          Any B-tree or hash index that starts with the columns in any order will do, also one \
          only WHERE they are NOT NULL. Info below 1,000 rows, error from 100,000. A key that \
          has only a partial index is IDX031.",
    bad: "CREATE TABLE items (order_id bigint REFERENCES orders);",
    good: "CREATE TABLE items (order_id bigint REFERENCES orders); CREATE INDEX ON items (order_id);",
    remedy: "CREATE INDEX CONCURRENTLY on the columns",
    peers: "splinter 0001, pglinter B003, pg-index-health, schemalint index-referencing-column, pgcrab, pytest-pghealth, pgFirstAid, pgassistant, pg-advisor, SchemaCrawler, active_record_doctor, database_consistency, eugene E15, pg-migration-lint PGM501",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("an invalid index", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass"),
        case("no index", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a)"),
        case("second in an index", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (b int, a int REFERENCES a); CREATE INDEX i ON t (b, a)"),
        case("composite, one column short", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (x int, y int, FOREIGN KEY (x, y) REFERENCES a); CREATE INDEX i ON t (x)"),
        case("hostile names", r#"CREATE TABLE "a.B" (id int PRIMARY KEY); CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" ("A ""x" int REFERENCES "a.B")"#),
        case("partitioned child", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("brin is no help", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t USING brin (a)"),
    ],
    silent: &[
        case("indexed", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t (a, a)"),
        case("other order", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES a); CREATE INDEX i ON t (y, x, z)"),
        case("where not null", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t (a) WHERE a IS NOT NULL"),
        case("its primary key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int PRIMARY KEY REFERENCES a)"),
        case("partial is another rule", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b bool); CREATE INDEX i ON t (a) WHERE b"),
        case("hash", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t USING hash (a)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, fk) in c.foreign_keys() {
        out.examine(&t.schema);
        if coverage(t, fk) == Coverage::None {
            // to rebuild that one is IDX007's to say; a second beside it would be one too many
            let failed = t.indexes.iter().any(|i| !i.valid && begins(i, &fk.columns));
            let (columns, name) = (idents(&t.names(&fk.columns)), t.sql_name());
            let found = Finding::new(
                t.constraint_object(fk),
                format!("foreign key {} of {name} ({columns}) has no index", fk.name),
            )
            .key(t, &t.names(&fk.columns).join(","))
            .severity(missing_index_severity(t))
            .evidence("rows", t.tuples)
            .fix((!failed).then(|| create_index(t, &fk.columns)));
            out.find(found);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Coverage {
    Full,
    /// By partial indexes only: one of them.
    Partial(String),
    None,
}

/// Whether the check of a foreign key finds its rows by an index.
pub fn coverage(t: &Relation, fk: &Constraint) -> Coverage {
    let names = t.names(&fk.columns);
    let mut best = Coverage::None;
    for i in t.indexes.iter().filter(|i| leads(i, &fk.columns)) {
        match &i.predicate {
            Some(p) if !only_not_null(p, &names) => best = Coverage::Partial(i.name.clone()),
            _ => return Coverage::Full,
        }
    }
    best
}

fn leads(i: &Index, columns: &[i16]) -> bool {
    i.valid && begins(i, columns)
}

/// The index starts with these columns, in whatever order.
fn begins(i: &Index, columns: &[i16]) -> bool {
    let lead = i.keys.get(..columns.len());
    let usable = i.method == "btree" || (i.method == "hash" && columns.len() == 1);
    usable && lead.is_some_and(|keys| columns.iter().all(|c| keys.iter().any(|k| k.attnum == *c)))
}
