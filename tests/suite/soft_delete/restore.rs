//! soft_delete_restore: a row comes back with what went with it.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz);
         CREATE TABLE c (id int, p int REFERENCES p ON DELETE CASCADE, \"when\" date, deleted_at timestamptz, PRIMARY KEY (\"when\", id));
         INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1, '2020-01-02'), (2, 1, '2020-01-02');
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow')",
    );
    db
}

#[test]
fn one_row_and_its_children() {
    let mut db = db();
    db.exec("DELETE FROM c WHERE id = 1");
    db.exec("DELETE FROM p");
    let restore = |key: &str| format!("SELECT * FROM dbguard.soft_delete_restore({key})");
    assert_eq!(db.lines(&restore("'p', '1', dry_run => true")), ["p | 1", "c | 1"]);
    assert_eq!(db.value("SELECT count(*) FROM p WHERE deleted_at IS NULL"), "0");
    assert_eq!(db.lines(&restore("'p', '1'")), ["p | 1", "c | 1"]);
    assert_eq!(db.value("SELECT count(*) FROM p WHERE deleted_at IS NULL"), "1");
    assert_eq!(db.value("SELECT id FROM c WHERE deleted_at IS NULL"), "2");
    // again, and one that is not deleted
    assert_eq!(db.lines(&restore("'p', '1'")), Vec::<String>::new());
    assert_eq!(db.lines(&restore("'c', '{\"id\": 1, \"when\": \"2020-01-02\"}'")), ["c | 1"]);
}

#[test]
fn bad_keys_and_tables() {
    let mut db = db();
    db.exec("CREATE TABLE nokey (deleted_at timestamptz); SELECT dbguard.soft_delete_enable('nokey'); CREATE TABLE plain (id int PRIMARY KEY)");
    let cases = [
        ("NULL, '1'", "22004", "argument \"relation\" must not be null"),
        ("'p', NULL", "22004", "argument \"key\" must not be null"),
        ("'p', '9'", "P0002", "row with key 9 of table \"p\" does not exist"),
        ("'p', 'x'", "22P02", "invalid input syntax for type integer: \"x\""),
        ("'c', '1'", "22023", "\"1\" is no key of table \"c\""),
        ("'c', '{\"id\": 1}'", "22023", "the key has no value for \"when\""),
        ("'nokey', '1'", "55000", "table \"nokey\" has no primary key"),
        ("'plain', '1'", "55000", "soft delete of table \"plain\" is not enabled"),
    ];
    for (args, code, message) in cases {
        let e = db.error(&format!("SELECT dbguard.soft_delete_restore({args})"));
        assert_eq!((e.code.as_str(), e.message.as_str()), (code, message), "{args}");
    }
}

/// It is an UPDATE: whoever may make that one may call it, and nobody else.
#[test]
fn rights_are_those_of_an_update() {
    let mut db = db();
    let mut clerk = db.connect_as("restore_clerk");
    db.exec("DELETE FROM p; GRANT SELECT ON p TO restore_clerk");
    assert_eq!(clerk.error("SELECT dbguard.soft_delete_restore('p', '1')").code, "42501");
    db.exec("GRANT UPDATE (deleted_at) ON p TO restore_clerk");
    // the children come back though he may not touch them: their foreign key says so
    assert_eq!(clerk.lines("SELECT * FROM dbguard.soft_delete_restore('p', '1')"), ["p | 1", "c | 2"]);
    db.exec("ALTER TABLE p ENABLE ROW LEVEL SECURITY; CREATE POLICY s ON p FOR SELECT USING (true); CREATE POLICY u ON p FOR UPDATE USING (id = 7)");
    assert_eq!(
        clerk.error("SELECT dbguard.soft_delete_restore('p', '2')").message,
        "row with key 2 of table \"p\" stays deleted"
    );
    db.exec("DROP POLICY s ON p");
    assert_eq!(clerk.error("SELECT dbguard.soft_delete_restore('p', '2')").code, "P0002");
    db.exec("DROP OWNED BY restore_clerk");
}

/// A superuser who brings a row back does not run the owner's triggers as himself.
#[test]
fn a_superuser_lends_no_rights() {
    let mut db = Db::new();
    let mut mallory = db.connect_as("restore_mallory");
    db.exec("CREATE SCHEMA m AUTHORIZATION restore_mallory");
    mallory.exec(
        "CREATE TABLE m.seen (who text, path text); CREATE TABLE m.t (id int PRIMARY KEY, deleted_at timestamptz);
         CREATE FUNCTION m.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO m.seen VALUES (current_user, current_setting('search_path'));
           BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN INSERT INTO m.seen VALUES (SQLERRM); END; RETURN new; END $$;
         CREATE TRIGGER f BEFORE UPDATE ON m.t FOR EACH ROW EXECUTE FUNCTION m.f();
         INSERT INTO m.t VALUES (1, now()); SELECT dbguard.soft_delete_enable('m.t')",
    );
    db.exec("SET search_path = public; SELECT dbguard.soft_delete_restore('m.t', '1')");
    assert_eq!(
        db.lines("SELECT who, path FROM m.seen"),
        [
            "restore_mallory | public",
            "cannot set parameter \"role\" within security-definer function | <null>"
        ]
    );
    assert_eq!(db.value("SELECT count(*) FROM m.t WHERE deleted_at IS NULL"), "1");
    db.exec("TRUNCATE m.seen; UPDATE m.t SET deleted_at = '2020-01-01'; TRUNCATE m.seen");
    db.exec("CALL dbguard.soft_delete_purge('m.t')");
    assert_eq!(db.value("SELECT count(*) FROM m.t"), "0");
    db.exec("DROP SCHEMA m CASCADE; DROP ROLE restore_mallory");
}
