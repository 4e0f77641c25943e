use crate::lint::catalog::types::integer_max;
use crate::lint::catalog::{Catalog, Sequence};
use crate::lint::finding::{Finding, Fix, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::widen_with_references;

pub static RULE: Rule = Rule {
    code: "INT047",
    name: "sequence_exhaustion",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Sequence is close to its end",
    why: "When it ends, every INSERT fails. The end is the sequence's maximum or that of the \
          narrowest column it feeds, whichever comes first: a bigint sequence does not help an int \
          column. Warning from 80 %, error from 90 %. Cycling and never used sequences are left alone.",
    bad: "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY); -- and 1.9 billion rows later",
    good: "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY);",
    remedy: "make the column, all that refer to it, and the sequence bigint",
    peers: "db_verifier s1010-12, pg-index-health, pghero, check_postgres sequence, check_pgactivity, pytest-pghealth, pgdoctor",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("serial near its end", "CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 2000000000)"),
        case("bigint sequence, int column", "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s')); SELECT setval('s', 1900000000)"),
        case("identity, with a child", "CREATE TABLE t (id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY); CREATE TABLE u (t_id smallint REFERENCES t); SELECT setval('t_id_seq', 32000)"),
        case("own maximum, fed by hand", "CREATE SEQUENCE \"S.s\" MAXVALUE 100; SELECT setval('\"S.s\"', 85)"),
    ],
    silent: &[
        case("half way", "CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 1000000000)"),
        case("never used", "CREATE SEQUENCE s MAXVALUE 5 START 5"),
        case("cycles", "CREATE SEQUENCE s MAXVALUE 100 CYCLE; SELECT setval('s', 99)"),
        case("counts down", "CREATE SEQUENCE s INCREMENT -1 MINVALUE -1000 MAXVALUE 100 START 100; SELECT nextval('s')"),
        case("bigint far on", "CREATE TABLE t (id bigserial PRIMARY KEY); SELECT setval('t_id_seq', 3000000000)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for s in c.sequences.iter().filter(|s| s.linted && !s.cycle && s.increment > 0) {
        if let Some(reason) = &s.unreadable {
            out.skip(s.object(), reason.clone());
            continue;
        }
        out.examine(&s.schema);
        let Some(last) = s.last_value else { continue };
        let end = end(c, s);
        let used = last as f64 / end as f64;
        if last <= 0 || used < 0.8 {
            continue;
        }
        let severity = if used >= 0.9 { Severity::Error } else { Severity::Warning };
        let name = s.object().identity;
        let found = Finding::new(
            s.object(),
            format!("sequence {name} has used {:.1} % of its {end} values", used * 100.0),
        )
        .severity(severity)
        .evidence("last_value", last)
        .evidence("end", end)
        .fix(fix(c, s));
        out.find(found);
    }
}

/// The last value that fits the sequence and every column it feeds.
fn end(c: &Catalog, s: &Sequence) -> i64 {
    let columns = s.feeds.iter().filter_map(|(t, a)| c.relation(*t)?.attribute(*a));
    columns.filter_map(|a| integer_max(a.base_type)).fold(s.maximum, i64::min).max(1)
}

fn fix(c: &Catalog, s: &Sequence) -> Option<Fix> {
    let [(table, attnum)] = s.feeds[..] else { return None };
    let (t, full) = (c.relation(table)?, s.maximum == i64::MAX);
    let a = t.attribute(attnum)?;
    // A maximum somebody chose is somebody's to change.
    let by_type = full || integer_max(a.base_type) == Some(s.maximum);
    if by_type && a.base_type == a.type_oid {
        widen_with_references(c, t, a)
    } else {
        None
    }
}
