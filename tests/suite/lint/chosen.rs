//! What users chose: rules on and off, severities, ignores, baselines.

use dbguard_tests::Db;

const LINT: &str = "SELECT code, object, severity, status FROM dbguard.lint()";

fn made() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (id int PRIMARY KEY, at timestamp); CREATE TABLE b (id int PRIMARY KEY, m money);
         CREATE SCHEMA \"Old\"; CREATE TABLE \"Old\".c (id int PRIMARY KEY, at timestamp)",
    );
    db.exec("SELECT * FROM dbguard.lint_configure('*', false); SELECT * FROM dbguard.lint_configure('TYP001', true); SELECT * FROM dbguard.lint_configure('money_type', true)");
    db
}

#[test]
fn rules_are_switched_and_weighed() {
    let mut db = made();
    let all = [
        "TYP006 | public.b.m | error | open",
        "TYP001 | \"Old\".c.at | warning | open",
        "TYP001 | public.a.at | warning | open",
    ];
    assert_eq!(db.lines(LINT), all);
    db.exec("SELECT * FROM dbguard.lint_configure('TYP001', severity => 'info', schema_pattern => 'O*')");
    db.exec("SELECT * FROM dbguard.lint_configure('TYP006', false, schema_pattern => 'public')");
    assert_eq!(
        db.lines(LINT),
        ["TYP001 | public.a.at | warning | open", "TYP001 | \"Old\".c.at | info | open"]
    );
    assert_eq!(
        db.lines("SELECT rule_chosen, schemas, enabled_now, severity_now, params_now FROM dbguard.lint_configure('TYP001', severity => 'error')"),
        ["TYP001 | * | t | error | {}"]
    );
    // with nothing given the choice is gone
    db.exec("SELECT * FROM dbguard.lint_configure('TYP006', schema_pattern => 'public')");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint() WHERE code = 'TYP006'"), "1");
    assert_eq!(
        db.value("SELECT author FROM dbguard.lint_config WHERE rule = 'TYP001' AND schemas = '*'"),
        "postgres"
    );
}

#[test]
fn bad_choices_change_nothing() {
    let mut db = made();
    let before = db.lines("SELECT * FROM dbguard.lint_config ORDER BY 1, 2");
    for (call, message) in [
        ("'TYP999', true", "no lint rule matches \"TYP999\""),
        ("'-TYP001', true", "no lint rule matches \"-TYP001\""),
        ("'TYP001', severity => 'bad'", "unknown severity \"bad\""),
        ("'TYP001', params => '{\"x\": 1}'", "\"TYP001\" has no number \"x\""),
        ("'score', params => '{\"error\": \"much\"}'", "\"error\" must be a number, not \"much\""),
        ("'score', params => '[]'", "argument \"params\" must be a JSON object"),
        ("'score', true", "of the score only params can be chosen"),
        ("NULL", "argument \"rule\" must not be null"),
    ] {
        let e = db.error(&format!("SELECT * FROM dbguard.lint_configure({call})"));
        assert_eq!(e.message, message);
        assert!(!e.hint.is_empty() || call == "NULL", "{e:?}");
    }
    assert_eq!(db.lines("SELECT * FROM dbguard.lint_config ORDER BY 1, 2"), before);
    let mut other = db.connect_as("lint_chooser");
    assert_eq!(other.error("SELECT * FROM dbguard.lint_configure('TYP001', false)").code, "42501");
    assert_eq!(other.error("SELECT dbguard.lint_ignore('TYP001', '*', 'x')").code, "42501");
    db.exec("GRANT INSERT, UPDATE ON dbguard.lint_ignored TO lint_chooser");
    other.exec("SELECT dbguard.lint_ignore('TYP001', 'public.a', 'x')");
    assert_eq!(db.value("SELECT author FROM dbguard.lint_ignored"), "lint_chooser");
}

#[test]
fn weights_of_the_score_can_be_chosen() {
    let mut db = made();
    let score = "SELECT score FROM dbguard.lint_score() WHERE category = 'types'";
    let before: f64 = db.value(score).parse().unwrap();
    db.exec("SELECT * FROM dbguard.lint_configure('score', params => '{\"error\": 0, \"warning\": 0}')");
    assert_eq!(db.value(score), "100");
    assert!(before < 90.0);
}

