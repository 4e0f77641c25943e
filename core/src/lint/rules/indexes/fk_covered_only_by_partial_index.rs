use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::create_index;
use crate::lint::rules::indexes::fk_without_index::{coverage, Coverage};
use crate::lint::text::idents;

pub static RULE: Rule = Rule {
    code: "IDX031",
    name: "fk_covered_only_by_partial_index",
    category: Category::Indexes,
    severity: Severity::Warning,
    title: "Foreign key has an index, but a partial one that its check cannot use",
    why: "The check asks for all child rows, so an index with a predicate beyond IS NOT NULL on \
          the key's columns is no help: the table is read whole, though it looks indexed.",
    bad: "CREATE INDEX ON items (order_id) WHERE deleted_at IS NULL;",
    good: "CREATE INDEX ON items (order_id);",
    remedy: "add a full index; the partial one may then be dropped",
    peers: "pgassistant",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("live rows only", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, deleted_at timestamptz); CREATE INDEX i ON t (a) WHERE deleted_at IS NULL"),
        case("not null and more", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int); CREATE INDEX i ON t (a) WHERE a IS NOT NULL AND b > 0"),
        case("quoted, name taken", r#"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t ("A" int REFERENCES a, b bool); CREATE INDEX "idx_t_A" ON t ("A") WHERE b"#),
    ],
    silent: &[
        case("a full one beside it", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b bool); CREATE INDEX i ON t (a) WHERE b; CREATE INDEX j ON t (a)"),
        case("only where not null", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE INDEX i ON t (a) WHERE a IS NOT NULL"),
        case("no index at all", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a)"),
        case("partial on another column", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int); CREATE INDEX i ON t (b) WHERE a > 0"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, fk) in c.foreign_keys() {
        out.examine(&t.schema);
        if let Coverage::Partial(index) = coverage(t, fk) {
            let names = t.names(&fk.columns);
            let message =
                format!(
                "foreign key {} of {} ({}) has only the partial index {index}, which its check cannot use",
                fk.name, t.sql_name(), idents(&names)
            );
            let found = Finding::new(t.constraint_object(fk), message)
                .key(t, &names.join(","))
                .evidence("partial_index", index)
                .fix(create_index(t, &fk.columns));
            out.find(found);
        }
    }
}
