//! FVT003: what plpgsql_check says, and with whose rights it is asked.

use dbguard_tests::Db;

const SEEN: &str = "SELECT object, status, message FROM dbguard.lint(rules => '{FVT003}') ORDER BY 1";
const BROKEN: &str = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN DELETE FROM gone; END$$";

/// None: the server does not have the extension.
fn db() -> Option<Db<'static>> {
    let mut db = Db::new();
    db.offers(&["plpgsql_check"]).then_some(db)
}

#[test]
fn without_the_extension_it_is_skipped() {
    let mut db = Db::new();
    db.exec(BROKEN);
    let seen = db.rows(SEEN);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0][1..], ["skipped", "not checked: the extension plpgsql_check is not installed"]);
}

#[test]
fn a_function_of_that_name_that_is_not_the_extensions_is_not_called() {
    let mut db = Db::new();
    // whoever may create objects where the extension is, or where it is looked for
    let fake = |arguments: &str| {
        format!(
            "CREATE FUNCTION plpgsql_check_function_tb({arguments})
             RETURNS TABLE (lineno int, sqlstate text, message text, level text) LANGUAGE plpgsql
             AS $$BEGIN PERFORM nextval('public.marks'); END$$"
        )
    };
    db.exec(&format!("CREATE SEQUENCE marks; {BROKEN}; {}", fake("regprocedure, regclass")));
    assert!(db.rows(SEEN)[0][2].ends_with("the extension plpgsql_check is not installed"));
    if db.offers(&["plpgsql_check"]) {
        db.exec("CREATE EXTENSION plpgsql_check");
        for arguments in [
            "regprocedure",
            "regprocedure, regclass, bool, bool",
            "regprocedure, regclass, VARIADIC bool[]",
            "f oid, r oid DEFAULT 0",
            "f regprocedure, relid regclass, fatal_errors bool, other_warnings bool, a anyelement DEFAULT 1",
        ] {
            db.exec(&fake(arguments));
        }
        assert_eq!(db.lines(&format!("SELECT status FROM ({SEEN}) s WHERE message ~ 'gone'")), ["open"]);
    }
    assert_eq!(db.value("SELECT is_called FROM marks"), "f");
}

/// The planner runs what is IMMUTABLE: code of a function's author must not get a superuser's rights by it.
#[test]
fn no_code_runs_as_a_superuser() {
    let Some(mut db) = db() else { return };
    db.exec(
        "CREATE EXTENSION plpgsql_check; 
         DO $$ BEGIN CREATE ROLE bodies_author LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         CREATE SCHEMA a AUTHORIZATION bodies_author; SET ROLE bodies_author;
         CREATE FUNCTION a.who(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN
           RAISE EXCEPTION 'runs as % (%)', current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) USING ERRCODE = '42804'; END$$;
         CREATE FUNCTION a.own() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN a.who(1); END$$;
         RESET ROLE; GRANT USAGE ON SCHEMA a TO PUBLIC;
         CREATE FUNCTION by_superuser() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN a.who(1); END$$;
         CREATE SCHEMA closed;
         CREATE FUNCTION closed.f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN closed.f(); END$$",
    );
    let seen: Vec<String> = db.rows(SEEN).into_iter().map(|l| l.join(" | ")).collect();
    let reason = "not checked: only a role that may become its owner can check it; one of a superuser's only a superuser, where no other role owns anything";
    let own = "a.own() | open | a.own() fails at line 1: runs as bodies_author (f) (42804)".to_owned();
    assert_eq!(
        seen,
        [
            own,
            format!("closed.f() | skipped | {reason}"),
            format!("public.by_superuser() | skipped | {reason}")
        ]
    );
    // an ordinary role checks its own, and those of roles it may become
    let mut author = db.connect_as("bodies_author");
    let seen: Vec<String> = author.rows(SEEN).into_iter().map(|l| l[..2].join(" | ")).collect();
    assert_eq!(seen, ["a.own() | open", "closed.f() | skipped", "public.by_superuser() | skipped"]);
}

#[test]
fn what_a_check_did_is_undone() {
    let Some(mut db) = db() else { return };
    db.exec(
        "CREATE EXTENSION plpgsql_check; CREATE TABLE log (a int);
         CREATE FUNCTION put(int) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES ($1); RETURN $1; END$$;
         CREATE FUNCTION liar(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN
           PERFORM set_config('search_path', 'evil', false); RETURN put($1); END$$;
         CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN liar(1); END$$",
    );
    let path = db.value("SHOW search_path");
    db.rows(SEEN);
    assert_eq!(db.value("SELECT count(*) FROM log"), "0");
    assert_eq!(db.value("SHOW search_path"), path);
    // what runs on is given up
    db.exec(
        "CREATE FUNCTION forever(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM pg_sleep(600); RETURN 1; END$$;
         CREATE FUNCTION e() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN forever(1); END$$",
    );
    let seen = db.lines(&format!("SELECT object, message FROM ({SEEN}) s WHERE status = 'skipped'"));
    assert_eq!(seen, ["public.e() | not checked: it took more than 2000 ms"]);
    let limited = "SELECT count(*) FROM dbguard.lint(rules => '{FVT003,INT001}', max_seconds => 0.2) WHERE code = 'FVT003' AND message ~ 'it took more than|time limit'";
    assert_ne!(db.value(limited), "0");
    db.exec("SET statement_timeout = '500ms'");
    assert_eq!(db.error(SEEN).code, "57014", "a cancelled statement ends");
    // nor does it help to catch it
    db.exec("RESET statement_timeout; CREATE OR REPLACE FUNCTION forever(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN
               BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(600); END; RETURN 1; END$$");
    assert_eq!(db.lines(&format!("SELECT object FROM ({SEEN}) s WHERE status = 'skipped'")), ["public.e()"]);
    db.exec("RESET statement_timeout; DROP FUNCTION e()");
    // as a standby, or a transaction that may not write
    db.exec("BEGIN READ ONLY");
    db.rows(SEEN);
    db.exec("COMMIT");
}