#[test]
fn ignored_until_a_day_for_a_reason() {
    let mut db = made();
    db.exec("SELECT dbguard.lint_ignore('timestamp_without_time_zone', 'public.a', 'local by law')");
    db.exec("COMMENT ON SCHEMA \"Old\" IS 'kept. @dbguard ignore TYP001,TYP006 until 2999-12-31 -- goes next year'");
    assert_eq!(db.lines(LINT), ["TYP006 | public.b.m | error | open"]);
    let ignored = db.lines(
        "SELECT object, status, details->>'reason', details->>'until', details->>'ignored_by'
         FROM dbguard.lint(include_ignored => true) WHERE status <> 'open'",
    );
    let until = db.value("SELECT current_date + 180");
    assert_eq!(
        ignored,
        [
            "\"Old\".c.at | ignored | goes next year | 2999-12-31 | comment".to_owned(),
            format!("public.a.at | ignored | local by law | {until} | postgres")
        ]
    );
    assert_eq!(
        db.lines("SELECT grouped, errors, warnings, ignored FROM dbguard.lint_summary('schema')"),
        ["public | 1 | 0 | 1", "Old | 0 | 0 | 1"]
    );
    // said again: one holds, both are on record
    db.exec("SET dbguard.lint_ignore_days = 1; SELECT dbguard.lint_ignore('TYP001', 'public.a', 'again')");
    assert_eq!(
        db.lines("SELECT reason, ended_at IS NULL, ended_by, expires - current_date FROM dbguard.lint_ignored ORDER BY id"),
        ["local by law | f | postgres | 180", "again | t | <null> | 1"]
    );
    assert_eq!(db.value("SELECT dbguard.lint_unignore('TYP001', 'public.a')"), "1");
    assert_eq!(db.value("SELECT dbguard.lint_unignore('TYP001', 'public.a')"), "0");
    assert_eq!(db.lines(LINT).len(), 2);
    for (call, message) in [
        ("'TYP001', 'a', ' '", "an ignore needs a reason"),
        ("'TYP001', '', 'x'", "object_pattern is empty"),
        ("'NOPE', 'a', 'x'", "no lint rule matches \"NOPE\""),
        ("'*', 'a', 'x'", "to ignore all rules at once is not allowed here"),
        ("'TYP001', 'a', 'x', '2020-01-01'", "expires is in the past"),
    ] {
        assert_eq!(db.error(&format!("SELECT dbguard.lint_ignore({call})")).message, message);
    }
    db.exec("SELECT * FROM dbguard.lint_configure('allow_blanket_ignore', true); SELECT dbguard.lint_ignore('*', 'public.*', 'x', 'infinity')");
    assert!(db.lines(LINT).is_empty());
}

#[test]
fn only_what_is_new_counts() {
    let mut db = made();
    assert_eq!(db.value("SELECT dbguard.lint_baseline_save()"), "3");
    assert!(db.lines("SELECT * FROM dbguard.lint(baseline => 'main') WHERE status = 'open'").is_empty());
    db.exec("ALTER TABLE a RENAME at TO moment; ALTER TABLE b DROP m");
    assert_eq!(
        db.lines("SELECT object, status FROM dbguard.lint(baseline => 'main')"),
        ["\"Old\".c.at | accepted", "public.a.moment | open"]
    );
    let diff = "SELECT change, code, object FROM dbguard.lint_baseline_diff('main')";
    assert_eq!(
        db.lines(diff),
        ["new | TYP001 | public.a.moment", "fixed | TYP001 | public.a.at", "fixed | TYP006 | public.b.m"]
    );
    assert_eq!(
        db.lines("SELECT change, code FROM dbguard.lint_baseline_diff('main', rules => '{TYP006}')"),
        ["fixed | TYP006", "not checked | TYP001", "not checked | TYP001"]
    );
    // what lies in a schema that was not asked for is not gone
    assert_eq!(
        db.lines("SELECT change, object FROM dbguard.lint_baseline_diff('main', schemas => '{public}')"),
        ["new | public.a.moment", "fixed | public.a.at", "fixed | public.b.m", "not checked | \"Old\".c.at"]
    );
    assert_eq!(db.value("SELECT dbguard.lint_baseline_prune()"), "2");
    assert_eq!(db.lines(diff), ["new | TYP001 | public.a.moment"]);
    // through a file into another database
    let file = db.value("SELECT dbguard.lint_baseline_export()");
    let mut other = made();
    assert_eq!(other.value(&format!("SELECT dbguard.lint_baseline_import('theirs', '{file}')")), "1");
    assert_eq!(other.value("SELECT string_agg(object, ' ') FROM dbguard.lint(baseline => 'theirs') WHERE status = 'accepted'"), "\"Old\".c.at");
    let e = db.error("SELECT * FROM dbguard.lint(baseline => 'nope')");
    assert_eq!((e.code.as_str(), e.hint.as_str()), ("42704", "SELECT dbguard.lint_baseline_save('nope');"));
    assert_eq!(
        db.error("SELECT dbguard.lint_baseline_import('x', '{}')").message,
        "not a baseline: \"version\" is not 1"
    );
}

