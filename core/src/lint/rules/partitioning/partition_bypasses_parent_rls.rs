use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::count;

pub static RULE: Rule = Rule {
    code: "PAR011",
    name: "partition_bypasses_parent_rls",
    category: Category::Partitioning,
    severity: Severity::Error,
    title: "Partition can be read past its parent's row-level security",
    why: "Policies of a partitioned table hold for queries of that table only. A partition is a \
          table of its own: who has rights on it sees all its rows. Partitions on which only the \
          owner has rights are left alone.",
    bad: "ALTER TABLE events ENABLE ROW LEVEL SECURITY; GRANT SELECT ON events_2030_01 TO app;",
    good: "REVOKE ALL ON events_2030_01 FROM app;",
    remedy: "REVOKE the rights on the partitions, or enable row-level security on them: without a policy they show nothing, while queries of the parent go on",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("to read", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t, t1 TO pg_monitor"),
        case("two levels, quoted", r#"CREATE TABLE "T.t" (a int, b int) PARTITION BY LIST (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT PARTITION BY LIST (b); CREATE TABLE "T.2" PARTITION OF "T.1" DEFAULT; CREATE TABLE "T.3" PARTITION OF "T.1" FOR VALUES IN (3); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; GRANT INSERT ON "T.2" TO PUBLIC; GRANT SELECT (b) ON "T.3" TO pg_monitor"#),
    ],
    silent: &[
        case("only the parent is granted", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT ALL ON t TO PUBLIC"),
        case("row-level security on both", r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE "T.1" PARTITION OF "T.t" DEFAULT; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; ALTER TABLE "T.1" ENABLE ROW LEVEL SECURITY; GRANT SELECT ON "T.1" TO pg_monitor"#),
        case("no row-level security", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; GRANT SELECT ON t1 TO pg_monitor"),
        case("an inheritance child is not a partition", "CREATE TABLE t (a int); CREATE TABLE t1 () INHERITS (t); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t1 TO pg_monitor"),
        case("temporary", "CREATE TEMP TABLE t (a int) PARTITION BY LIST (a); CREATE TEMP TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t1 TO PUBLIC"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.row_security && t.partition_strategy.is_some()) {
        out.examine(&t.schema);
        let mut open = Vec::new();
        collect(c, t, &mut open);
        if open.is_empty() {
            continue;
        }
        open.sort();
        let all = |how: &str| -> String {
            let each = open.iter().map(|p| format!("ALTER TABLE {p} {how} ROW LEVEL SECURITY;"));
            each.collect::<Vec<_>>().join("\n")
        };
        let fix = Fix::new(all("ENABLE"), Safety::Review).undo(all("DISABLE"));
        let message = format!(
            "{} of {} can be read or written past its row-level security",
            count(open.len(), "partition"),
            t.sql_name()
        );
        let shown: Vec<&str> = open.iter().take(50).map(String::as_str).collect();
        out.find(Finding::new(t.object(), message).evidence("partitions", shown).fix(fix));
    }
}

/// Partitions, however deep, that others have rights on and that have no row-level security.
fn collect(c: &Catalog, t: &Relation, open: &mut Vec<String>) {
    for p in c.partitions_of(t.oid) {
        if !p.row_security && !p.grants.is_empty() && p.is_table() {
            open.push(p.sql_name());
        }
        collect(c, p, open);
    }
}
