//! Statements within statements: what triggers and referential actions do in the middle of another.

use dbguard_tests::Db;

/// The log in the order things happened.
fn log(db: &mut Db, columns: &str) -> Vec<String> {
    db.lines(&format!("SELECT {columns} FROM dbguard.audit_log ORDER BY at, id"))
}

#[test]
fn referential_actions_are_the_callers() {
    let mut db = Db::new();
    db.exec(
        "CREATE ROLE nested_owner; CREATE ROLE nested_alice;
         CREATE TABLE cust (id int PRIMARY KEY);
         CREATE TABLE odr (id int PRIMARY KEY, cust int REFERENCES cust ON DELETE CASCADE);
         ALTER TABLE cust OWNER TO nested_owner; ALTER TABLE odr OWNER TO nested_owner;
         GRANT ALL ON cust, odr TO nested_alice;
         SELECT dbguard.audit_enable('cust'), dbguard.audit_enable('odr');
         SET ROLE nested_alice; INSERT INTO cust VALUES (1), (2), (3); INSERT INTO odr VALUES (10, 1), (20, 2), (30, 3);
         DELETE FROM cust WHERE id IN (1, 2); RESET ROLE",
    );
    assert_eq!(
        db.lines("SELECT current_user_name, count(*) FROM dbguard.audit_log GROUP BY 1"),
        ["nested_alice | 10"]
    );
    db.exec("DROP OWNED BY nested_owner, nested_alice; DROP ROLE nested_owner, nested_alice");
}

#[test]
fn what_a_trigger_claims_is_not_the_statements() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE ord (id int PRIMARY KEY, v text); CREATE TABLE stat (n int); INSERT INTO stat VALUES (0);
         SELECT dbguard.audit_enable('ord'), dbguard.audit_enable('stat');
         CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql SET dbguard.actor = 'job' AS $$ BEGIN UPDATE stat SET n = n + 1; RETURN NULL; END $$;
         CREATE TRIGGER zz AFTER INSERT ON ord FOR EACH ROW EXECUTE FUNCTION bump();
         SET dbguard.actor = 'alice'; INSERT INTO ord VALUES (1, 'x'), (2, 'y')",
    );
    assert_eq!(log(&mut db, "table_name, actor"), ["ord | alice", "ord | alice", "stat | job", "stat | job"]);
}

#[test]
fn a_referential_action_has_its_own_time() {
    for (action, expected) in
        [("ON DELETE CASCADE", "D | orig2 | <null>"), ("ON DELETE SET NULL", "U | <null> | <null>")]
    {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE c (id int PRIMARY KEY, pid int REFERENCES p {action}, v text);
             SELECT dbguard.audit_enable('p'), dbguard.audit_enable('c');
             CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE c SET v = v || '2' WHERE pid = 2; RETURN NULL; END $$;
             CREATE TRIGGER zz AFTER DELETE ON p FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION touch();
             INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (20, 2, 'orig')"
        ));
        let before = db.value("SELECT clock_timestamp()");
        db.exec("DELETE FROM p");
        let history =
            db.lines("SELECT left(op, 1), old->>'v', new->>'v' FROM dbguard.audit_history('c', '20')");
        assert_eq!(history, ["I | <null> | orig", "U | orig | orig2", expected], "{action}");
        assert_eq!(
            db.lines(&format!("SELECT id, pid, v FROM dbguard.audit_as_of(NULL::c, '{before}')")),
            ["20 | 2 | orig"],
            "{action}"
        );
        db.exec(&format!("SELECT * FROM dbguard.audit_revert(since => '{before}')"));
        assert_eq!(db.lines("TABLE c"), ["20 | 2 | orig"], "{action}");
        assert_eq!(db.lines("SELECT id FROM p ORDER BY 1"), ["1", "2"]);
    }
}

#[test]
fn a_referential_action_that_waited_comes_after_what_it_waited_for() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE par (id int PRIMARY KEY); CREATE TABLE chi (id int PRIMARY KEY, par int REFERENCES par ON DELETE CASCADE, v text);
         SELECT dbguard.audit_enable('par'), dbguard.audit_enable('chi');
         INSERT INTO par VALUES (1), (2); INSERT INTO chi VALUES (10, 1, 'c'), (20, 2, 'c')",
    );
    let mut other = db.connect();
    other.exec("BEGIN; SELECT FROM chi WHERE id = 20 FOR UPDATE");
    let mut deleter = db.connect();
    let pid = deleter.value("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        scope.spawn(|| deleter.exec("DELETE FROM par"));
        let waits = format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}");
        while db.value(&waits) != "Lock" {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        other.exec("UPDATE chi SET v = 'u1' WHERE id = 20; COMMIT");
    });
    assert_eq!(
        db.lines("SELECT left(op, 1), coalesce(old->>'v', '-') FROM dbguard.audit_history('chi', '20')"),
        ["I | -", "U | c", "D | u1"]
    );
    let then = db.value("SELECT at FROM dbguard.audit_log WHERE op = 'UPDATE'");
    assert_eq!(
        db.lines(&format!("SELECT id, v FROM dbguard.audit_as_of(NULL::chi, '{then}') WHERE id = 20")),
        ["20 | u1"]
    );
}

const PARTS: &str = "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
     CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
     CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3); CREATE TABLE seen (n int)";

#[test]
fn a_move_is_not_mixed_up_with_what_a_trigger_inserts() {
    let mut db = Db::new();
    db.exec(&format!(
        "{PARTS}; SELECT dbguard.audit_enable('p');
         CREATE FUNCTION arch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO p VALUES (OLD.id, 3, 'archived'); RETURN NULL; END $$;
         CREATE TRIGGER arch AFTER DELETE ON p1 FOR EACH ROW EXECUTE FUNCTION arch();
         INSERT INTO p VALUES (1, 1, 'a'); UPDATE p SET k = 2, v = 'moved' WHERE id = 1"
    ));
    assert_eq!(
        log(&mut db, "left(op, 1), key::jsonb->'k', old_key::jsonb->'k', new->>'v'"),
        ["I | 1 | <null> | a", "U | 2 | 1 | moved", "I | 3 | <null> | archived"]
    );
}

