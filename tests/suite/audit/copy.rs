//! COPY and the statements that run in the middle of it: those before its rows are in came before them, those of
//! its AFTER triggers came after. An INSERT of the same rows says the same.

use dbguard_tests::Db;

/// Puts rows `id, 'new'` for ids 1 to `last` into `t`.
fn ways(last: u32) -> [String; 2] {
    [
        format!("COPY t (id, v) FROM PROGRAM 'seq -f \"%.0f\tnew\" {last}'"),
        format!("INSERT INTO t SELECT i, 'new' FROM generate_series(1, {last}) i"),
    ]
}

const BULK: [&str; 2] = ["rows", "pack"];

/// An audited table `t` of `columns`, filled with old rows 1 and 2, and an audited table `tally`.
fn db(columns: &str, bulk: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t {columns}; CREATE TABLE tally (id int PRIMARY KEY, n int);
         SELECT dbguard.audit_enable('t', bulk => '{bulk}'), dbguard.audit_enable('tally', bulk => '{bulk}');
         INSERT INTO t VALUES (1, 'old'), (2, 'old'); INSERT INTO tally VALUES (1, 0)"
    ));
    db
}

/// A trigger on `t` that fires at `when`, named `name`.
fn trigger(db: &mut Db, name: &str, when: &str, body: &str) {
    db.exec(&format!(
        r#"CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
           CREATE TRIGGER "{name}" {when} EXECUTE FUNCTION "{name}"()"#
    ));
}

fn history(db: &mut Db, key: u32) -> Vec<String> {
    db.lines(&format!(
        "SELECT left(op, 1), coalesce(new, old)->>'v' FROM dbguard.audit_history('t', '{key}')"
    ))
}

fn as_of(db: &mut Db, at: &str) -> Vec<String> {
    db.lines(&format!("SELECT id, v FROM dbguard.audit_as_of(NULL::t, '{at}') ORDER BY id"))
}

const PARTS: &str = "(id int, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v);
     CREATE TABLE t_old PARTITION OF t FOR VALUES IN ('old'); CREATE TABLE t_new PARTITION OF t FOR VALUES IN ('new')";

/// A trigger deletes the row that is in the way of the one that comes.
#[test]
fn what_a_before_trigger_does_came_before() {
    for bulk in BULK {
        for way in ways(3) {
            let mut db = db("(id int PRIMARY KEY, v text)", bulk);
            trigger(
                &mut db,
                "way",
                "BEFORE INSERT ON t FOR EACH ROW",
                "DELETE FROM t WHERE id = NEW.id; UPDATE tally SET n = n + 1;",
            );
            let before = db.value("SELECT clock_timestamp()");
            db.exec(&way);
            assert_eq!(history(&mut db, 1), ["I | old", "D | old", "I | new"], "{bulk} {way}");
            assert_eq!(history(&mut db, 2), ["I | old", "D | old", "I | new"], "{bulk} {way}");
            let deleted = "SELECT at FROM dbguard.audit_log WHERE op = 'DELETE' AND key = ";
            let (first, second) = (db.value(&format!("{deleted} '1'")), db.value(&format!("{deleted} '2'")));
            let counted = db.value("SELECT max(at) FROM dbguard.audit_log WHERE table_name = 'tally'");
            assert_eq!(as_of(&mut db, &before), ["1 | old", "2 | old"], "{bulk} {way}");
            assert_eq!(as_of(&mut db, &first), ["2 | old"], "{bulk} {way}");
            assert!(as_of(&mut db, &second).is_empty(), "{bulk} {way}");
            assert!(as_of(&mut db, &counted).is_empty(), "{bulk} {way}");
            assert_eq!(as_of(&mut db, "now"), ["1 | new", "2 | new", "3 | new"], "{bulk} {way}");
            db.exec("DROP TRIGGER way ON t");
            db.exec(&format!("SELECT * FROM dbguard.audit_revert(since => '{before}')"));
            assert_eq!(db.lines("SELECT * FROM t ORDER BY id"), ["1 | old", "2 | old"], "{bulk} {way}");
            assert_eq!(db.value("SELECT n FROM tally"), "0", "{bulk} {way}");
        }
    }
}

