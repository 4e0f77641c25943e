//! set_updated_by and set_created_by.

use dbguard_tests::Db;

fn db(kind: &str, options: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text, created_by {kind}, updated_by {kind});
         SELECT dbguard.touch_enable('t', what => w, options => '{options}') FROM unnest('{{created_by,updated_by}}'::text[]) w"
    ));
    db
}

const ROWS: &str = "SELECT id, created_by, updated_by FROM t ORDER BY id";

#[test]
fn who_made_it_and_who_changed_it() {
    let mut db = db("text", "{}");
    db.exec("SET dbguard.actor = 'ann'; INSERT INTO t VALUES (1, 'a', 'forged', 'forged')");
    db.exec("SET dbguard.actor = 'bob'; UPDATE t SET v = 'b', created_by = 'forged', updated_by = 'forged'");
    assert_eq!(db.lines(ROWS), ["1 | ann | bob"]);
    db.exec("SET dbguard.actor = 'cid'; UPDATE t SET v = v");
    assert_eq!(db.lines(ROWS), ["1 | ann | bob"]);
    // the setting the application already uses
    db.exec("RESET dbguard.actor; SET app.current_user_id = 'u-7'; UPDATE t SET v = 'c'");
    assert_eq!(db.lines(ROWS), ["1 | ann | u-7"]);
    // nobody: not the one before, and what the statement says is as good as anything
    db.exec(
        "RESET app.current_user_id; UPDATE t SET v = 'd'; INSERT INTO t VALUES (2, 'x', 'import', 'import')",
    );
    assert_eq!(db.lines(ROWS), ["1 | ann | <null>", "2 | import | import"]);
    // transaction-wise, as behind a pooler
    db.exec("BEGIN; SET LOCAL dbguard.actor = 'eve'; UPDATE t SET v = 'e' WHERE id = 2; COMMIT; UPDATE t SET v = 'f' WHERE id = 1");
    assert_eq!(db.lines(ROWS), ["1 | ann | <null>", "2 | import | eve"]);
}

#[test]
fn of_any_type() {
    for (kind, actor, stored) in [
        ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("bigint", " 42 ", "42"),
        ("smallint", "-7", "-7"),
        ("varchar(5)", "fünf5", "fünf5"),
        ("name", "x", "x"),
        ("jsonb", "{\"u\":1}", "{\"u\": 1}"),
        ("positive", "3", "3"),
    ] {
        let mut db = Db::new();
        db.exec("CREATE DOMAIN positive AS int CHECK (value > 0)");
        db.exec(&format!(
            "CREATE TABLE t (id int, updated_by {kind}); SELECT dbguard.touch_enable('t', what => 'updated_by');
             SET dbguard.actor = '{actor}'; INSERT INTO t VALUES (1); UPDATE t SET id = 2"
        ));
        assert_eq!(db.value("SELECT updated_by::text FROM t"), stored, "{kind}");
    }
}

#[test]
fn what_is_no_value_of_the_type() {
    for (kind, code) in
        [("uuid", "22P02"), ("smallint", "22P02"), ("varchar(2)", "22001"), ("small", "23514")]
    {
        let mut db = Db::new();
        db.exec("CREATE DOMAIN small AS text CHECK (length(value) < 3)");
        db.exec(&format!("CREATE TABLE t (id int, updated_by {kind}); SELECT dbguard.touch_enable('t', what => 'updated_by'); SET dbguard.actor = 'nobody'"));
        let e = db.error("INSERT INTO t VALUES (1)");
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            (code, "actor \"nobody\" is no value for column \"updated_by\""),
            "{kind}"
        );
        assert!(!e.detail.is_empty() && !e.hint.is_empty(), "{e:?}");
        db.exec("SELECT dbguard.touch_enable('t', what => 'updated_by', options => '{invalid=null}'); INSERT INTO t VALUES (1), (2)");
        assert_eq!(db.value("SELECT count(*) FROM t WHERE updated_by IS NULL"), "2", "{kind}");
    }
}

#[test]
fn when_nobody_says_who() {
    let mut db = db("text", "{missing=user}");
    db.exec("INSERT INTO t VALUES (1)");
    let me = db.value("SELECT session_user");
    assert_eq!(db.lines(ROWS), [format!("1 | {me} | {me}")]);
    db.exec("SELECT dbguard.touch_enable('t', what => 'updated_by', options => '{missing=error}')");
    let e = db.error("UPDATE t SET v = 'b'");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("22004", "column \"updated_by\" says who is acting, and nobody is named")
    );
    assert!(e.hint.contains("dbguard.actor"));
    db.exec("UPDATE t SET v = v; SET dbguard.actor = 'x'; UPDATE t SET v = 'b'");
    assert_eq!(db.lines(ROWS), [format!("1 | {me} | x")]);
    // NOT NULL says so itself
    db.exec("ALTER TABLE t ALTER updated_by SET NOT NULL; RESET dbguard.actor; SELECT dbguard.touch_enable('t', what => 'updated_by')");
    assert_eq!(db.error("UPDATE t SET v = 'c'").code, "23502");
}

#[test]
fn a_value_given_on_purpose() {
    let mut db = db("text", "{given=keep}");
    db.exec("SET dbguard.actor = 'ann'; INSERT INTO t VALUES (1, 'a', 'importer', NULL); UPDATE t SET v = 'b', updated_by = 'script'");
    assert_eq!(db.lines(ROWS), ["1 | importer | script"]);
    db.exec("UPDATE t SET v = 'c'");
    assert_eq!(db.lines(ROWS), ["1 | importer | ann"]);
}

/// A large value that was toasted is put back without being fetched.
#[test]
fn large_values_stay() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, created_by text); ALTER TABLE t ALTER created_by SET STORAGE EXTERNAL;
         SELECT dbguard.touch_enable('t', what => 'created_by'); INSERT INTO t VALUES (1, repeat('x', 100000));
         UPDATE t SET id = 2, created_by = 'y'",
    );
    assert_eq!(db.value("SELECT length(created_by) FROM t"), "100000");
}
