//! What is rolled back is not in the log; what commits is, whatever the way.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t')");
    db
}

const KEYS: &str =
    "SELECT coalesce(string_agg(op || ' ' || key, ', ' ORDER BY at, id), '') FROM dbguard.audit_log";

#[test]
fn savepoints_and_exception_blocks() {
    let mut db = db();
    db.exec(
        "BEGIN; SAVEPOINT a; INSERT INTO t VALUES (1); ROLLBACK TO a; INSERT INTO t VALUES (2);
         SAVEPOINT b; INSERT INTO t VALUES (3); SAVEPOINT c; INSERT INTO t VALUES (4); RELEASE b;
         SAVEPOINT d; INSERT INTO t VALUES (5); ROLLBACK TO d; COMMIT",
    );
    assert_eq!(db.value(KEYS), "INSERT 2, INSERT 3, INSERT 4");
    db.exec(
        "DO $$ BEGIN
           INSERT INTO t VALUES (6);
           BEGIN INSERT INTO t VALUES (7); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END;
           INSERT INTO t VALUES (8);
         END $$",
    );
    assert_eq!(db.value(KEYS), "INSERT 2, INSERT 3, INSERT 4, INSERT 6, INSERT 8");
    // every change finds its transaction's row, though the first writer of it may have been rolled back
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE xact IS NULL"), "0");
}

#[test]
fn a_failed_statement_leaves_nothing() {
    let mut db = db();
    assert_eq!(db.error("INSERT INTO t VALUES (1), (2), (1)").code, "23505");
    db.exec("BEGIN; INSERT INTO t VALUES (3); ROLLBACK");
    assert_eq!(db.value(KEYS), "");
}

#[test]
fn prepared_transactions() {
    let mut db = db();
    db.exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'audit_x'");
    assert_eq!(db.value(KEYS), "");
    db.exec("COMMIT PREPARED 'audit_x'");
    assert_eq!(db.value(KEYS), "INSERT 1");
    db.exec("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'audit_y'");
    db.exec("ROLLBACK PREPARED 'audit_y'");
    db.exec("INSERT INTO t VALUES (3)");
    assert_eq!(db.value(KEYS), "INSERT 1, INSERT 3");
}

#[test]
fn deferred_constraint_triggers_and_nested_triggers() {
    let mut db = db();
    db.exec(
        "CREATE TABLE note (id int PRIMARY KEY); SELECT dbguard.audit_enable('note');
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO note VALUES (NEW.id); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER d AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
         BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT",
    );
    assert_eq!(
        db.lines("SELECT table_name, key FROM dbguard.audit_log ORDER BY at, id"),
        ["t | 1", "t | 2", "note | 1", "note | 2"]
    );
}

#[test]
fn visible_at_once_in_the_same_transaction() {
    let mut db = db();
    db.exec("BEGIN; INSERT INTO t VALUES (1)");
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_history('t', '1')"), ["INSERT"]);
    db.exec("ROLLBACK");
}

#[test]
fn replica_role_and_always() {
    let mut db = db();
    db.exec("SET session_replication_role = replica; INSERT INTO t VALUES (1)");
    assert_eq!(db.value(KEYS), "");
    db.exec("ALTER TABLE t ENABLE ALWAYS TRIGGER _dbguard_audit; INSERT INTO t VALUES (2)");
    assert_eq!(db.value(KEYS), "INSERT 2");
    assert_eq!(db.value("SELECT state FROM dbguard.audit_status()"), "always");
}

#[test]
fn many_sessions_at_once_lose_nothing() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (0, 0)");
    let mut sessions: Vec<Db> = (0..8).map(|_| db.connect()).collect();
    std::thread::scope(|scope| {
        for (i, session) in sessions.iter_mut().enumerate() {
            scope.spawn(move || {
                for n in 0..50 {
                    let end = if n % 5 == 4 { "ROLLBACK" } else { "COMMIT" };
                    session.exec(&format!(
                        "BEGIN; UPDATE t SET v = v + 1 WHERE id = 0; INSERT INTO t VALUES ({}, 0); {end}",
                        1000 * (i + 1) + n
                    ));
                }
            });
        }
    });
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE op = 'INSERT'"), "321");
    // the life of the one row all fought over, in its order and without a gap
    let broken = db.value(
        "SELECT count(*) FROM (SELECT old ->> 'v' AS old, lag(new ->> 'v') OVER (ORDER BY id) AS before
                               FROM dbguard.audit_log WHERE key = '0') x WHERE old <> before",
    );
    assert_eq!(broken, "0");
    assert_eq!(db.value("SELECT v FROM t WHERE id = 0"), "320");
}

#[test]
fn a_change_is_logged_before_what_other_triggers_make_of_it() {
    let mut db = db();
    db.exec(
        "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = 99 WHERE id = NEW.id; RETURN NULL; END $$;
         CREATE TRIGGER a_first AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION more();
         INSERT INTO t VALUES (1, 1)",
    );
    assert_eq!(db.value(KEYS), "INSERT 1, UPDATE 1");
}

