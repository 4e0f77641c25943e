use super::*;
use crate::lint::catalog::{types, Attribute, Facts, Relation, Schema};
use crate::lint::rule::Section;
use crate::lint::rules;
use crate::lint::select::select;

fn table(oid: Oid, name: &str, columns: &[(&str, Oid)]) -> Relation {
    let attributes = columns.iter().zip(1..).map(|((name, type_oid), num)| Attribute {
        num,
        name: (*name).to_owned(),
        type_oid: *type_oid,
        typmod: -1,
        ..Attribute::default()
    });
    Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        attributes: attributes.collect(),
        ..Relation::default()
    }
}

fn catalog(relations: Vec<Relation>) -> Catalog {
    let schemas = vec![Schema { oid: 1, name: "public".into(), ..Schema::default() }];
    Catalog::new(Facts { database: "db".into(), schemas, relations, ..Facts::default() }, None)
}

fn run_rules(catalog: &Catalog, words: &[&str]) -> Vec<Row> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    run(catalog, &select(&rules::all(), Some(&words)).unwrap(), &Options::default()).rows
}

#[test]
fn a_stronger_rule_hides_a_weaker_one() {
    let c = catalog(vec![table(10, "a", &[("x", types::TEXT)])]);
    let codes: Vec<&str> = run_rules(&c, &["INT00?"]).iter().map(|r| r.rule.code).collect();
    assert_eq!(codes, ["INT002"]);
    assert_eq!(run_rules(&c, &["INT001"]).len(), 1, "alone it speaks");
}

#[test]
fn a_convention_is_told_once() {
    let many: Vec<Relation> =
        (0..25).map(|n| table(10 + n, &format!("t{n:02}"), &[("at", types::TIMESTAMP)])).collect();
    let rows = run_rules(&catalog(many.clone()), &["TYP001"]);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].affected, rows[0].object.kind), (25, "schema"));
    assert_eq!(rows[0].details["objects"].as_array().map(Vec::len), Some(25));

    let mut mixed = many;
    mixed.extend((0..10).map(|n| table(90 + n, &format!("u{n}"), &[("at", types::TIMESTAMPTZ)])));
    assert_eq!(run_rules(&catalog(mixed), &["TYP001"]).len(), 25, "71 % is not a convention");
}

#[test]
fn order_and_fingerprints_do_not_depend_on_the_order_of_the_catalogs() {
    let tables = vec![table(10, "b", &[("at", types::TIMESTAMP)]), table(11, "a", &[("m", types::MONEY)])];
    let mut turned = tables.clone();
    turned.reverse();
    let key = |rows: Vec<Row>| -> Vec<(String, String)> {
        rows.into_iter().map(|r| (r.object.identity, r.fingerprint)).collect()
    };
    let one = key(run_rules(&catalog(tables), &["*"]));
    assert_eq!(one, key(run_rules(&catalog(turned), &["*"])));
    assert!(one.iter().all(|(_, f)| f.len() == 16 && f.bytes().all(|b| b.is_ascii_hexdigit())));
    let distinct: HashSet<&String> = one.iter().map(|(_, f)| f).collect();
    assert_eq!(distinct.len(), one.len());
}

#[test]
fn fingerprints_are_for_ever() {
    assert_eq!(fingerprint("INT001", "public.orders"), fingerprint("INT001", "public.orders"));
    assert_ne!(fingerprint("INT001", "public.orders"), fingerprint("INT002", "public.orders"));
    assert_eq!(fingerprint("INT001", "public.orders"), "358fb4a12b3759a7");
}

#[test]
fn severity_filter() {
    let c = catalog(vec![table(10, "a", &[("at", types::TIMESTAMP), ("m", types::MONEY)])]);
    let rows = run(&c, &rules::all(), &Options { min_severity: Severity::Error, ..Options::default() }).rows;
    assert!(!rows.is_empty() && rows.iter().all(|r| r.severity == Severity::Error));
}

#[test]
fn made_up_names_fit() {
    let long = "é".repeat(40);
    assert!(object_name(&["idx", &long]).trim_matches('"').len() <= 63);
}

#[test]
fn every_rule_is_filled_in() {
    let rules = rules::all();
    let codes: HashSet<&str> = rules.iter().map(|r| r.code).collect();
    let names: HashSet<&str> = rules.iter().map(|r| r.name).collect();
    assert_eq!((codes.len(), names.len()), (rules.len(), rules.len()));
    for r in rules {
        // what the server is or did cannot be shown in an empty database: those have tests of their own
        let of_the_server = |s: &Section| matches!(s, Section::Cluster | Section::Workload);
        let enough = r.fires.len() >= 2 && r.silent.len() >= 3;
        let beyond = r.reads.iter().any(of_the_server) || r.code == "PRF009";
        assert!(enough || beyond, "{} has too few cases", r.code);
        for text in [r.title, r.why, r.bad, r.good, r.remedy] {
            assert!(!text.is_empty(), "{}", r.code);
        }
        assert!(r.hides.iter().all(|h| codes.contains(h)), "{}", r.code);
    }
}
