use crate::lint::catalog::{Catalog, Oid, Relation, RelationKind};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "FVT001",
    name: "nested_views",
    category: Category::Functions,
    severity: Severity::Warning,
    title: "View over views over views",
    why: "The planner sees all their joins and groupings as one query, most of which the outer query \
          does not want, and a change to the innermost view has to go through all of them. Counted are views \
          that join, group or combine; those that only choose columns or rows of one relation add \
          nothing, and a materialized view ends the count: its rows are there. Told of the outermost.",
    bad: "CREATE VIEW report AS SELECT ... FROM totals JOIN ...; -- a view of a view of a view of a join",
    good: "CREATE VIEW report AS SELECT ... FROM orders JOIN order_lines ...;",
    remedy: "write the outer view over the tables it needs, or make one of the inner ones a materialized view",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[Param { name: "layers", default: 4.0, about: "views over each other from which it is told" }],
    recommended: true,
    check,
    fires: &[
        case("four", "CREATE TABLE t (a int); CREATE VIEW v1 AS SELECT count(*) AS a FROM t; CREATE VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE VIEW v3 AS SELECT DISTINCT a FROM v2; CREATE VIEW v4 AS SELECT v3.a FROM v3 JOIN t ON true"),
        case("quoted, with a plain one between", r#"CREATE SCHEMA "S.s"; CREATE TABLE t (a int); CREATE VIEW "S.s"."V.1" AS SELECT count(*) AS a FROM t; CREATE VIEW p AS SELECT a AS b FROM "S.s"."V.1"; CREATE VIEW v2 AS SELECT sum(b) AS a FROM p; CREATE VIEW v3 AS SELECT a FROM v2 UNION SELECT a FROM t; CREATE VIEW v4 AS SELECT a FROM v3 LIMIT 3"#),
        case("outermost materialized, told once", "CREATE TABLE t (a int); CREATE VIEW v1 AS SELECT count(*) AS a FROM t; CREATE VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE VIEW v3 AS SELECT DISTINCT a FROM v2; CREATE VIEW v4 AS SELECT max(a) AS a FROM v3; CREATE VIEW v5 AS SELECT max(a) AS a FROM v4; CREATE MATERIALIZED VIEW m AS SELECT min(a) FROM v5"),
    ],
    silent: &[
        case("three", "CREATE TABLE t (a int); CREATE VIEW v1 AS SELECT count(*) AS a FROM t; CREATE VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE VIEW v3 AS SELECT DISTINCT a FROM v2"),
        case("plain ones", "CREATE TABLE t (a int, b int); CREATE VIEW v1 AS SELECT a, b FROM t; CREATE VIEW v2 AS SELECT a, b FROM v1 WHERE b > 0; CREATE VIEW v3 AS SELECT a FROM v2; CREATE VIEW v4 AS SELECT a AS x FROM v3; CREATE VIEW v5 AS SELECT x + 1 FROM v4"),
        case("stored between", "CREATE TABLE t (a int); CREATE VIEW v1 AS SELECT count(*) AS a FROM t; CREATE VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE MATERIALIZED VIEW m AS SELECT DISTINCT a FROM v2; CREATE VIEW v4 AS SELECT max(a) AS a FROM m; CREATE VIEW v5 AS SELECT max(a) FROM v4"),
        case("temporary", "CREATE TABLE t (a int); CREATE TEMP VIEW v1 AS SELECT count(*) AS a FROM t; CREATE TEMP VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE TEMP VIEW v3 AS SELECT DISTINCT a FROM v2; CREATE TEMP VIEW v4 AS SELECT max(a) FROM v3"),
        case("extension members", "CREATE TABLE t (a int); CREATE VIEW v1 AS SELECT count(*) AS a FROM t; CREATE VIEW v2 AS SELECT sum(a) AS a FROM v1; CREATE VIEW v3 AS SELECT DISTINCT a FROM v2; CREATE VIEW v4 AS SELECT max(a) FROM v3; ALTER EXTENSION plpgsql ADD VIEW v4"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let limit = c.param(&RULE, "layers").max(2.0) as usize;
    let mut depths = HashMap::new();
    let mut deep: Vec<(usize, &Relation)> = Vec::new();
    for v in c.linted_relations() {
        if !matches!(v.kind, RelationKind::View | RelationKind::MaterializedView) {
            continue;
        }
        out.examine(&v.schema);
        let layers = depth(c, v, &mut depths);
        if v.combines && layers >= limit {
            deep.push((layers, v));
        }
    }
    // the outermost first; what it is made of is not told again
    deep.sort_by_key(|(layers, v)| (std::cmp::Reverse(*layers), v.oid));
    let mut covered = HashSet::new();
    for (layers, v) in deep {
        if covered.contains(&v.oid) {
            continue;
        }
        cover(c, v, &mut covered);
        let path = path(c, v, &depths);
        let message = format!("view {} is {layers} views deep: {}", v.sql_name(), path.join(" over "));
        out.find(Finding::new(v.object(), message).evidence("layers", layers).evidence("path", path));
    }
}

/// How many views that combine lie over each other, this one among them.
fn depth(c: &Catalog, v: &Relation, known: &mut HashMap<Oid, usize>) -> usize {
    if let Some(d) = known.get(&v.oid) {
        return *d;
    }
    // views can be made to read each other in a circle
    known.insert(v.oid, 0);
    let mut below = 0;
    for r in views_read(c, v) {
        below = below.max(depth(c, r, known));
    }
    let depth = below + usize::from(v.combines);
    known.insert(v.oid, depth);
    depth
}

fn views_read<'c>(c: &'c Catalog, v: &'c Relation) -> impl Iterator<Item = &'c Relation> {
    v.reads.iter().filter_map(|oid| c.relation(*oid)).filter(|r| r.kind == RelationKind::View)
}

fn cover(c: &Catalog, v: &Relation, covered: &mut HashSet<Oid>) {
    for r in views_read(c, v) {
        if covered.insert(r.oid) {
            cover(c, r, covered);
        }
    }
}

fn path(c: &Catalog, v: &Relation, depths: &HashMap<Oid, usize>) -> Vec<String> {
    let depth = |r: &Relation| depths.get(&r.oid).copied().unwrap_or(0);
    let mut path = Vec::new();
    let mut at = Some(v);
    while let Some(v) = at.filter(|v| depth(v) > 0) {
        if v.combines {
            path.push(v.sql_name());
        }
        let below = depth(v) - usize::from(v.combines);
        at = views_read(c, v).find(|r| depth(r) == below && below > 0);
        if path.len() > depths.len() {
            break;
        }
    }
    path
}
