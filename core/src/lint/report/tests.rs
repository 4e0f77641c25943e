use super::*;
use crate::lint::engine::{Examined, Row};
use crate::lint::finding::{Fix, Safety};
use crate::lint::rules;
use serde_json::{json, Map};

fn row(code: &str, status: Status, severity: Severity, name: &str, message: &str) -> Row {
    Row {
        rule: rules::find(code).unwrap(),
        severity,
        status,
        object: Object { kind: "table", schema: "public".into(), identity: name.into(), oid: 7 },
        message: message.into(),
        fix: (status == Status::Open).then(|| Fix::new("SELECT '```';", Safety::Online)),
        confidence: 1.0,
        fingerprint: format!("{code}0000000000"),
        affected: 1,
        members: vec![],
        details: Map::from_iter([("reason".to_owned(), json!("so, it \"is\""))]),
    }
}

fn run() -> Run {
    let rows = vec![
        row("INT002", Status::Open, Severity::Error, "public.\"a|b,c\"", "bad, 100 %:\nvery <b>"),
        row("TYP001", Status::Ignored, Severity::Warning, "public.t", "x"),
        row("PAR003", Status::Skipped, Severity::Warning, "public.d", "not checked: locked"),
    ];
    let rule = |code| Examined { rule: rules::find(code).unwrap(), objects: 1, ms: 1.5 };
    Run { rows, examined: vec![rule("INT002"), rule("PAR003"), rule("TYP001"), rule("TYP006")] }
}

fn written(format: Format) -> String {
    let map = json!({"public.\"a|b,c\"": ["db/a b,c.sql", 12]});
    let sources = Sources::new(Some(&map), HashMap::new()).unwrap();
    write(&Report { database: "my db", run: &run(), sources: &sources }, format).unwrap()
}

#[test]
fn github_escapes() {
    let lines = written(Format::Github);
    let wanted = "::error file=db/a b%2Cc.sql,line=12,title=INT002 table_without_any_unique_key::bad, 100 %25:%0Avery <b>";
    assert_eq!(lines.lines().next(), Some(wanted));
    assert!(lines.ends_with("::notice title=PAR003::public.d: not checked: locked"), "{lines}");
}

#[test]
fn tap_has_a_line_a_rule() {
    let wanted = "1..4\nnot ok 1 - INT002 table_without_any_unique_key\n# error public.\"a|b,c\": bad, 100 %: very <b>\n\
                  ok 2 - PAR003 default_partition_has_rows # SKIP not checked: locked\n\
                  ok 3 - TYP001 timestamp_without_time_zone\nok 4 - TYP006 money_type";
    assert_eq!(written(Format::Tap), wanted);
}

#[test]
fn markdown_lets_no_name_out_of_its_cell() {
    let page = written(Format::Markdown);
    assert!(page.contains("1 error, 0 warnings, 0 infos"), "{page}");
    assert!(page.contains(r#"| error | INT002 | public."a\|b,c" | bad, 100 %: very \<b\> |"#), "{page}");
    assert!(page.contains("````sql\nSELECT '```';\n````") && page.contains("## Not checked"), "{page}");
}

#[test]
fn csv_quotes() {
    let text = written(Format::Csv);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &rows[0][4], &rows[0][6]), (3, "public.\"a|b,c\"", "bad, 100 %:\nvery <b>"));
}

#[test]
fn json_and_gitlab_can_be_read() {
    let all: Value = serde_json::from_str(&written(Format::Json)).unwrap();
    assert_eq!((&all["open"]["error"], all["findings"].as_array().unwrap().len()), (&json!(1), 3));
    let list: Value = serde_json::from_str(&written(Format::Gitlab)).unwrap();
    assert_eq!(list[0]["location"], json!({"path": "db/a b,c.sql", "lines": {"begin": 12}}));
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn junit_has_a_case_a_rule() {
    let xml = written(Format::Junit);
    assert!(
        xml.contains("tests=\"4\"") && xml.contains("failures=\"1\"") && xml.contains("very &lt;b&gt;"),
        "{xml}"
    );
    assert!(xml.contains("<skipped message=\"not checked: locked\""), "{xml}");
}

#[test]
fn sarif_has_places_suppressions_and_notes() {
    let all: Value = serde_json::from_str(&written(Format::Sarif)).unwrap();
    let run = &all["runs"][0];
    let places = &run["results"][0]["locations"][0];
    assert_eq!(places["physicalLocation"]["artifactLocation"]["uri"], "db/a%20b%2Cc.sql");
    assert_eq!(places["physicalLocation"]["region"]["startLine"], 12);
    assert_eq!(run["results"][1]["suppressions"][0]["justification"], "so, it \"is\"");
    assert_eq!(
        run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "schema://my%20db"
    );
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["associatedRule"]["id"], "PAR003");
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 4);
    assert_eq!(run["results"][0]["ruleIndex"], 0);
}

#[test]
fn maps_of_sources() {
    let sources = |map: Value| Sources::new(Some(&map), HashMap::new());
    assert!(sources(json!({"a": "file.sql"})).is_ok() && sources(json!({})).is_ok());
    assert_eq!(sources(json!({"a": 3})).unwrap_err(), "\"a\" is not at [\"file\", line]");
    assert!(sources(json!([])).is_err() && sources(json!({"a": ["f", 0]})).is_err());
}