#[test]
fn a_convention_that_grows_is_open_again() {
    let mut db = made();
    db.exec("DO $$ BEGIN FOR i IN 1..20 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, at timestamp)', i); END LOOP; END $$");
    db.exec("SELECT dbguard.lint_baseline_save()");
    let open = "SELECT message FROM dbguard.lint(baseline => 'main') WHERE status = 'open'";
    assert!(db.lines(open).is_empty());
    db.exec("CREATE TABLE u (id int PRIMARY KEY, at timestamp)");
    let seen = db.lines(open);
    assert!(seen.len() == 1 && seen[0].ends_with("; 1 of them not in the baseline"), "{seen:?}");
    // the convention breaks up when one is mended, ignored or many good ones come: nothing is new
    db.exec("DROP TABLE u; ALTER TABLE t1 DROP at; SELECT dbguard.lint_ignore('TYP001', 'public.t2', 'x')");
    db.exec("DO $$ BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE TABLE good%s (id int PRIMARY KEY, at timestamptz)', i); END LOOP; END $$");
    assert!(
        db.lines("SELECT object FROM dbguard.lint() WHERE code = 'TYP001' AND object_type = 'column'").len()
            > 10
    );
    assert!(db.lines(open).is_empty());
    assert_eq!(db.value("SELECT dbguard.lint_baseline_prune()"), "0");
    db.exec("ALTER TABLE t1 ADD at timestamp");
    assert_eq!(
        db.lines("SELECT object FROM dbguard.lint(baseline => 'main') WHERE status = 'open'"),
        ["public.t1.at"]
    );
}

#[test]
fn one_table_alone_and_a_time_limit() {
    let mut db = made();
    assert_eq!(db.lines("SELECT code, object FROM dbguard.lint_table('a')"), ["TYP001 | public.a.at"]);
    db.exec("CREATE TABLE p (id int, at timestamp) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT");
    assert_eq!(db.lines("SELECT code, object FROM dbguard.lint_table('p1')"), ["TYP001 | public.p.at"]);
    assert_eq!(
        db.error("SELECT * FROM dbguard.lint_table('pg_class')").message,
        "\"pg_class\" is no table or view that lint looks at"
    );
    db.exec("DO $$ BEGIN FOR i IN 1..20 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, at timestamp)', i); END LOOP; END $$");
    assert_eq!(
        db.lines("SELECT code, object FROM dbguard.lint_table('t7')"),
        ["TYP001 | public.t7.at"],
        "no convention here"
    );
    let seen = db.lines("SELECT DISTINCT status, message FROM dbguard.lint(max_seconds => 0)");
    assert_eq!(seen, ["skipped | not checked: the time limit of 0 s was reached"]);
    assert_eq!(db.error("SELECT * FROM dbguard.lint(max_seconds => -1)").code, "22023");
    db.exec("SELECT * FROM dbguard.lint(max_seconds => 1e19)");
    db.exec("SELECT * FROM dbguard.lint()");
    assert_eq!(db.value("SELECT last_ms > 0 FROM dbguard.lint_rules WHERE code = 'TYP001'"), "t");
    let e = db.error("SELECT * FROM dbguard.lint(profile => 'all')");
    assert_eq!(e.detail, "Profiles are minimal, recommended, strict, ci, production.");
}

