//! Answers for builds and for other programs.

use dbguard_tests::{Cluster, Db};
use serde_json::Value;
use std::process::Command;

fn made() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE \"A |b\" (id int, m money); CREATE TABLE t (id bigint PRIMARY KEY, at timestamp);
         COMMENT ON COLUMN t.at IS '@dbguard ignore TYP001 -- local by law';
         CREATE TABLE p (a int PRIMARY KEY) PARTITION BY LIST (a); CREATE TABLE d PARTITION OF p DEFAULT",
    );
    db
}

/// The schema of SARIF as it was published, in the package of the library that writes it.
fn sarif_schema() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let packages: Value = serde_json::from_slice(&out.stdout).unwrap();
    let of = |p: &&Value| p["name"] == "serde-sarif";
    let package = packages["packages"].as_array().unwrap().iter().find(of).unwrap();
    let folder = std::path::Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let text = std::fs::read_to_string(folder.join("src/schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    // as published, the pattern of languages is no regular expression; our reports name no language
    for part in ["run", "toolComponent"] {
        let language = schema["definitions"][part]["properties"]["language"].as_object_mut().unwrap();
        assert!(language.remove("pattern").is_some());
    }
    schema
}

#[test]
fn sarif_is_what_its_schema_says() {
    let mut db = made();
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE d");
    let call = "SELECT dbguard.lint_report('sarif', '{\"public.t\": [\"db/a b.sql\", 7]}')";
    let text = db.value(call);
    other.exec("ROLLBACK");
    let report: Value = serde_json::from_str(&text).unwrap();
    let schema = jsonschema::validator_for(&sarif_schema()).unwrap();
    let errors: Vec<String> =
        schema.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut broken = report.clone();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&broken), "the schema does say something");

    let run = &report["runs"][0];
    let results = run["results"].as_array().unwrap();
    let hushed = results.iter().find(|r| !r["suppressions"].is_null()).unwrap();
    assert_eq!(
        (&hushed["ruleId"], &hushed["suppressions"][0]["kind"]),
        (&"TYP001".into(), &"inSource".into())
    );
    let place = &hushed["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"db/a%20b.sql".into(), &7.into())
    );
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["associatedRule"]["id"], "PAR003");
    let findings =
        db.value("SELECT count(*) FROM dbguard.lint(include_ignored => true) WHERE status <> 'skipped'");
    assert_eq!(results.len().to_string(), findings);
}

#[test]
fn every_format_tells_the_same_findings() {
    let mut db = made();
    db.exec("SELECT dbguard.lint_configure('*', false), dbguard.lint_configure('TYP001', true), dbguard.lint_configure('TYP006', true)");
    let mut report = |format: &str| db.value(&format!("SELECT dbguard.lint_report('{format}')"));
    assert_eq!(
        report("github"),
        "::error title=TYP006 money_type::column public.\"A |b\".m is money; numeric is the better type"
    );
    assert_eq!(
        report("tap"),
        "1..2\nok 1 - TYP001 timestamp_without_time_zone\nnot ok 2 - TYP006 money_type\n# error public.\"A |b\".m: column public.\"A |b\".m is money; numeric is the better type"
    );
    assert_eq!(db.lines("SELECT * FROM dbguard.lint_tap()").len(), 4);
    let mut report = |format: &str| db.value(&format!("SELECT dbguard.lint_report('{format}')"));
    assert!(report("csv").starts_with("severity,code,rule,category,object,"));
    assert!(report("markdown").contains("| error | TYP006 | public.\"A \\|b\".m |"));
    assert!(report("junit").contains("<testcase name=\"TYP006 money_type\" classname=\"dbguard.types\""));
    let gitlab: Value = serde_json::from_str(&report("gitlab")).unwrap();
    assert_eq!(gitlab.as_array().unwrap().len(), 1);
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), 2);
    let e = db.error("SELECT dbguard.lint_report('html5')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("22023", "unknown format \"html5\""));
    let e = db.error("SELECT dbguard.lint_report('sarif', '{\"t\": 3}')");
    assert_eq!(e.message, "cannot read source_map: \"t\" is not at [\"file\", line]");
}

#[test]
fn a_build_fails_by_what_is_new() {
    let cluster = Cluster::start(&["autovacuum = on"]);
    let mut db = Db::new_in(&cluster);
    db.exec("CREATE TABLE t (id bigint PRIMARY KEY, m money)");
    let e = db.error("SELECT dbguard.lint_check()");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("DBG01", "lint: 1 error, 0 warnings, 0 infos open; 0 accepted, 0 ignored, 0 not checked")
    );
    assert_eq!(e.detail, "error TYP006 public.t.m: column public.t.m is money; numeric is the better type");
    assert!(db.value("SELECT dbguard.lint_check('never')").starts_with("1 error, "));
    db.exec("SELECT dbguard.lint_baseline_save('main')");
    assert!(db.value("SELECT dbguard.lint_check(baseline => 'main')").contains("1 accepted"));
    db.exec("CREATE TABLE u (id bigint PRIMARY KEY, at timestamp)");
    assert!(db.value("SELECT dbguard.lint_check(baseline => 'main')").starts_with("0 errors, 1 warning,"));
    assert_eq!(db.error("SELECT dbguard.lint_check('warning', 'main')").code, "DBG01");
    assert!(db.value("SELECT dbguard.lint_check('error', 'main', min_score => 50)").contains("; score "));
    let e = db.error("SELECT dbguard.lint_check('error', 'main', min_score => 99.9)");
    assert!(e.message.contains("; score ") && e.message.ends_with("of 99.9 wanted"), "{e:?}");
    assert_eq!(db.error("SELECT dbguard.lint_check('fatal')").code, "22023");
}

#[test]
fn the_fix_script_runs_and_ends_what_it_says() {
    let cluster = Cluster::start(&["autovacuum = on"]);
    let mut db = Db::new_in(&cluster);
    db.exec(
        "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE \"B\nb\" (id bigint PRIMARY KEY, a_id bigint REFERENCES a);
         CREATE TABLE c (id bigint PRIMARY KEY, x bigint); CREATE INDEX i ON c (x); CREATE INDEX j ON c (x);
         CREATE TABLE m (id bigint PRIMARY KEY, m money)",
    );
    let script = db.value("SELECT dbguard.lint_fix_script()");
    let online = db.value(
        "SELECT count(*) FROM dbguard.lint() WHERE details->>'fix_safety' IN ('online', 'brief_lock')",
    );
    assert_ne!(online, "0");
    // as psql does: a statement at a time, its own commands left to it
    let lines: Vec<&str> = script.lines().filter(|l| !l.starts_with("--") && !l.starts_with('\\')).collect();
    for statement in lines.join("\n").split_inclusive(';').filter(|s| !s.trim().is_empty()) {
        db.exec(statement);
    }
    assert_eq!(
        db.value(
            "SELECT count(*) FROM dbguard.lint() WHERE details->>'fix_safety' IN ('online', 'brief_lock')"
        ),
        "0"
    );
    assert!(
        !script.contains("money")
            && db.value("SELECT dbguard.lint_fix_script(mode => 'all')").contains("TYP006")
    );
    assert_eq!(db.error("SELECT dbguard.lint_fix_script(mode => 'now')").detail, "There are online, all.");
}
