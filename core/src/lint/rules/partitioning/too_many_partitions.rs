use crate::lint::catalog::{Catalog, Relation, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

/// Planning, and what every session keeps in memory, grow with each of them.
const MOST: usize = 1000;
const DEEPEST: usize = 2;

pub static RULE: Rule = Rule {
    code: "PAR005",
    name: "too_many_partitions",
    category: Category::Partitioning,
    severity: Severity::Warning,
    title: "Table has more than 1000 partitions, or more than two levels of them",
    why: "A query that cannot be pruned opens and locks each one, every session keeps what it knows of \
          each in memory, and ATTACH reads all bounds. Levels multiply. Told once, for the topmost \
          table.",
    bad: "an hour a partition, kept for a year: 8760",
    good: "SELECT dbguard.partition_enable('events', every => '1 day');",
    remedy: "wider partitions, or a shorter time to keep them",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("too many", "CREATE TABLE t (a int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..1001 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); END LOOP; END$$"),
        case("three levels, quoted", r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT PARTITION BY LIST (a); CREATE TABLE t2 PARTITION OF t1 DEFAULT PARTITION BY LIST (a); CREATE TABLE t3 PARTITION OF t2 DEFAULT"#),
    ],
    silent: &[
        case("two levels", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT PARTITION BY HASH (a); CREATE TABLE t2 PARTITION OF t1 FOR VALUES WITH (MODULUS 1, REMAINDER 0)"),
        case("some", "CREATE TABLE t (a int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..50 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); END LOOP; END$$"),
        case("heirs", "CREATE TABLE p (a int); CREATE TABLE q () INHERITS (p); CREATE TABLE r () INHERITS (q); CREATE TABLE s () INHERITS (r)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.kind == RelationKind::PartitionedTable) {
        out.examine(&t.schema);
        let (leaves, depth) = extent(c, t);
        if leaves > MOST || depth > DEEPEST {
            let message = format!("table {} has {leaves} partitions on {depth} levels", t.sql_name());
            out.find(
                Finding::new(t.object(), message).evidence("partitions", leaves).evidence("levels", depth),
            );
        }
    }
}

/// How many leaves there are, and levels below the table.
fn extent(c: &Catalog, t: &Relation) -> (usize, usize) {
    c.partitions_of(t.oid).fold((0, 0), |(leaves, depth), p| match p.kind {
        RelationKind::PartitionedTable => {
            let (below, levels) = extent(c, p);
            (leaves + below, depth.max(levels + 1))
        }
        _ => (leaves + 1, depth.max(1)),
    })
}
