//! A pause is itself recorded.

use dbguard_tests::Db;

#[test]
fn pausing_and_resuming_stand_in_the_log() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t', always => true)");
    db.exec("SET dbguard.actor = 'u-1'; SET dbguard.context = '\"ticket 7\"'");
    assert_eq!(db.value("SELECT dbguard.audit_pause('t', 'load of ''history''')"), "t");
    db.exec("INSERT INTO t VALUES (1); TRUNCATE t");
    assert_eq!(db.value("SELECT dbguard.audit_pause('t', 'again')"), "f");
    assert_eq!(
        db.value("SELECT problem ~ '^paused since 20[0-9-]+ [0-9:]+ UTC by postgres: load of ''history''$' FROM dbguard.audit_status()"),
        "t"
    );
    assert_eq!(db.value("SELECT state FROM dbguard.audit_status()"), "paused");
    assert_eq!(db.lines("SELECT covered, reason FROM dbguard.audit_coverage()"), ["f | audit is paused"]);
    let error = db.error("SELECT dbguard.audit_enable('t')");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("55000", "audit of table \"t\" is paused"));
    assert_ne!(error.hint, "");
    assert_eq!(db.value("SELECT dbguard.audit_resume('t')"), "t");
    assert_eq!(db.value("SELECT dbguard.audit_resume('t')"), "f");
    db.exec("INSERT INTO t VALUES (2)");
    assert_eq!(
        db.lines("SELECT op, table_name, key, new ->> 'reason', new ->> 'paused_by', actor, session_user_name, context FROM dbguard.audit_log ORDER BY id"),
        [
            "PAUSE | t | <null> | load of 'history' | <null> | u-1 | postgres | \"ticket 7\"",
            "RESUME | t | <null> | load of 'history' | postgres | u-1 | postgres | \"ticket 7\"",
            "INSERT | t | 2 | <null> | <null> | u-1 | postgres | \"ticket 7\"",
        ]
    );
    assert_eq!(db.lines("SELECT state, problem FROM dbguard.audit_status()"), ["always | <null>"]);
}

#[test]
fn partitions_rest_too() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         SELECT dbguard.audit_enable('p'); SELECT dbguard.audit_pause('p', 'load');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         INSERT INTO p VALUES (1), (11); INSERT INTO p1 VALUES (2); TRUNCATE p2; TRUNCATE p; ALTER TABLE p ADD COLUMN v int; INSERT INTO p VALUES (3)",
    );
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_log"), ["PAUSE"]);
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_coverage() WHERE reason = 'audit is paused'"),
        "3"
    );
    db.exec("SELECT dbguard.audit_resume('p'); INSERT INTO p VALUES (4), (14); TRUNCATE p2; TRUNCATE p");
    assert_eq!(
        db.lines("SELECT op, key FROM dbguard.audit_log ORDER BY id")[1..],
        ["RESUME | <null>", "INSERT | 4", "INSERT | 14", "TRUNCATE | <null>", "TRUNCATE | <null>"]
    );
    assert_eq!(db.lines("SELECT problem FROM dbguard.audit_status()"), ["<null>"]);
}

#[test]
fn by_the_owner_only_and_with_a_reason() {
    let mut db = Db::new();
    let mut owner = db.connect_as("pause_owner");
    let mut other = db.connect_as("pause_other");
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, card text); ALTER TABLE t OWNER TO pause_owner; CREATE TABLE plain (id int);
         SELECT dbguard.audit_enable('t', redact => '{card}')",
    );
    for (call, code) in [
        ("audit_pause('t', NULL)", "22004"),
        ("audit_pause('t', ' ')", "22023"),
        ("audit_pause(NULL, 'x')", "22004"),
        ("audit_resume(NULL)", "22004"),
        ("audit_pause('plain', 'x')", "55000"),
        ("audit_resume('plain')", "55000"),
        ("audit_pause('pg_class', 'x')", "42809"),
    ] {
        assert_eq!(db.error(&format!("SELECT dbguard.{call}")).code, code, "{call}");
    }
    assert_eq!(other.error("SELECT dbguard.audit_pause('t', 'x')").code, "42501");
    owner.exec("SET search_path = ''; SELECT dbguard.audit_pause('public.t', 'x')");
    assert_eq!(other.error("SELECT dbguard.audit_resume('t')").code, "42501");
    // renamed meanwhile, still redacted when it goes on; and a pause that was rolled back was none
    owner.exec(
        "ALTER TABLE public.t RENAME card TO pan; SELECT dbguard.audit_resume('public.t'); INSERT INTO public.t VALUES (1, 'secret')",
    );
    owner.exec("BEGIN; SELECT dbguard.audit_pause('public.t', 'y'); ROLLBACK");
    assert_eq!(
        db.lines("SELECT op, new - 'paused_since', session_user_name FROM dbguard.audit_log ORDER BY id"),
        [
            r#"PAUSE | {"reason": "x"} | pause_owner"#,
            r#"RESUME | {"reason": "x", "paused_by": "pause_owner"} | pause_owner"#,
            r#"INSERT | {"id": 1, "pan": "[redacted]"} | pause_owner"#,
        ]
    );
}

#[test]
fn a_trigger_switched_by_hand_shows() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); SELECT dbguard.audit_pause('t', 'x'); ALTER TABLE t ENABLE TRIGGER _dbguard_audit");
    let problem = db.value("SELECT problem FROM dbguard.audit_status()");
    assert!(
        problem.ends_with("but its trigger was enabled otherwise: call dbguard.audit_resume"),
        "{problem}"
    );
    db.exec("SELECT dbguard.audit_resume('t'); ALTER TABLE t DISABLE TRIGGER _dbguard_audit");
    assert_eq!(
        db.lines("SELECT state, problem FROM dbguard.audit_status()"),
        ["disabled | changes are not audited: the trigger is disabled"]
    );
    assert_eq!(db.value("SELECT dbguard.audit_resume('t')"), "f");
}
