use crate::lint::catalog::{Attribute, Catalog, Index, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::audit::marks_deleted;
use crate::lint::text::mentions;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD007",
    name: "soft_delete_not_indexed",
    category: Category::Lifecycle,
    severity: Severity::Info,
    title: "Rows are soft-deleted, and no index leaves them out",
    why: "Nearly every query wants the live rows only, and finds the deleted ones by the index too, fetches \
          them and throws them away; there are more of them every year. Told of tables of 10,000 rows and \
          more with an index beside their unique ones, none of which names the mark in its columns or its \
          predicate. Where few rows are ever deleted it matters little.",
    bad: "CREATE TABLE orders (..., customer_id bigint, deleted_at timestamptz); CREATE INDEX ON orders (customer_id);",
    good: "CREATE INDEX ON orders (customer_id) WHERE deleted_at IS NULL;",
    remedy: "build the indexes of the common queries anew, WHERE the row is not deleted",
    peers: "active_record_doctor unindexed_deleted_at",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "rows", default: 10_000.0, about: "rows from which on a table is looked at" }],
    recommended: true,
    check,
    fires: &[
        case("a time", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); CREATE INDEX i ON t (a); UPDATE pg_class SET reltuples = 20000 WHERE oid = 't'::regclass"),
        case("a flag, quoted", r#"CREATE TABLE "T.t" (id int PRIMARY KEY, "A" int, "isDeleted" bool); CREATE INDEX "I" ON "T.t" ("A"); UPDATE pg_class SET reltuples = 20000 WHERE oid = '"T.t"'::regclass"#),
        case("rows of partitions", "CREATE TABLE t (a int, deleted_at timestamptz) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a); UPDATE pg_class SET reltuples = 6000 WHERE relname IN ('t1', 't2')"),
    ],
    silent: &[
        case("a predicate", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); CREATE INDEX i ON t (a); CREATE INDEX j ON t (id) WHERE deleted_at IS NULL; UPDATE pg_class SET reltuples = 20000 WHERE oid = 't'::regclass"),
        case("a key", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); CREATE INDEX i ON t (a, deleted_at); UPDATE pg_class SET reltuples = 20000 WHERE oid = 't'::regclass"),
        case("small", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); CREATE INDEX i ON t (a); UPDATE pg_class SET reltuples = 9999 WHERE oid = 't'::regclass"),
        case("never analyzed", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); CREATE INDEX i ON t (a)"),
        case("only found by its key", "CREATE TABLE t (id int PRIMARY KEY, a int, deleted_at timestamptz); UPDATE pg_class SET reltuples = 20000 WHERE oid = 't'::regclass"),
        case("expression, temporary", "CREATE TABLE t (a int, deleted_at timestamptz); CREATE INDEX i ON t ((deleted_at IS NULL), a); UPDATE pg_class SET reltuples = 20000 WHERE oid = 't'::regclass; CREATE TEMP TABLE u (a int, deleted_at timestamptz); CREATE INDEX ON u (a); UPDATE pg_class SET reltuples = 20000 WHERE oid = 'u'::regclass"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let least = c.param(&RULE, "rows");
    for t in c.tables() {
        let Some(mark) = t.attributes.iter().find(|a| marks_deleted(a) && !a.generated) else { continue };
        let Some(rows) = c.rows(t).filter(|rows| *rows >= least) else { continue };
        out.examine(&t.schema);
        let searched = t.indexes.iter().any(|i| !i.unique && i.valid);
        if searched && !t.indexes.iter().any(|i| knows(t, i)) {
            let message = format!(
                "no index of {} leaves out the rows that {} marks as deleted",
                t.sql_name(),
                ident(&mark.name)
            );
            out.find(
                Finding::new(t.object(), message)
                    .confidence(0.4)
                    .evidence("rows", rows)
                    .evidence("column", mark.name.as_str()),
            );
        }
    }
}

/// Names a mark of deleted rows anywhere.
fn knows(t: &Relation, i: &Index) -> bool {
    t.attributes.iter().filter(|a| marks_deleted(a)).any(|mark: &Attribute| {
        let said = |e: &Option<String>| e.as_ref().is_some_and(|e| mentions(e, &mark.name));
        said(&i.predicate)
            || i.include.contains(&mark.num)
            || i.keys.iter().any(|k| k.attnum == mark.num || said(&k.expression))
    })
}