#[test]
fn a_move_is_one_change_whatever_triggers_do_in_between() {
    let mut db = Db::new();
    db.exec(&format!(
        "{PARTS}; SELECT dbguard.audit_enable('p', redact => '{{v}}');
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (1); RETURN NULL; END $$;
         CREATE TRIGGER look AFTER DELETE ON p1 FOR EACH ROW EXECUTE FUNCTION look();
         INSERT INTO p VALUES (1, 1, 'keep me')"
    ));
    let before = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE p SET k = 2");
    assert_eq!(log(&mut db, "op, key::jsonb->'k'"), ["INSERT | 1", "UPDATE | 2"]);
    db.exec(&format!("SELECT * FROM dbguard.audit_revert(relation => 'p', since => '{before}')"));
    assert_eq!(db.lines("TABLE p"), ["1 | 1 | keep me"]);
}

#[test]
fn foreign_keys_and_triggers_do_not_keep_from_packing() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE f (id int PRIMARY KEY); INSERT INTO f SELECT generate_series(1, 3); CREATE TABLE seen (n int);
         CREATE TABLE t (id int PRIMARY KEY, f int REFERENCES f);
         SELECT dbguard.audit_enable('t', bulk => 'pack');
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END $$;
         CREATE TRIGGER look AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION look();
         INSERT INTO t SELECT i, 1 + i % 3 FROM generate_series(1, 500) i",
    );
    assert_eq!(
        db.lines("SELECT (SELECT count(*) FROM dbguard.audit_change), sum(changes) FROM dbguard.audit_pack"),
        ["0 | 500"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "500");
}

#[test]
fn what_an_inner_statement_loses_is_its_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE other (id int PRIMARY KEY);
         SELECT dbguard.audit_enable('t'), dbguard.audit_enable('other');
         CREATE FUNCTION tries() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO other VALUES (NEW.id);
           BEGIN
             INSERT INTO other VALUES (NEW.id + 100); UPDATE t SET v = 7 WHERE id = NEW.id; RAISE EXCEPTION 'no';
           EXCEPTION WHEN OTHERS THEN INSERT INTO other VALUES (NEW.id + 200);
           END;
           RETURN NULL; END $$;
         CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tries();
         INSERT INTO t VALUES (1, 1), (2, 2)",
    );
    assert_eq!(
        log(&mut db, "left(op, 1), table_name, key"),
        ["I | t | 1", "I | t | 2", "I | other | 1", "I | other | 201", "I | other | 2", "I | other | 202"]
    );
}

#[test]
fn truncate_and_pause_have_the_time_they_happened() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t')");
    db.exec("DO $$ BEGIN TRUNCATE t; INSERT INTO t VALUES (1, 'x'); TRUNCATE t; END $$");
    assert_eq!(log(&mut db, "left(op, 1)"), ["T", "I", "T"]);
    let then = db.value("SELECT at FROM dbguard.audit_log WHERE op = 'INSERT'");
    // what was in it when it was emptied is not known
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_as_of(NULL::t, '{then}')")).code, "55000");
    db.exec(
        "DO $$ BEGIN INSERT INTO t VALUES (2, 'y'); PERFORM dbguard.audit_pause('t', 'load'); PERFORM dbguard.audit_resume('t');
         UPDATE t SET v = 'z'; PERFORM dbguard.audit_pause('t', 'again'); PERFORM dbguard.audit_resume('t'); END $$",
    );
    assert_eq!(log(&mut db, "left(op, 1)")[3..], ["I", "P", "R", "U", "P", "R"]);
}

/// The change of key is written before the change that caused it, and came after it.
#[test]
fn a_life_is_followed_through_a_key_that_a_trigger_changed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id text PRIMARY KEY, step int, secret text); SELECT dbguard.audit_enable('t');
         CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN UPDATE t SET id = 'new', step = 2 WHERE id = NEW.id; RETURN NULL; END $$;
         CREATE TRIGGER rename AFTER UPDATE ON t FOR EACH ROW WHEN (NEW.step = 1) EXECUTE FUNCTION rename();
         INSERT INTO t VALUES ('old', 0, 'first')",
    );
    db.exec("UPDATE t SET step = 1, secret = 'second'");
    let xact = db.value("SELECT max(xact::text) FROM dbguard.audit_log WHERE op = 'UPDATE'");
    assert_eq!(
        db.lines("SELECT key, old_key FROM dbguard.audit_log WHERE op = 'UPDATE' ORDER BY id"),
        ["new | old", "old | <null>"]
    );
    assert_eq!(
        db.lines("SELECT op, new->>'secret' FROM dbguard.audit_history('t', 'new')"),
        ["INSERT | first", "UPDATE | second", "UPDATE | <null>"]
    );
    assert_eq!(
        db.lines("SELECT action, key, set_to FROM dbguard.audit_revert_plan(relation => 't', key => 'new')"),
        ["DELETE | new | <null>"]
    );
    assert_eq!(
        db.lines(&format!("SELECT action, key, set_to FROM dbguard.audit_revert_plan(xact => '{xact}')")),
        [r#"UPDATE | new | {"id": "old", "step": 0, "secret": "first"}"#]
    );
    db.exec("SELECT dbguard.audit_redact('t', 'new', '{secret}', 'law')");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_log WHERE concat(old, new) ~ 'first|second'"),
        "0"
    );
}
