//! Statements that run in the middle of another and change the rows that it has changed so far.

use dbguard_tests::Db;

fn db(bulk: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t', bulk => '{bulk}');
         CREATE FUNCTION g(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = v || '*' WHERE id = $1; RETURN $1; END $$;
         CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
             BEGIN UPDATE t SET v = 'lost' WHERE id = $1; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
             UPDATE t SET v = v || '+' WHERE id = $1; RETURN $1; END $$;
         CREATE FUNCTION deep(int) RETURNS int LANGUAGE plpgsql AS
             $$ DECLARE r int; BEGIN UPDATE t SET v = v || '!' WHERE id = $1 RETURNING g(id) INTO r; RETURN r; END $$"
    ));
    db
}

fn history(db: &mut Db, key: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT left(op, 1), coalesce(new, old)->>'v' FROM dbguard.audit_history('t', '{key}')"
    ))
}

/// The life of row 1 as `statement` writes it, and that as_of and revert know it.
fn lives(db: &mut Db, statement: &str, expected: &[&str]) {
    let before = db.value("SELECT clock_timestamp()");
    // the first statement of a session is told otherwise than the next
    db.connect().rows(statement);
    assert_eq!(history(db, "1"), expected, "{statement}");
    let times = db.lines("SELECT at, op <> 'DELETE', new->>'v' FROM dbguard.audit_history('t', '1')");
    for time in times {
        let (at, rest) = time.split_once(" | ").unwrap();
        let then =
            db.lines(&format!("SELECT true, v FROM dbguard.audit_as_of(NULL::t, '{at}') WHERE id = 1"));
        assert_eq!(then.first().map_or("f | <null>", |row| row), rest, "{statement}");
    }
    db.exec(&format!("SELECT * FROM dbguard.audit_revert(relation => 't', key => '1', since => '{before}')"));
    assert_eq!(db.lines("SELECT v FROM t WHERE id = 1"), Vec::<String>::new(), "{statement}");
}

#[test]
fn functions_of_what_was_returned() {
    for bulk in ["rows", "pack"] {
        for (statement, expected) in [
            ("WITH new AS (INSERT INTO t VALUES (1, 'a'), (2, 'b') RETURNING id) SELECT f(id) FROM new", &["I | a", "U | a+"][..]),
            ("INSERT INTO t VALUES (1, 'a'), (2, 'b') RETURNING f(id), g(id)", &["I | a", "U | a+", "U | a+*"]),
            ("INSERT INTO t VALUES (1, 'a'), (2, 'b') RETURNING deep(id)", &["I | a", "U | a!", "U | a!*"]),
            (
                "WITH one AS MATERIALIZED (INSERT INTO t VALUES (1, 'a') RETURNING id), two AS MATERIALIZED (SELECT f(id) AS id FROM one)
                 SELECT deep(id) FROM two",
                &["I | a", "U | a+", "U | a+!", "U | a+!*"],
            ),
        ] {
            lives(&mut db(bulk), statement, expected);
        }
    }
}

#[test]
fn a_key_that_comes_twice() {
    for bulk in ["rows", "pack"] {
        for statement in [
            "INSERT INTO t VALUES (1, 'a'), (1, 'b'), (1, 'c')",
            "COPY t FROM PROGRAM 'printf \"1\\ta\\n1\\tb\\n1\\tc\\n\"'",
        ] {
            let mut db = db(bulk);
            db.exec(
                "CREATE FUNCTION way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = NEW.id; RETURN NEW; END $$;
                 CREATE TRIGGER way BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION way()",
            );
            lives(&mut db, statement, &["I | a", "D | a", "I | b", "D | b", "I | c"]);
        }
    }
}

/// A trigger that fires before the log's own, in the first statement of a session and in a later one.
#[test]
fn a_trigger_that_fires_first() {
    for way in [
        "INSERT INTO t VALUES (1, 'a')",
        "SELECT 1; INSERT INTO t VALUES (1, 'a')",
        "UPDATE t SET id = 1, v = 'a'",
    ] {
        let mut db = db("rows");
        db.exec(
            "CREATE FUNCTION first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM g(NEW.id); RETURN NULL; END $$;
             CREATE TRIGGER \"A\" AFTER INSERT OR UPDATE OF id ON t FOR EACH ROW EXECUTE FUNCTION first()",
        );
        if way.starts_with("UPDATE") {
            db.exec("ALTER TABLE t DISABLE TRIGGER \"A\"; INSERT INTO t VALUES (3, 'z'); ALTER TABLE t ENABLE TRIGGER \"A\"");
            let mut session = db.connect();
            session.exec(way);
            assert_eq!(history(&mut db, "1"), ["I | z", "U | a", "U | a*"]);
        } else {
            lives(&mut db, way, &["I | a", "U | a*"]);
        }
    }
}

/// Also where the first of them changed nothing that is logged.
#[test]
fn a_change_that_is_not_logged_lies_between() {
    let mut db = db("rows");
    db.exec(
        "ALTER TABLE t ADD seen int; SELECT dbguard.audit_enable('t', exclude => '{seen}');
         CREATE FUNCTION look(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET seen = 1 WHERE id = $1; RETURN g($1); END $$",
    );
    lives(&mut db, "INSERT INTO t VALUES (1, 'a') RETURNING look(id)", &["I | a", "U | a*"]);
}

/// Rows of its own making that a transaction changes again, one statement after another.
#[test]
fn one_after_another() {
    let mut db = db("rows");
    db.exec("BEGIN; INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET v = v || '1'; UPDATE t SET v = v || '2'; DELETE FROM t; COMMIT");
    assert_eq!(history(&mut db, "1"), ["I | a", "U | a1", "U | a12", "D | a12"]);
    assert_eq!(db.value("SELECT count(DISTINCT at) FROM dbguard.audit_log"), "4");
}
