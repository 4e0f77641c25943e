use crate::lint::catalog::types::{integer_width, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Constraint, Relation};
use crate::lint::finding::{Finding, Fix, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::retype;

pub static RULE: Rule = Rule {
    code: "INT004",
    name: "fk_column_type_mismatch",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Foreign key column has another type than the column it refers to",
    why: "A narrower integer overflows long before the key does, and comparing unlike types costs \
          a cast in every join. Error where the child is a narrower integer, warning for other \
          types, info where only the length differs or text meets varchar. Domains count as their \
          base type.",
    bad: "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a);",
    good: "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a_id bigint REFERENCES a);",
    remedy: "give the referring column the type of the referred one; the table is rewritten",
    peers: "pglinter B008, db_verifier fk1001, pg-index-health, pgcrab, pytest-pghealth, active_record_doctor, database_consistency, pgassistant, SchemaCrawler, online_migrations",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("int to bigint", "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE t (a int REFERENCES a)"),
        case("one of two columns", "CREATE TABLE a (x int, y bigint, PRIMARY KEY (x, y)); CREATE TABLE t (x int, y int, FOREIGN KEY (x, y) REFERENCES a)"),
        case("wider than needed", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a bigint REFERENCES a)"),
        case("length differs", "CREATE TABLE a (id varchar(10) PRIMARY KEY); CREATE TABLE t (a varchar(5) REFERENCES a)"),
        case("text to varchar, used by a view", "CREATE TABLE a (id varchar PRIMARY KEY); CREATE TABLE t (a text REFERENCES a); CREATE VIEW v AS SELECT a FROM t"),
        case("quoted", r#"CREATE TABLE "A a" ("I.d" bigint PRIMARY KEY); CREATE TABLE "T" ("A" smallint REFERENCES "A a")"#),
    ],
    silent: &[
        case("same type", "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE t (a bigint REFERENCES a)"),
        case("domain over the same type", "CREATE DOMAIN d AS bigint; CREATE TABLE a (id d PRIMARY KEY); CREATE TABLE t (a bigint REFERENCES a)"),
        case("self reference", "CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t)"),
        case("copies on partitions", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, fk) in c.foreign_keys() {
        out.examine(&t.schema);
        let Some(parent) = c.relation(fk.ref_relation) else { continue };
        let pairs = fk.columns.iter().zip(&fk.ref_columns);
        let pairs = pairs.filter_map(|(a, b)| Some((t.attribute(*a)?, parent.attribute(*b)?)));
        // Once a key: the worst of its columns.
        let worst = pairs.filter_map(|(a, b)| Some((severity(a, b)?, a, b))).max_by_key(|(s, ..)| *s);
        if let Some((severity, a, b)) = worst {
            let message = format!(
                "foreign key {} compares {} ({}) with {} ({})",
                fk.name,
                t.column_object(a).identity,
                a.type_name,
                parent.column_object(b).identity,
                b.type_name
            );
            let found = Finding::new(t.constraint_object(fk), message)
                .key(t, &t.names(&fk.columns).join(","))
                .severity(severity)
                .fix(fix(c, t, fk, a, b));
            out.find(found);
        }
    }
}

fn severity(a: &Attribute, b: &Attribute) -> Option<Severity> {
    let text = |t| t == TEXT || t == VARCHAR;
    match (integer_width(a.base_type), integer_width(b.base_type)) {
        _ if a.base_type == b.base_type && a.base_typmod == b.base_typmod => None,
        _ if a.base_type == b.base_type || (text(a.base_type) && text(b.base_type)) => Some(Severity::Info),
        (Some(child), Some(parent)) if child < parent => Some(Severity::Error),
        _ => Some(Severity::Warning),
    }
}

/// Only where no value can fail to convert and no other key follows the column.
fn fix(c: &Catalog, t: &Relation, fk: &Constraint, a: &Attribute, b: &Attribute) -> Option<Fix> {
    let others =
        t.constraints.iter().filter(|o| o.kind == 'f' && o.oid != fk.oid && o.columns.contains(&a.num));
    if others.count() > 0 || c.references_to(t.oid, a.num).next().is_some() || a.base_type != a.type_oid {
        return None;
    }
    let widens = match (integer_width(a.base_type), integer_width(b.base_type)) {
        (Some(child), Some(parent)) => child < parent,
        _ => {
            b.base_typmod == -1 && (b.base_type == TEXT || (b.base_type == VARCHAR && a.base_type == VARCHAR))
        }
    };
    // Another unlike pair of the same key would stay.
    let single = fk.columns.len() == 1 || integer_width(a.base_type).is_some();
    if widens && single {
        retype(t, a, &b.type_name, None)
    } else {
        None
    }
}
