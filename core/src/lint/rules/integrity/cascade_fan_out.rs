use crate::lint::catalog::{Catalog, Oid, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

pub static RULE: Rule = Rule {
    code: "INT009",
    name: "cascade_fan_out",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Deleting one row deletes a great many others",
    why: "ON DELETE CASCADE goes from table to table: one DELETE becomes one long transaction that locks and \
          deletes all it reaches, and a mistake takes everything along. Rows are estimated, on average for \
          each row of the table at the start: warning from 100,000. Three tables and more one behind the \
          other are told as info, whatever their size. Only the table where it starts is told.",
    bad: "CREATE TABLE tasks (... REFERENCES projects ON DELETE CASCADE); -- and projects so to users, users to tenants",
    good: "CREATE TABLE projects (... REFERENCES users ON DELETE RESTRICT);",
    remedy: "ON DELETE RESTRICT somewhere on the way, and delete in batches from the far end",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[
        Param { name: "depth", default: 3.0, about: "tables one behind the other" },
        Param { name: "rows", default: 100_000.0, about: "rows deleted for each row of the first table" },
    ],
    recommended: true,
    check,
    fires: &[
        case("four in a row", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE); CREATE TABLE c (id int PRIMARY KEY REFERENCES b ON DELETE CASCADE); CREATE TABLE d (id int REFERENCES c ON DELETE CASCADE)"),
        case("many rows, quoted", r#"CREATE TABLE "T.t" (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES "T.t" ON DELETE CASCADE); UPDATE pg_class SET reltuples = 10 WHERE oid = '"T.t"'::regclass; UPDATE pg_class SET reltuples = 2000000 WHERE oid = 'b'::regclass"#),
        case("rows of partitions", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE) PARTITION BY LIST (id); CREATE TABLE b1 PARTITION OF b DEFAULT; UPDATE pg_class SET reltuples = 10 WHERE oid = 'a'::regclass; UPDATE pg_class SET reltuples = 2000000 WHERE oid = 'b1'::regclass"),
        case("in a circle", "CREATE TABLE a (id int PRIMARY KEY, d int); CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE); CREATE TABLE c (id int PRIMARY KEY REFERENCES b ON DELETE CASCADE); CREATE TABLE d (id int PRIMARY KEY REFERENCES c ON DELETE CASCADE); ALTER TABLE a ADD FOREIGN KEY (d) REFERENCES d ON DELETE CASCADE"),
    ],
    silent: &[
        case("three in a row", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE); CREATE TABLE c (id int REFERENCES b ON DELETE CASCADE)"),
        case("restricted on the way", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE); CREATE TABLE c (id int PRIMARY KEY REFERENCES b); CREATE TABLE d (id int REFERENCES c ON DELETE CASCADE)"),
        case("few each", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE); UPDATE pg_class SET reltuples = 100000 WHERE oid = 'a'::regclass; UPDATE pg_class SET reltuples = 2000000 WHERE oid = 'b'::regclass"),
        case("a tree, side by side", "CREATE TABLE a (id int PRIMARY KEY, parent int REFERENCES a ON DELETE CASCADE); CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE); CREATE TABLE c (id int REFERENCES a ON DELETE CASCADE); CREATE TABLE d (id int REFERENCES a ON DELETE CASCADE)"),
        case("never analyzed", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a ON DELETE CASCADE); UPDATE pg_class SET reltuples = 2000000 WHERE oid = 'b'::regclass"),
    ],
};

/// What a DELETE reaches: how many levels, which tables, and the way to the farthest.
struct Reach<'c> {
    depth: usize,
    tables: Vec<&'c Relation>,
    way: Vec<&'c Relation>,
}

fn check(c: &Catalog, out: &mut Report) {
    let mut children: BTreeMap<Oid, Vec<&Relation>> = BTreeMap::new();
    let mut follows: HashSet<Oid> = HashSet::new();
    for (t, k) in c.foreign_keys().filter(|(t, k)| k.on_delete == 'c' && k.ref_relation != t.oid) {
        children.entry(k.ref_relation).or_default().push(t);
        follows.insert(t.oid);
    }
    let parents: Vec<&Relation> = c.tables().filter(|t| children.contains_key(&t.oid)).collect();
    let (first, circles): (Vec<_>, Vec<_>) = parents.into_iter().partition(|t| !follows.contains(&t.oid));
    let mut circles = circles;
    circles.sort_by_key(|t| (t.schema.as_str(), t.name.as_str()));
    let mut seen: HashSet<Oid> = HashSet::new();
    for t in first.into_iter().chain(circles) {
        // reached from one that was told already
        if seen.contains(&t.oid) {
            continue;
        }
        out.examine(&t.schema);
        let reach = reach(t, &children);
        seen.extend(reach.tables.iter().map(|r| r.oid));
        out.findings.extend(finding(c, t, &reach));
    }
}

fn reach<'c>(from: &'c Relation, children: &BTreeMap<Oid, Vec<&'c Relation>>) -> Reach<'c> {
    let mut came: HashMap<Oid, (usize, Option<&Relation>)> = HashMap::from([(from.oid, (0, None))]);
    let mut queue = VecDeque::from([from]);
    let (mut tables, mut last) = (Vec::new(), from);
    while let Some(t) = queue.pop_front() {
        let depth = came.get(&t.oid).map_or(0, |(d, _)| *d);
        // breadth first, so the last is the farthest
        last = t;
        for child in children.get(&t.oid).into_iter().flatten() {
            if let Entry::Vacant(new) = came.entry(child.oid) {
                new.insert((depth + 1, Some(t)));
                tables.push(*child);
                queue.push_back(child);
            }
        }
    }
    let mut way = vec![last];
    while let Some((_, Some(before))) = way.last().and_then(|t| came.get(&t.oid)) {
        way.push(before);
    }
    way.reverse();
    Reach { depth: way.len() - 1, tables, way }
}

fn finding(c: &Catalog, t: &Relation, reach: &Reach) -> Option<Finding> {
    let rows: f64 = reach.tables.iter().filter_map(|r| c.rows(r)).sum();
    let each = c.rows(t).filter(|own| *own >= 1.0).map(|own| (rows / own).round());
    let many = each.is_some_and(|n| n >= c.param(&RULE, "rows"));
    if !many && (reach.depth as f64) < c.param(&RULE, "depth") {
        return None;
    }
    let way: Vec<String> = reach.way.iter().map(|r| r.sql_name()).collect();
    let mut message = format!(
        "deleting a row of {} deletes from {} tables, up to {} one behind the other: {}",
        t.sql_name(),
        reach.tables.len(),
        reach.depth,
        way.join(", ")
    );
    if let Some(n) = each.filter(|n| *n >= 1.0) {
        message += &format!("; about {n} rows on average");
    }
    let severity = if many { Severity::Warning } else { Severity::Info };
    let found = Finding::new(t.object(), message).severity(severity).confidence(if many { 0.6 } else { 0.5 });
    Some(found.evidence("way", way).evidence("tables", reach.tables.len()).evidence("rows_each", each))
}
