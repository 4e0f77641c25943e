use crate::lint::catalog::{Catalog, Index, IndexKey, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;
use std::collections::{BTreeSet, HashMap};

pub static RULE: Rule = Rule {
    code: "IDX002",
    name: "duplicate_index",
    category: Category::Indexes,
    severity: Severity::Error,
    title: "Index is the same as another one",
    why: "Both are maintained by every write, one is enough. The same means: access method, key \
          columns in order with operator class, collation and direction, expressions, predicate \
          and INCLUDE. A plain index beside a unique one is IDX004. An index that serves a constraint, a foreign key, CLUSTER or the replica identity is never the \
          one to drop.",
    bad: "CREATE INDEX a ON t (x); CREATE INDEX b ON t (x);",
    good: "CREATE INDEX a ON t (x);",
    remedy: "DROP INDEX CONCURRENTLY",
    peers: "splinter 0009, pglinter B002, db_verifier i1001, pg-index-health, pghero, pgcrab, pytest-pghealth, pgFirstAid, pgassistant, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("twice", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)"),
        case("unique beside the primary key", "CREATE TABLE t (a int PRIMARY KEY); CREATE UNIQUE INDEX i ON t (a)"),
        case("expression and predicate", r#"CREATE TABLE "T.t" ("A" text); CREATE INDEX "I i" ON "T.t" (lower("A")) WHERE "A" > ''; CREATE INDEX j ON "T.t" (lower("A")) WHERE "A" > ''"#),
        case("unique twice", "CREATE TABLE t (a int UNIQUE); CREATE UNIQUE INDEX i ON t (a)"),
        case("include in another order", "CREATE TABLE t (a int, b int, c int); CREATE INDEX i ON t (a) INCLUDE (b, c); CREATE INDEX j ON t (a) INCLUDE (c, b)"),
        case("on a partitioned table", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)"),
    ],
    silent: &[
        case("beside a deferrable constraint", "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, UNIQUE (a) DEFERRABLE); CREATE UNIQUE INDEX i ON t (a)"),
        case("other direction", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a DESC)"),
        case("other operator class", "CREATE TABLE t (a text); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a text_pattern_ops)"),
        case("other collation", "CREATE TABLE t (a text); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a COLLATE \"C\")"),
        case("other predicate", "CREATE TABLE t (a int); CREATE INDEX i ON t (a) WHERE a > 0; CREATE INDEX j ON t (a) WHERE a > 1"),
        case("other method", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX j ON t USING hash (a)"),
        case("other include", "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a) INCLUDE (b); CREATE INDEX j ON t (a)"),
        case("plain beside a unique one", "CREATE TABLE t (a int PRIMARY KEY); CREATE INDEX i ON t (a)"),
        case("both constraints", "CREATE TABLE t (a int PRIMARY KEY, UNIQUE (a))"),
        case("nulls differ", "CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT; CREATE UNIQUE INDEX j ON t (a)"),
    ],
};

/// What an index finds rows by; two that agree here are the same to a query.
type Shape<'i> = (&'i str, &'i [IndexKey], Option<&'i str>, Option<&'i str>, BTreeSet<i16>);

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        examine(t, out);
        for (copy, kept) in copies(t).into_iter().filter(|(copy, kept)| copy.unique || !kept.unique) {
            out.find(finding(t, copy, kept));
        }
    }
}

pub fn examine(t: &Relation, out: &mut Report) {
    t.indexes.iter().filter(|i| i.valid).for_each(|_| out.examine(&t.schema));
}

/// Indexes that nothing would miss, each with the one that does the same.
pub fn copies(t: &Relation) -> Vec<(&Index, &Index)> {
    let mut shapes: HashMap<Shape, Vec<&Index>> = HashMap::new();
    for i in t.indexes.iter().filter(|i| i.valid) {
        let shape = (
            i.method.as_str(),
            i.keys.as_slice(),
            i.opclass_options.as_deref(),
            i.predicate.as_deref(),
            i.include.iter().copied().collect(),
        );
        shapes.entry(shape).or_default().push(i);
    }
    let mut found = vec![];
    for mut same in shapes.into_values() {
        // The one worth most first: it stays.
        same.sort_by_key(|i| (std::cmp::Reverse((needed(i), i.unique, i.scans)), i.name.as_str()));
        let Some((kept, copies)) = same.split_first() else { continue };
        let spare = copies.iter().filter(|i| !needed(i) && enforces_no_more(i, kept));
        found.extend(spare.map(|copy| (*copy, *kept)));
    }
    found
}

/// Something beside queries relies on it.
pub fn needed(i: &Index) -> bool {
    i.constraint.is_some() || i.primary || i.referenced || i.replica_identity || i.clustered || i.is_partition
}

fn enforces_no_more(copy: &Index, kept: &Index) -> bool {
    let as_strict = copy.deferrable || !kept.deferrable;
    !copy.unique || (kept.unique && as_strict && copy.nulls_not_distinct == kept.nulls_not_distinct)
}

pub fn finding(t: &Relation, copy: &Index, kept: &Index) -> Finding {
    let columns: Vec<i16> = copy.keys.iter().map(|k| k.attnum).collect();
    Finding::new(copy.object(), format!("index {} is the same as {}", copy.sql_name(), kept.sql_name()))
        .key(t, &t.names(&columns).join(","))
        .evidence("same_as", kept.sql_name())
        .evidence("pages", copy.pages)
        .evidence("scans", copy.scans)
        .fix(drop_index(t, copy))
}

/// CONCURRENTLY is not to be had on a partitioned table.
pub fn drop_index(t: &Relation, i: &Index) -> Fix {
    let partitioned = t.kind == RelationKind::PartitionedTable;
    let fix = match partitioned {
        true => Fix::new(format!("DROP INDEX {};", i.sql_name()), Safety::BriefLock),
        false => Fix::new(format!("DROP INDEX CONCURRENTLY {};", i.sql_name()), Safety::Online),
    };
    match undo(i, partitioned) {
        Some(sql) => fix.undo(sql),
        None => fix,
    }
}

/// Its definition with the CONCURRENTLY, and for the partitions too: pg_get_indexdef says neither, nor the tablespace.
fn undo(i: &Index, partitioned: bool) -> Option<String> {
    let create = if i.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " };
    let definition = i.definition.as_deref().filter(|_| !i.special_storage)?;
    let rest = definition.strip_prefix(create)?.strip_prefix(ident(&i.name).as_str())?;
    let (how, rest) = match partitioned {
        true => ("", rest.strip_prefix(" ON ONLY ")?),
        false => ("CONCURRENTLY ", rest.strip_prefix(" ON ")?),
    };
    Some(format!("{create}{how}{} ON {rest};", ident(&i.name)))
}
