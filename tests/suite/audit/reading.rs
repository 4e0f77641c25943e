//! audit_diff, audit_transaction, audit_changes, and the time bounds of audit_history.

use dbguard_tests::Db;

#[test]
fn a_line_for_each_column_that_changed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, a text, n int, card text); SELECT dbguard.audit_enable('t', capture => 'full', redact => '{card}');
         SET dbguard.actor = 'u-1'; INSERT INTO t VALUES (1, 'x', NULL, '4111')",
    );
    let between = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET a = 'y', n = 5 WHERE id = 1");
    let later = db.value("SELECT clock_timestamp()");
    db.exec("DELETE FROM t");
    let columns = "SELECT op, column_name, old, new, actor, user_name";
    assert_eq!(
        db.lines(&format!("{columns} FROM dbguard.audit_diff('t', '1', '{between}', '{later}')")),
        [
            "UPDATE | a | \"x\" | \"y\" | u-1 | postgres",
            "UPDATE | card | \"[redacted]\" | \"[redacted]\" | u-1 | postgres",
            "UPDATE | n | null | 5 | u-1 | postgres",
        ]
    );
    let all = db
        .lines("SELECT op, column_name, old, new FROM dbguard.audit_diff('t', '1') WHERE column_name = 'a'");
    assert_eq!(
        all,
        ["INSERT | a | <null> | \"x\"", "UPDATE | a | \"x\" | \"y\"", "DELETE | a | \"y\" | <null>"]
    );
    let early =
        format!("SELECT string_agg(op, ' ') FROM dbguard.audit_history('t', '1', until => '{later}')");
    assert_eq!(db.value(&early), "INSERT UPDATE");
    assert_eq!(db.error("SELECT * FROM dbguard.audit_diff('t', NULL)").code, "22004");
}

#[test]
fn without_a_key_only_what_changed_is_shown() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int, b int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1); UPDATE t SET b = 2");
    assert_eq!(
        db.lines("SELECT op, column_name, old, new FROM dbguard.audit_diff('t', '{\"a\": 1}')"),
        ["INSERT | a | <null> | 1", "INSERT | b | <null> | 1", "UPDATE | b | 1 | 2"]
    );
}

#[test]
fn a_transaction_in_order_over_all_tables() {
    let mut db = Db::new();
    db.exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE \"B b\" (id int PRIMARY KEY); SELECT dbguard.audit_enable('a'); SELECT dbguard.audit_enable('\"B b\"'); INSERT INTO a VALUES (99)");
    db.exec("BEGIN; INSERT INTO a VALUES (1); INSERT INTO \"B b\" VALUES (2); SAVEPOINT s; INSERT INTO a VALUES (3); ROLLBACK TO s; UPDATE a SET id = 4 WHERE id = 1");
    let xact = db.value("SELECT pg_current_xact_id()");
    db.exec("DELETE FROM \"B b\"; COMMIT; INSERT INTO a VALUES (98)");
    assert_eq!(
        db.lines(&format!("SELECT op, table_name, key, old_key FROM dbguard.audit_transaction('{xact}')")),
        [
            "INSERT | a | 1 | <null>",
            "INSERT | B b | 2 | <null>",
            "UPDATE | a | 4 | 1",
            "DELETE | B b | 2 | <null>"
        ]
    );
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_transaction('1')"), Vec::<String>::new());
    assert_eq!(
        db.error("SELECT * FROM dbguard.audit_transaction(NULL)").message,
        "argument \"xact\" must not be null"
    );
}

#[test]
fn changes_that_fit() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE never (id int); SELECT dbguard.audit_enable('t'); SELECT dbguard.audit_enable('u');
         SET dbguard.actor = 'ann'; SET dbguard.tenant = 'x'; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)",
    );
    let middle = db.value("SELECT clock_timestamp()");
    db.exec("SET dbguard.actor = 'bob'; INSERT INTO t VALUES (2); SET dbguard.tenant = 'y'; INSERT INTO t VALUES (3); SET dbguard.actor = 'ann'; INSERT INTO u VALUES (4)");
    let mut found = |args: &str| {
        db.value(&format!("SELECT coalesce(string_agg(table_name || key, ' ' ORDER BY ordinality), '') FROM dbguard.audit_changes({args}) WITH ORDINALITY"))
    };
    assert_eq!(found(""), "t1 u1 t2 t3 u4");
    assert_eq!(found("'t'"), "t1 t2 t3");
    assert_eq!(found("actor => 'ann'"), "t1 u1 u4");
    assert_eq!(found("actor => 'nobody'"), "");
    assert_eq!(found("tenant => 'x'"), "t1 u1 t2");
    assert_eq!(found(&format!("since => '{middle}'")), "t2 t3 u4");
    assert_eq!(found(&format!("until => '{middle}', relation => 'u'")), "u1");
    assert_eq!(found(&format!("'u', 'ann', 'y', '{middle}', 'infinity'")), "u4");
    assert_eq!(found("'never'"), "");
    db.exec("ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (7); INSERT INTO t_old VALUES (8)");
    let mut found =
        |args: &str| db.value(&format!("SELECT string_agg(key, ' ') FROM dbguard.audit_changes({args})"));
    assert_eq!(found("'t'"), "7");
    assert_eq!(found("'t_old'"), "1 2 3 8");
}

#[test]
fn history_goes_on_through_dropping_and_partitions_show_their_root() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1); DROP TABLE t;
         CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 2);
         CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); SELECT dbguard.audit_enable('p'); INSERT INTO p VALUES (3)",
    );
    assert_eq!(db.value("SELECT string_agg(new ->> 'v', ' ') FROM dbguard.audit_history('t', '1')"), "1 2");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('p1', '3')"), "1");
    assert_eq!(db.value("SELECT cardinality(dbguard._audit_relations('t')) > 1 AND dbguard._audit_relations('p1') = dbguard._audit_relations('p')"), "t");
    db.exec("CREATE TABLE never (id int)");
    assert_eq!(db.value("SELECT dbguard._audit_relations('never')"), "{}");
}

#[test]
fn what_the_session_asked_to_keep_of_the_query_is_shown() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t')");
    db.exec("INSERT INTO t VALUES (1)");
    db.exec("SET dbguard.audit_query = 'text'");
    db.exec("DELETE FROM t WHERE id = 1 -- why");
    db.exec("SET dbguard.audit_query = 'hash'");
    db.exec("INSERT INTO t VALUES (1)");
    let hash = db.value("SELECT encode(sha256('INSERT INTO t VALUES (1)'), 'hex')");
    assert_eq!(
        db.lines("SELECT query FROM dbguard.audit_history('t', '1')"),
        ["<null>", "DELETE FROM t WHERE id = 1 -- why", hash.as_str()]
    );
}

#[test]
fn there_is_no_log_yet() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY)");
    for call in [
        "audit_history('t', '1')",
        "audit_diff('t', '1')",
        "audit_transaction('1')",
        "audit_changes()",
        "audit_changes('t')",
    ] {
        let error = db.error(&format!("SELECT * FROM dbguard.{call}"));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("55000", "there is no audit log yet"),
            "{call}"
        );
    }
}
