//! Which changes, and how they are named.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE other (id int PRIMARY KEY, v int);
             SELECT dbguard.audit_enable('t'); SELECT dbguard.audit_enable('other')",
    );
    db
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 1)");
    let cases = [
        ("", "22023", "nothing says which changes to undo"),
        ("relation => 't'", "22023", "nothing says which changes to undo"),
        ("until => now()", "22023", "nothing says which changes to undo"),
        ("relation => 't', on_conflict => 'skip'", "22023", "nothing says which changes to undo"),
        ("statement => now()", "22023", "nothing says which changes to undo"),
        ("statement => now(), actor => 'a'", "22023", "argument \"statement\" needs argument \"xact\""),
        ("key => '1'", "22023", "argument \"key\" needs argument \"relation\""),
        (
            "actor => 'a', on_conflict => 'x'",
            "22023",
            "unrecognized value for argument \"on_conflict\": \"x\"",
        ),
        ("actor => 'a', on_conflict => NULL", "22004", "argument \"on_conflict\" must not be null"),
        ("relation => 't', key => 'x'", "22P02", "invalid input syntax for type integer: \"x\""),
        ("relation => 0, key => 'x'", "42P01", "relation with OID 0 does not exist"),
    ];
    for (args, code, message) in cases {
        for function in ["audit_revert_plan", "audit_revert"] {
            let error = db.error(&format!("SELECT * FROM dbguard.{function}({args})"));
            assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{function} {args}");
            assert!(code != "22023" || !(error.hint + &error.detail).is_empty(), "{args}");
        }
    }
    let mut fresh = Db::new();
    let error = fresh.error("SELECT * FROM dbguard.audit_revert(xact => '1')");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("55000", "there is no audit log yet"));
}

#[test]
fn nothing_found_is_nothing_done() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 1); CREATE TABLE never (id int PRIMARY KEY)");
    for selection in [
        "xact => '1'",
        "actor => 'nobody'",
        "relation => 't', key => '9'",
        "relation => 'never', key => '1'",
        "since => 'infinity'",
        "since => '-infinity', until => '-infinity'",
        "xact => '18446744073709551615'",
    ] {
        assert_eq!(plan(&mut db, selection), Vec::<String>::new(), "{selection}");
        assert_eq!(revert(&mut db, selection), 0, "{selection}");
    }
    assert_eq!(all(&mut db, "t"), ["(1,1)"]);
}

#[test]
fn one_statement_of_a_transaction() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 1), (2, 1)");
    let x = transaction(&mut db, "UPDATE t SET v = 2 WHERE id = 1; UPDATE t SET v = 3 WHERE id = 2");
    let at = db.value(&format!("SELECT at FROM dbguard.audit_log WHERE xact = '{x}' AND key = '2'"));
    revert(&mut db, &format!("xact => '{x}', statement => '{at}'"));
    assert_eq!(all(&mut db, "t"), ["(1,2)", "(2,1)"]);
}

#[test]
fn a_row_an_actor_a_tenant_a_time() {
    let mut db = db();
    db.exec(
        "INSERT INTO t VALUES (1, 1), (2, 1), (3, 1), (4, 1); INSERT INTO other VALUES (1, 1);
         SET dbguard.actor = 'ann'; UPDATE t SET v = 2 WHERE id = 1; UPDATE other SET v = 2;
         SET dbguard.actor = 'bob'; UPDATE t SET v = 2 WHERE id = 2; RESET dbguard.actor;
         SET dbguard.tenant = 'acme'; UPDATE t SET v = 2 WHERE id = 3; RESET dbguard.tenant",
    );
    let since = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE t SET v = 3 WHERE id = 4");
    let until = db.value("SELECT clock_timestamp()");
    db.exec("UPDATE other SET v = v + 1");
    let cases = [
        ("actor => 'ann'", "UPDATE | other | 1 | {\"v\": 1} | conflict: column \"v\" is 3, but the change left 2 UPDATE | t | 1 | {\"v\": 1}"),
        ("actor => 'ann', relation => 't'", "UPDATE | t | 1 | {\"v\": 1}"),
        ("actor => 'bob'", "UPDATE | t | 2 | {\"v\": 1}"),
        ("tenant => 'acme'", "UPDATE | t | 3 | {\"v\": 1}"),
        ("relation => 't', key => ' 4'", "DELETE | t | 4"),
        (&format!("relation => 't', key => '4', since => '{since}'"), "UPDATE | t | 4 | {\"v\": 1}"),
        (&format!("since => '{since}', until => '{until}'"), "UPDATE | t | 4 | {\"v\": 1}"),
        (&format!("since => '{since}', relation => 'other'"), "UPDATE | other | 1 | {\"v\": 2}"),
    ];
    for (selection, expected) in cases {
        let mut told = plan(&mut db, selection);
        told.sort();
        assert_eq!(told.join(" "), expected, "{selection}");
    }
}

