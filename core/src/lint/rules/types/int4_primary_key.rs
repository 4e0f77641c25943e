use crate::lint::catalog::types::{integer_max, INT2, INT4};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::widen_with_references;

pub static RULE: Rule = Rule {
    code: "TYP011",
    name: "int4_primary_key",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Generated primary key is a 4 or 2 byte integer",
    why: "It ends at 2,147,483,647 (smallint: 32,767), and gaps count: a busy table gets there, and \
          widening it then means downtime. Only serial and identity keys are meant. Error once \
          half is used; info for a table that has been analyzed and holds fewer than 10,000 rows.",
    bad: "CREATE TABLE orders (id serial PRIMARY KEY);",
    good: "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    remedy: "make the column, all that refer to it, and its sequence bigint, while the table is small",
    peers: "squawk prefer-bigint, pgfence 31, active_record_doctor short_primary_key_type, pytest-pghealth, pgdoctor pk-types, pg-migration-lint PGM107, online_migrations, database_consistency",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("serial", "CREATE TABLE t (id serial PRIMARY KEY)"),
        case("identity with children", "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); CREATE TABLE u (t int REFERENCES t, v int REFERENCES t)"),
        case("smallserial, quoted", r#"CREATE TABLE "T.t" ("Id" smallserial PRIMARY KEY)"#),
        case("half used", "CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 1500000000)"),
        case("used by a view", "CREATE TABLE t (id serial PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t"),
    ],
    silent: &[
        case("bigserial", "CREATE TABLE t (id bigserial PRIMARY KEY)"),
        case("not generated", "CREATE TABLE t (id int PRIMARY KEY)"),
        case("composite", "CREATE TABLE t (id serial, b int, PRIMARY KEY (id, b))"),
        case("serial that is no key", "CREATE TABLE t (id bigint PRIMARY KEY, n serial)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let Some([key]) = t.primary_key().map(|k| &k.columns[..]) else { continue };
        let Some(a) = t.attribute(*key) else { continue };
        let sequence = c.sequence_of(t.oid, a.num);
        if sequence.is_none() && !a.identity {
            continue;
        }
        out.examine(&t.schema);
        if matches!(a.base_type, INT2 | INT4) {
            let used = sequence.and_then(|s| s.last_value);
            let message = format!("generated primary key {} is {}", t.column_object(a).identity, a.type_name);
            let found = Finding::new(t.column_object(a), message)
                .severity(severity(t, a, used))
                .evidence("last_value", used)
                .evidence("rows", t.tuples)
                .fix(widen_with_references(c, t, a));
            out.find(found);
        }
    }
}

fn severity(t: &Relation, a: &Attribute, used: Option<i64>) -> Severity {
    let half = integer_max(a.base_type).map(|m| m / 2);
    match (used, half) {
        (Some(used), Some(half)) if used > half => Severity::Error,
        _ if (0.0..10_000.0).contains(&t.tuples) => Severity::Info,
        _ => Severity::Warning,
    }
}