#[test]
fn patterns_made_to_take_for_ever_do_not() {
    let mut db = made();
    db.exec("SET statement_timeout = '20s'");
    let e = db.error("SELECT * FROM dbguard.lint(rules => ARRAY[repeat('*', 200000) || 'z'])");
    assert_eq!(e.code, "22023");
    db.exec("SELECT dbguard.lint_ignore('TYP001', repeat('*a', 100) || 'b', 'x')");
    db.exec("DO $$ BEGIN EXECUTE 'COMMENT ON TABLE a IS ' || quote_literal('@dbguard ignore ' || repeat('*', 100000) || 'z -- x'); END $$");
    db.exec(&format!("CREATE TABLE {} (id int PRIMARY KEY, at timestamp)", "a".repeat(63)));
    assert_eq!(db.lines(LINT).len(), 4);
}

#[test]
fn no_pattern_stands_for_all_rules_unless_allowed() {
    let mut db = made();
    for all in ["*", "**", "???0*", "?*"] {
        let e = db.error(&format!("SELECT dbguard.lint_ignore('{all}', 'public.a', 'x')"));
        assert_eq!(e.message, "to ignore all rules at once is not allowed here", "{all}");
    }
    db.exec("COMMENT ON TABLE a IS '@dbguard ignore ** -- x'");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint() WHERE object = 'public.a.at'"), "1");
}

#[test]
fn on_for_one_schema_and_off_for_all() {
    let mut db = made();
    db.exec("SELECT dbguard.lint_configure('TYP001'), dbguard.lint_configure('TYP001', true, schema_pattern => 'Old')");
    let seen = "SELECT object FROM dbguard.lint() WHERE code = 'TYP001'";
    assert_eq!(db.lines(seen), ["\"Old\".c.at"]);
    assert_eq!(
        db.lines("SELECT object FROM dbguard.lint(rules => '{TYP001}')").len(),
        2,
        "named, it speaks everywhere"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint(max_seconds => 0) WHERE code = 'TYP001'"), "1");
    // a code wins over its category, whatever the schemas
    db.exec("SELECT dbguard.lint_configure('TYP001', true), dbguard.lint_configure('types', false, schema_pattern => 'public')");
    assert_eq!(db.lines(seen).len(), 2);
}

#[test]
fn an_ignore_of_another_schema_is_not_unused() {
    let mut db = made();
    db.exec("SELECT dbguard.lint_configure('ignores', true), dbguard.lint_ignore('TYP001', 'public.a', 'x')");
    assert!(db.lines("SELECT * FROM dbguard.lint('{Old}') WHERE code = 'DBG001'").is_empty());
    db.exec("ALTER TABLE a DROP at");
    let fix = db.lines("SELECT fix_sql, details->>'fix_safety' FROM dbguard.lint() WHERE code = 'DBG001'");
    assert_eq!(fix, ["SELECT dbguard.lint_unignore('TYP001', 'public.a'); | review"]);
    // two in one comment: what does not hold goes, both at once
    db.exec("COMMENT ON TABLE b IS 'of old. @dbguard ignore TYP006 until 2020-01-01 -- x\n@dbguard ignore INT002\n@dbguard ignore TYP006 -- y'");
    for fix in db.lines("SELECT fix_sql FROM dbguard.lint() WHERE code IN ('DBG002', 'DBG003')") {
        db.exec(&fix);
    }
    assert_eq!(db.value("SELECT obj_description('b'::regclass)"), "of old.\n@dbguard ignore TYP006 -- y");
}

#[test]
fn a_score_is_not_bought_with_a_baseline() {
    let mut db = made();
    let score = db.value("SELECT score FROM dbguard.lint_score() WHERE category = 'overall'");
    db.exec("SELECT dbguard.lint_baseline_save()");
    let said = db.value("SELECT dbguard.lint_check('never', baseline => 'main', min_score => 1)");
    let wanted = format!("; score {:.1} of 1 wanted", score.parse::<f64>().unwrap());
    assert!(said.ends_with(&wanted), "{said} {wanted}");
    db.exec("SELECT dbguard.lint_configure('score', params => '{\"types\": 0}')");
    assert!(db
        .value("SELECT dbguard.lint_check('never', rules => '{TYP001}', min_score => 85)")
        .ends_with("score n/a of 85 wanted"));
    assert_eq!(db.error("SELECT dbguard.lint_check(min_score => 'NaN')").code, "22023");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.lint(rules => '{TYP001}') WHERE confidence >= 0.9"),
        "2"
    );
}