#[test]
fn copy_is_seen_at_once_and_undone_with_its_savepoint() {
    let mut db = db();
    for mut session in [db.connect(), db.connect()] {
        let copy = |session: &mut Db, lines: &str| {
            let mut copy = session.client().copy_in("COPY t FROM STDIN WHERE id <> 5").unwrap();
            std::io::Write::write_all(&mut copy, lines.as_bytes()).unwrap();
            copy.finish().is_ok()
        };
        // the first thing a session does, and not
        session.exec("BEGIN");
        assert!(copy(&mut session, "1\t1\n5\t1\n2\t1\n"));
        assert_eq!(session.value(KEYS), "INSERT 1, INSERT 2");
        session.exec("SAVEPOINT s");
        assert!(!copy(&mut session, "3\t1\n1\t1\n"));
        session.exec("ROLLBACK TO s; SAVEPOINT s");
        assert!(copy(&mut session, "4\t1\n"));
        assert_eq!(session.value(KEYS), "INSERT 1, INSERT 2, INSERT 4");
        session.exec("ROLLBACK TO s; INSERT INTO t VALUES (6)");
        assert_eq!(session.value(KEYS), "INSERT 1, INSERT 2, INSERT 6");
        session.exec("ROLLBACK");
    }
    assert_eq!(db.value(KEYS), "");
}

/// What a session remembers of a transaction it prepared may never come to be.
#[test]
fn what_was_prepared_is_not_relied_upon() {
    let mut db = db();
    let whole = "SELECT string_agg(key || coalesce(actor, '-'), ' ' ORDER BY id), bool_and(xact IS NOT NULL AND table_name = 't' AND session_user_name IS NOT NULL) FROM dbguard.audit_log";
    let mut fresh = db.connect();
    fresh.exec(
        "BEGIN; ALTER TABLE t ADD COLUMN w int; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'audit_first'",
    );
    db.exec("ROLLBACK PREPARED 'audit_first'");
    fresh.exec("INSERT INTO t VALUES (2)");
    assert_eq!(db.lines(whole), ["2- | t"]);
    fresh.exec("BEGIN; SAVEPOINT s; SET LOCAL dbguard.actor = 'a'; INSERT INTO t VALUES (3); RELEASE s; PREPARE TRANSACTION 'audit_second'");
    fresh.exec("SET dbguard.actor = 'a'; INSERT INTO t VALUES (4)");
    assert_eq!(db.lines(whole), ["2- 4a | t"]);
    db.exec("COMMIT PREPARED 'audit_second'");
    assert_eq!(db.lines(whole), ["2- 3a 4a | t"]);
}

#[test]
fn hundreds_of_subtransactions_within_each_other_and_in_a_row() {
    let mut db = db();
    db.exec(
        "DO $$ BEGIN
           FOR i IN 1..300 LOOP
             BEGIN INSERT INTO t VALUES (i); IF i % 3 = 0 THEN RAISE 'no'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END;
           END LOOP;
         END $$;
         CREATE FUNCTION deeper(n int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO t VALUES (1000 + n);
           IF n < 100 THEN PERFORM deeper(n + 1); END IF;
           INSERT INTO t VALUES (2000 + n);
           IF n = 50 THEN RAISE 'no'; END IF;
         EXCEPTION WHEN raise_exception THEN INSERT INTO t VALUES (3000 + n);
         END $$;
         SELECT deeper(1)",
    );
    assert_eq!(
        db.lines("SELECT count(*), count(*) FILTER (WHERE key::int % 3 = 0) FROM dbguard.audit_log WHERE key::int <= 300"),
        ["200 | 0"]
    );
    assert_eq!(
        db.lines("SELECT key FROM dbguard.audit_log WHERE key::int > 300 ORDER BY at, id"),
        (1001..=1049).chain([3050]).chain((2001..=2049).rev()).map(|k| k.to_string()).collect::<Vec<_>>()
    );
}

/// As poolers do between two users of a session.
#[test]
fn a_session_that_is_reset() {
    let mut db = db();
    let mut pooled = db.connect();
    for id in 1..=3 {
        pooled.exec(&format!("SET dbguard.actor = 'user {id}'; INSERT INTO t VALUES ({id})"));
        pooled.exec("DISCARD ALL");
        pooled.exec(&format!("UPDATE t SET v = 1 WHERE id = {id}"));
    }
    assert_eq!(
        db.lines("SELECT left(op, 1), key, actor FROM dbguard.audit_log ORDER BY at, id"),
        [
            "I | 1 | user 1",
            "U | 1 | <null>",
            "I | 2 | user 2",
            "U | 2 | <null>",
            "I | 3 | user 3",
            "U | 3 | <null>"
        ]
    );
}
