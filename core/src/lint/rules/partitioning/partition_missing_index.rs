use crate::lint::catalog::{Catalog, Index, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;
use std::collections::{BTreeMap, HashSet};

/// An index as its partition's siblings would have it: by the names of columns, whose numbers may differ.
type Shape<'c> = (&'c str, Vec<&'c str>, Option<&'c str>, bool);

/// Fewer siblings make no rule.
const SIBLINGS: usize = 4;

pub static RULE: Rule = Rule {
    code: "PAR004",
    name: "partition_missing_index",
    category: Category::Partitioning,
    severity: Severity::Warning,
    title: "Partition lacks an index that most of the others have",
    why: "Queries are fast everywhere but there, and nobody looks at one partition. Told where at least \
          four have partitions of their own kind, more than half of them have the index, and the \
          newest one has it: an index that was given up for later partitions is no fault of the \
          earlier ones. Indexes of the parent are on all of them (an invalid one is IDX007).",
    bad: "CREATE INDEX ON events_2024_01 (user_id); -- on each partition by hand, one forgotten",
    good: "CREATE INDEX ON events (user_id); -- on the parent: every partition has it",
    remedy: "CREATE INDEX CONCURRENTLY on the partition, then one on ONLY the parent, attached",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("one of five", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..5 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); IF n <> 3 THEN EXECUTE format('CREATE INDEX ON t%s (b)', n); END IF; END LOOP; END$$"),
        case("quoted, other numbers", r#"CREATE TABLE "T.t" (a int, "B" int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..4 LOOP EXECUTE format('CREATE TABLE "T.%s" (x int, "B" int, a int)', n); EXECUTE format('ALTER TABLE "T.%s" DROP x', n); EXECUTE format('ALTER TABLE "T.t" ATTACH PARTITION "T.%s" FOR VALUES IN (%s)', n, n); END LOOP; END$$; CREATE INDEX ON "T.1" ("B"); CREATE INDEX ON "T.2" ("B"); CREATE INDEX ON "T.4" ("B")"#),
    ],
    silent: &[
        case("on the parent", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE INDEX ON t (b); DO $$BEGIN FOR n IN 1..5 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); END LOOP; END$$"),
        case("on few of them", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..5 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); END LOOP; END$$; CREATE INDEX ON t5 (b); CREATE INDEX ON t1 (b)"),
        case("given up since", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..5 LOOP EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); IF n < 5 THEN EXECUTE format('CREATE INDEX ON t%s (b)', n); END IF; END LOOP; END$$"),
        case("three of them", "CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3); CREATE INDEX ON t2 (b); CREATE INDEX ON t3 (b)"),
        case("temporary", "CREATE TEMP TABLE t (a int, b int) PARTITION BY LIST (a); DO $$BEGIN FOR n IN 1..5 LOOP EXECUTE format('CREATE TEMP TABLE t%s PARTITION OF t FOR VALUES IN (%s)', n, n); IF n <> 3 THEN EXECUTE format('CREATE INDEX ON t%s (b)', n); END IF; END LOOP; END$$"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && t.kind == RelationKind::PartitionedTable) {
        let mut siblings: Vec<&Relation> =
            c.partitions_of(t.oid).filter(|p| p.kind == RelationKind::Table).collect();
        siblings.sort_by_key(|p| p.oid);
        let Some(newest) = siblings.last().filter(|_| siblings.len() >= SIBLINGS) else { continue };
        let mut usual: BTreeMap<Shape, usize> = BTreeMap::new();
        for p in &siblings {
            out.examine(&p.schema);
            for shape in shapes(p).into_iter().collect::<HashSet<_>>() {
                *usual.entry(shape).or_default() += 1;
            }
        }
        let kept = shapes(newest);
        usual.retain(|shape, count| {
            *count * 2 > siblings.len() && *count < siblings.len() && kept.contains(shape)
        });
        for p in &siblings {
            let has = shapes(p);
            for shape in usual.keys().filter(|shape| !has.contains(shape)) {
                out.find(finding(p, shape));
            }
        }
    }
}

fn shapes(p: &Relation) -> Vec<Shape<'_>> {
    let plain = |i: &&Index| i.valid && i.keys.iter().all(|k| k.attnum != 0) && !i.special_opclass;
    p.indexes
        .iter()
        .filter(plain)
        .map(|i| {
            let columns: Vec<i16> = i.keys.iter().map(|k| k.attnum).collect();
            (i.method.as_str(), p.names(&columns), i.predicate.as_deref(), i.unique)
        })
        .collect()
}

fn finding(p: &Relation, (method, columns, predicate, unique): &Shape) -> Finding {
    let (table, columns) = (p.sql_name(), idents(columns));
    let only = predicate.map(|p| format!(" WHERE {p}")).unwrap_or_default();
    let unique = if *unique { "UNIQUE " } else { "" };
    let sql = format!("CREATE {unique}INDEX CONCURRENTLY ON {table} USING {method} ({columns}){only};");
    let message = format!("partition {table} lacks an index ({columns}) that most of the others have");
    let mut found = Finding::new(p.object(), message).fix(Fix::new(sql, Safety::Online));
    found.key = format!("{table}|{columns}{only}");
    found
}
