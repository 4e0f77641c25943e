//! Selection, and bad input.

use dbguard_tests::{Cluster, Db, SqlError};

const TABLES: &str =
    "CREATE TABLE a (at timestamp, m money); CREATE SCHEMA \"S.s\"; CREATE TABLE \"S.s\".b (m money)";

#[test]
fn rules_schemas_and_severities_select() {
    let mut db = Db::new();
    db.exec(TABLES);
    let mut codes = |args: &str| {
        db.lines(&format!("SELECT DISTINCT code COLLATE \"C\" FROM dbguard.lint({args}) ORDER BY 1"))
            .join(" ")
    };
    // the test cluster runs without autovacuum
    assert_eq!(codes(""), "INT002 MNT003 NAM001 TYP001 TYP006");
    assert_eq!(codes("rules => '{TYP*}'"), "TYP001 TYP006");
    assert_eq!(codes("rules => '{types,-TYP001}'"), "TYP006");
    assert_eq!(codes("rules => '{-INT*,-money_type,-naming,-maintenance}'"), "TYP001");
    assert_eq!(codes("schemas => ARRAY['S.s']"), "INT002 MNT003 NAM001 TYP006");
    assert_eq!(codes("schemas => ARRAY['public'], min_severity => 'error'"), "INT002 MNT003 TYP006");
    assert_eq!(codes("schemas => '{}'"), "MNT003");
    assert_eq!(codes("rules => '{}'"), "");
    assert_eq!(codes("NULL, NULL"), codes(""));
}

fn refused(e: &SqlError, code: &str, message: &str) {
    assert_eq!((e.code.as_str(), e.message.as_str()), (code, message));
    assert!(!e.hint.is_empty(), "no hint: {e:?}");
}

#[test]
fn bad_input_is_told_what_is_valid() {
    let mut db = Db::new();
    let e = db.error("SELECT * FROM dbguard.lint(rules => '{TYP001,FOO*}')");
    refused(&e, "22023", "no lint rule matches \"FOO*\"");
    assert!(e.detail.contains("INT001") && e.detail.contains("multi-tenancy"), "{e:?}");
    let e = db.error("SELECT * FROM dbguard.lint(min_severity => 'fatal')");
    refused(&e, "22023", "unknown severity \"fatal\"");
    assert_eq!(e.detail, "Severities are info, warning, error.");
    let e = db.error("SELECT * FROM dbguard.lint('{nope}')");
    refused(&e, "3F000", "schema \"nope\" does not exist");
    assert_eq!(e.detail, "Schemas to lint are public.");
    refused(
        &db.error("SELECT * FROM dbguard.lint('{pg_catalog}')"),
        "22023",
        "schema \"pg_catalog\" belongs to the system or to a tool",
    );
    refused(
        &db.error("SELECT * FROM dbguard.lint('{dbguard}')"),
        "22023",
        "schema \"dbguard\" belongs to the system or to a tool",
    );
    refused(
        &db.error("SELECT * FROM dbguard.lint(ARRAY['public', NULL])"),
        "22023",
        "argument \"schemas\" must not contain nulls",
    );
    refused(
        &db.error("SELECT * FROM dbguard.lint(rules => ARRAY[NULL])"),
        "22023",
        "argument \"rules\" must not contain nulls",
    );
    assert_eq!(db.error("SELECT * FROM dbguard.lint(min_severity => NULL)").code, "22004");
    let e = db.error("SELECT dbguard.lint_explain('X1')");
    refused(&e, "22023", "there is no lint rule \"X1\"");
    assert_eq!(db.error("SELECT dbguard.lint_explain(NULL)").code, "22004");
    refused(
        &db.error("SELECT * FROM dbguard.lint_score('{nope}')"),
        "3F000",
        "schema \"nope\" does not exist",
    );
}

#[test]
fn rules_are_listed_and_explained() {
    let mut db = Db::new();
    let rules = dbguard_core::lint::rules::all();
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint_rules"), rules.len().to_string());
    for rule in rules {
        let text = db.value(&format!("SELECT dbguard.lint_explain('{}')", rule.name));
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.starts_with(rule.code) && words(&text).contains(&words(rule.why)), "{text}");
        assert!(text.lines().all(|l| l.len() < 240), "{text}");
    }
}

#[test]
fn the_score_rises_as_findings_go() {
    let cluster = Cluster::start(&["autovacuum = on"]);
    let mut db = Db::new_in(&cluster);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint_score()"), "16");
    db.exec("CREATE TABLE t (id bigint, at timestamp)");
    let overall = "SELECT score FROM dbguard.lint_score() WHERE category = 'overall'";
    let before: f64 = db.value(overall).parse().unwrap();
    assert!(before <= 84.0);
    assert_eq!(db.value("SELECT gain_rule FROM dbguard.lint_score() WHERE category = 'overall'"), "INT002");
    assert_eq!(db.value("SELECT coalesce(score::text, 'none') || grade FROM dbguard.lint_score() WHERE category = 'multi-tenancy'"), "nonen/a");
    for fix in db.rows("SELECT fix_sql FROM dbguard.lint() WHERE fix_sql IS NOT NULL") {
        db.exec(&fix[0]);
    }
    assert_eq!(
        db.lines("SELECT score, grade FROM dbguard.lint_score() WHERE category = 'overall'"),
        ["100 | A"]
    );
}

#[test]
fn json_beyond_what_can_be_kept_is_refused() {
    let mut db = Db::new();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for value in ["{\"columns\": 1e400}", &format!("{{\"columns\": {deep}}}")] {
        for (call, name) in [
            ("dbguard.lint_configure('TYP001', params => $j$VALUE$j$)", "params"),
            ("dbguard.lint_report('json', source_map => $j$VALUE$j$)", "source_map"),
            ("dbguard.lint_baseline_import('b', $j$VALUE$j$)", "findings"),
        ] {
            let e = db.error(&format!("SELECT {}", call.replace("VALUE", value)));
            assert_eq!(e.code, "22023", "{e:?}");
            assert!(e.message.starts_with(&format!("cannot read argument \"{name}\": ")), "{e:?}");
        }
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint_baseline"), "0");
}
