use crate::lint::catalog::types::{BPCHAR, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Constraint, Index, Relation, Sample};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::{ends_with, words};
use crate::lint::rule::{case, Category, Rollup, Rule, Section};
use crate::lint::rules::fix::retype;
use crate::lint::text::mentions;

pub static RULE: Rule = Rule {
    code: "TYP012",
    name: "uuid_stored_as_text",
    category: Category::Types,
    severity: Severity::Warning,
    title: "UUIDs are stored as text",
    why: "37 bytes in place of 16 in the table and in each index, compared by collation, and the same id in \
          capitals is another one. Told where every value that ANALYZE kept is a UUID with its hyphens, and \
          by the name (uuid, guid) of text that can hold one, unless ANALYZE saw something else in it. \
          Hashes in hexadecimal are left alone.",
    bad: "CREATE TABLE orders (order_uuid varchar(36));",
    good: "CREATE TABLE orders (order_uuid uuid);",
    remedy: "ALTER COLUMN TYPE uuid, together with the columns that refer to it",
    peers: "db_verifier sm0001, pg-index-health primary_keys_with_varchar, pgdoctor uuid-types",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[Section::Samples],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("by name", "CREATE TABLE t (order_uuid varchar(36))"),
        case("by name, quoted, partitioned", r#"CREATE TABLE "T.t" (a int, "RowGuid" char(36) NOT NULL) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
        case("by its values", "CREATE TABLE t (ref text); INSERT INTO t SELECT gen_random_uuid() FROM generate_series(1, 100); CREATE UNIQUE INDEX ON t (ref); ANALYZE t"),
        case("by a default", "CREATE TABLE t (uuid text DEFAULT gen_random_uuid()::text)"),
        case("a key that others refer to", "CREATE TABLE a (uuid text PRIMARY KEY); CREATE TABLE b (a_uuid text REFERENCES a)"),
        case("a check", "CREATE TABLE t (uuid text CHECK (length(uuid) = 36)); CREATE TABLE u (guid char(32)); CREATE INDEX ON u (guid bpchar_pattern_ops)"),
    ],
    silent: &[
        case("uuid", "CREATE TABLE t (uuid uuid, order_uuid uuid)"),
        case("hashes", "CREATE TABLE t (ha1 text, sha char(64)); INSERT INTO t SELECT md5(i::text), md5(i::text) || md5(i::text) FROM generate_series(1, 100) i; ANALYZE t"),
        case("the name is wrong", "CREATE TABLE t (uuid text); INSERT INTO t SELECT 'row-' || i FROM generate_series(1, 100) i; ANALYZE t"),
        case("some are", "CREATE TABLE t (ref text); INSERT INTO t SELECT gen_random_uuid()::text FROM generate_series(1, 100) UNION ALL SELECT 'order number ' || lpad(i::text, 23, '0') FROM generate_series(1, 100) i; ANALYZE t"),
        case("too few to tell", "CREATE TABLE t (ref text); INSERT INTO t SELECT gen_random_uuid() FROM generate_series(1, 3); ANALYZE t"),
        case("too short, a list, other names, temporary", "CREATE TABLE t (uuid varchar(10), uuids text, uuid_prefix text, guid_count int, guide text); CREATE TEMP TABLE u (uuid text)"),
    ],
};

/// Values for them to say something without the name.
const LEAST: usize = 10;

fn check(c: &Catalog, out: &mut Report) {
    let mut refused: Option<(&Relation, &str)> = None;
    for (t, a) in c.columns().filter(|(_, a)| holds_uuid(a) && !a.generated) {
        out.examine(&t.schema);
        let by_name = (ends_with(&a.name, "uuid") || ends_with(&a.name, "guid"))
            && words(&a.name).last().is_some_and(|w| w == "uuid" || w == "guid");
        let sample = match &a.sample {
            Some(Err(reason)) if !by_name => {
                // once a table
                if refused.is_none_or(|(r, _)| r.oid != t.oid) {
                    out.skip(t.object(), reason.as_str());
                    refused = Some((t, reason));
                }
                continue;
            }
            Some(Ok(sample)) => Some(sample),
            _ => None,
        };
        let confidence = match sample.map(|s| (by_name, verdict(s))) {
            Some((_, Some(true))) => 0.9,
            // nothing but NULLs or values too wide to keep
            None | Some((true, None)) if by_name => 0.6,
            _ => continue,
        };
        let column = t.column_object(a);
        let message = format!("column {} is {} and holds UUIDs", column.identity, a.type_name);
        out.find(
            Finding::new(column, message)
                .confidence(confidence)
                .evidence("column", a.name.as_str())
                .evidence("type", a.type_name.as_str())
                .fix(fix(t, a)),
        );
    }
}

/// Text without limit, or with that of a UUID: 36 characters, 32 without hyphens, 38 in braces.
fn holds_uuid(a: &Attribute) -> bool {
    matches!((a.type_oid, a.typmod), (TEXT | VARCHAR | BPCHAR, -1 | 36 | 40 | 42))
        || (a.type_oid == VARCHAR && a.typmod == 44)
}

/// Whether all values are UUIDs with hyphens. None: too few, or none were kept.
fn verdict(s: &Sample) -> Option<bool> {
    if !s.values().all(|v| is_uuid(v)) || (s.width > 0 && !(32..=40).contains(&s.width)) {
        return Some(false);
    }
    (s.values().count() >= LEAST).then_some(true)
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(i, b)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

/// Not where something else would have to change too: keys, checks, defaults, special indexes.
fn fix(t: &Relation, a: &Attribute) -> Option<Fix> {
    let key = |k: &Constraint| match k.kind {
        'f' | 'c' | 'x' => k.columns.contains(&a.num),
        _ => false,
    };
    let named = |e: &Option<String>| e.as_ref().is_some_and(|e| mentions(e, &a.name));
    let index = |i: &Index| {
        let has = i.keys.iter().any(|k| k.attnum == a.num);
        (has && (i.special_opclass || i.referenced || !t.plain_collations(i) || i.method != "btree"))
            || named(&i.predicate)
            || i.keys.iter().any(|k| named(&k.expression))
    };
    if a.has_default || t.constraints.iter().any(key) || t.indexes.iter().any(index) {
        return None;
    }
    // queries that compare it with text fail from then on
    retype(t, a, "uuid", Some("::uuid")).map(|fix| Fix { safety: Safety::Review, ..fix })
}