#[test]
fn a_row_is_followed_to_the_keys_it_had() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 0)");
    let since = db.value("SELECT clock_timestamp()");
    db.exec(
        "UPDATE t SET v = 1; UPDATE t SET id = 2; UPDATE t SET v = 2; UPDATE t SET id = 3, v = 3;
         INSERT INTO t VALUES (1, 100), (2, 200); UPDATE t SET v = v + 1 WHERE id < 3",
    );
    assert_eq!(
        plan(&mut db, &format!("relation => 't', key => '3', since => '{since}'")),
        ["UPDATE | t | 3 | {\"v\": 0, \"id\": 1} | conflict: row is there already"]
    );
    db.exec("DELETE FROM t WHERE id = 1");
    revert(&mut db, &format!("relation => 't', key => '3', since => '{since}'"));
    assert_eq!(all(&mut db, "t"), ["(1,0)", "(2,201)"]);
}

#[test]
fn the_log_says_what_was_undone() {
    let mut db = db();
    let x = transaction(&mut db, "INSERT INTO t VALUES (1, 1), (2, 2)");
    const LAST: &str = "SELECT op, context FROM dbguard.audit_log ORDER BY id DESC LIMIT 1";
    for (given, logged) in [
        ("", format!("{{\"reverts\": {{\"xact\": \"{x}\", \"changes\": 2}}}}")),
        (
            r#"{"request": 7}"#,
            format!("{{\"request\": 7, \"reverts\": {{\"xact\": \"{x}\", \"changes\": 2}}}}"),
        ),
        (
            "a word",
            format!("{{\"context\": \"a word\", \"reverts\": {{\"xact\": \"{x}\", \"changes\": 2}}}}"),
        ),
    ] {
        db.exec(&format!("SET dbguard.context = '{given}'"));
        db.exec("BEGIN");
        revert(&mut db, &format!("xact => '{x}'"));
        let told = db.rows(LAST).remove(0);
        assert_eq!(told[0], "DELETE");
        assert_eq!(db.value(&format!("SELECT '{}'::jsonb = '{logged}'", told[1])), "t", "{}", told[1]);
        assert_eq!(db.value("SELECT current_setting('dbguard.context')"), given);
        db.exec("ROLLBACK");
    }
    // put back after an error, too
    db.exec(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE TRIGGER refuse BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    db.exec("BEGIN; SAVEPOINT a");
    assert_eq!(db.error(&format!("SELECT * FROM dbguard.audit_revert(xact => '{x}')")).message, "no");
    db.exec("ROLLBACK TO a");
    assert_eq!(db.value("SELECT current_setting('dbguard.context')"), "a word");
    db.exec("COMMIT");
    // a row names its table and key
    db.exec("DROP TRIGGER refuse ON t; RESET dbguard.context");
    revert(&mut db, "relation => 't', key => '1'");
    let told = db.value("SELECT context -> 'reverts' FROM dbguard.audit_log ORDER BY id DESC LIMIT 1");
    assert_eq!(told, r#"{"key": "1", "changes": 1, "relation": "public.t"}"#);
}