/// Also those of a trigger that fires before the log's own does.
#[test]
fn what_an_after_trigger_does_came_after() {
    for (name, bulk) in [("A", "rows"), ("A", "pack"), ("zz", "rows"), ("zz", "pack")] {
        for way in ways(3) {
            let mut db = db("(id int PRIMARY KEY, v text)", bulk);
            db.exec("DELETE FROM t");
            trigger(&mut db, "look", "BEFORE INSERT ON t FOR EACH ROW", "UPDATE tally SET n = n + 1;");
            let body = "UPDATE t SET v = v || NEW.id WHERE id IN (NEW.id, 2);";
            trigger(&mut db, name, "AFTER INSERT ON t FOR EACH ROW", body);
            let before = db.value("SELECT clock_timestamp()");
            db.exec(&way);
            assert_eq!(
                history(&mut db, 1),
                ["I | old", "D | old", "I | new", "U | new1"],
                "{name} {bulk} {way}"
            );
            assert_eq!(
                history(&mut db, 2),
                ["I | old", "D | old", "I | new", "U | new1", "U | new12", "U | new123"],
                "{name} {bulk} {way}"
            );
            let came = db.value("SELECT max(at) FROM dbguard.audit_log WHERE op = 'INSERT'");
            assert_eq!(as_of(&mut db, &came), ["1 | new", "2 | new", "3 | new"], "{name} {bulk} {way}");
            let counted = db.value("SELECT max(at) FROM dbguard.audit_log WHERE table_name = 'tally'");
            assert!(as_of(&mut db, &counted).is_empty(), "{name} {bulk} {way}");
            db.exec(&format!("SELECT * FROM dbguard.audit_revert(since => '{before}')"));
            assert_eq!(db.value("SELECT count(*) FROM t"), "0", "{name} {bulk} {way}");
        }
    }
}

#[test]
fn triggers_of_the_whole_statement_and_defaults() {
    for way in ways(2) {
        let mut db = db("(id int PRIMARY KEY, v text, w int)", "rows");
        db.exec(
            "CREATE FUNCTION counted() RETURNS int LANGUAGE plpgsql AS $$ DECLARE r int;
               BEGIN UPDATE tally SET n = n + 1 RETURNING n INTO r; RETURN r; END $$;
             ALTER TABLE t ALTER w SET DEFAULT counted()",
        );
        trigger(&mut db, "clear", "BEFORE INSERT ON t FOR EACH STATEMENT", "DELETE FROM t;");
        trigger(
            &mut db,
            "A",
            "AFTER INSERT ON t FOR EACH STATEMENT",
            "UPDATE t SET v = 'last' WHERE id = 1;",
        );
        db.exec(&way);
        assert_eq!(
            db.lines("SELECT left(op, 1), key, new->>'v', new->>'n' FROM dbguard.audit_log ORDER BY at, id")
                .split_off(3),
            [
                "D | 1 | <null> | <null>",
                "D | 2 | <null> | <null>",
                "U | 1 | <null> | 1",
                "U | 1 | <null> | 2",
                "I | 1 | new | <null>",
                "I | 2 | new | <null>",
                "U | 1 | last | <null>"
            ],
            "{way}"
        );
    }
}

/// A COPY that nothing forbids to keep rows back puts them in a thousand at a time.
#[test]
fn batches_of_rows() {
    for way in ways(2500) {
        let mut db = db("(id int PRIMARY KEY, v text)", "pack");
        db.exec(
            "INSERT INTO t SELECT i, 'old' FROM generate_series(3, 2500) i;
             CREATE FUNCTION room(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = $1; RETURN true; END $$;
             ALTER TABLE t ADD CHECK (room(id)) NOT VALID",
        );
        db.exec(&way);
        for key in [1, 1000, 1001, 2500] {
            assert_eq!(history(&mut db, key), ["I | old", "D | old", "I | new"], "{key} {way}");
        }
        let emptied = db.value("SELECT max(at) FROM dbguard.audit_log WHERE op = 'DELETE'");
        assert!(as_of(&mut db, &emptied).is_empty(), "{way}");
        assert_eq!(db.value("SELECT count(DISTINCT at) FROM dbguard.audit_log WHERE new->>'v' = 'new'"), "1");
    }
}

#[test]
fn into_partitions() {
    for bulk in BULK {
        let [copy, insert] = ways(3);
        for way in [copy.replace("COPY t", "COPY t_new"), copy, insert] {
            let mut db = db(PARTS, bulk);
            trigger(&mut db, "way", "BEFORE INSERT ON t FOR EACH ROW", "DELETE FROM t WHERE id = NEW.id;");
            trigger(
                &mut db,
                "A",
                "AFTER INSERT ON t FOR EACH ROW WHEN (NEW.id = 2 AND NEW.v = 'new')",
                "INSERT INTO t VALUES (2, 'old');",
            );
            let before = db.value("SELECT clock_timestamp()");
            db.exec(&way);
            let seen = "SELECT left(op, 1), key::jsonb->>'id', coalesce(new, old)->>'v' FROM dbguard.audit_log ORDER BY at, id";
            assert_eq!(
                db.lines(seen).split_off(3),
                [
                    "D | 1 | old",
                    "D | 2 | old",
                    "I | 1 | new",
                    "I | 2 | new",
                    "I | 3 | new",
                    "D | 2 | new",
                    "I | 2 | old"
                ],
                "{bulk} {way}"
            );
            assert_eq!(as_of(&mut db, &before), ["1 | old", "2 | old"], "{bulk} {way}");
            assert_eq!(as_of(&mut db, "now"), ["1 | new", "2 | old", "3 | new"], "{bulk} {way}");
        }
    }
}

/// One within another: each has its own time.
#[test]
fn a_copy_within_a_copy() {
    for (name, when, expected) in [
        ("way", "BEFORE", ["D | t | 1", "I | tally | 8", "I | t | 1"]),
        ("A", "AFTER", ["I | t | 1", "D | t | 1", "I | tally | 8"]),
    ] {
        let mut db = db("(id int PRIMARY KEY, v text)", "rows");
        db.exec(
            "CREATE FUNCTION room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = 1; RETURN NEW; END $$;
             CREATE TRIGGER room BEFORE INSERT ON tally FOR EACH ROW EXECUTE FUNCTION room()",
        );
        if when == "AFTER" {
            db.exec("DELETE FROM t");
        }
        let so_far: usize = db.value("SELECT count(*) FROM dbguard.audit_log").parse().unwrap();
        let body = "COPY tally FROM PROGRAM 'printf \"8\\t1\\n\"';";
        trigger(&mut db, name, &format!("{when} INSERT ON t FOR EACH ROW"), body);
        db.exec(&ways(1)[0]);
        let seen = "SELECT left(op, 1), table_name, key FROM dbguard.audit_log ORDER BY at, id";
        assert_eq!(db.lines(seen).split_off(so_far), expected, "{when}");
    }
}

/// The row that another session deleted meanwhile.
#[test]
fn another_session_came_in_between() {
    let mut db = db("(id int PRIMARY KEY, v text)", "rows");
    db.exec("DELETE FROM t WHERE id = 1");
    trigger(
        &mut db,
        "wait",
        "BEFORE INSERT ON t FOR EACH ROW",
        "UPDATE tally SET n = n + 1; PERFORM pg_advisory_xact_lock(7);",
    );
    db.exec("SELECT pg_advisory_lock(7)");
    let mut copier = db.connect();
    // its library is loaded by now
    copier.exec("UPDATE tally SET n = 5");
    let pid = copier.value("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| copier.exec(&ways(2)[0]));
        let waits = format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}");
        while db.value(&waits) != "Lock" && !copying.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        db.exec("DELETE FROM t WHERE id = 2; SELECT pg_advisory_unlock(7)");
    });
    let seen =
        "SELECT left(op, 1) FROM dbguard.audit_log WHERE table_name = 't' AND key = '2' ORDER BY at, id";
    assert_eq!(db.lines(seen), ["I", "D", "I"]);
    let deleted = db.value("SELECT max(at) FROM dbguard.audit_log WHERE op = 'DELETE'");
    assert!(as_of(&mut db, &deleted).is_empty());
    assert_eq!(as_of(&mut db, "now"), ["1 | new", "2 | new"]);
}

/// What a trigger loses in a subtransaction changes nothing of the time of the COPY around it.
#[test]
fn errors_within() {
    let mut db = db("(id int PRIMARY KEY, v text)", "rows");
    trigger(
        &mut db,
        "way",
        "BEFORE INSERT ON t FOR EACH ROW",
        "BEGIN DELETE FROM t WHERE id = NEW.id; UPDATE tally SET n = n / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;
         DELETE FROM t WHERE id = NEW.id;",
    );
    trigger(
        &mut db,
        "A",
        "AFTER INSERT ON t FOR EACH ROW",
        "BEGIN UPDATE t SET v = v || '+' WHERE id = NEW.id; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
         UPDATE t SET v = v || '-' WHERE id = NEW.id;",
    );
    let copy = &ways(2)[0];
    db.exec(copy);
    for key in [1, 2] {
        assert_eq!(history(&mut db, key), ["I | old", "D | old", "I | new", "U | new-"]);
    }
    // a COPY that fails as a whole, by its last line
    db.exec("BEGIN; SAVEPOINT s");
    let broken = copy.replace("2'", "2; echo x'");
    assert_eq!(db.error(&broken).code, "22P02");
    db.exec("ROLLBACK TO s; UPDATE t SET v = 'then'; DELETE FROM t; COMMIT");
    db.exec(copy);
    assert_eq!(history(&mut db, 1).split_off(4), ["U | then", "D | then", "I | new", "U | new-"]);
}
