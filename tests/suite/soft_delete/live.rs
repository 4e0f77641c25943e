//! The view of live rows.

use dbguard_tests::Db;

#[test]
fn rows_are_counted_and_returned() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA \"S\"; CREATE TABLE \"S\".\"T\" (a int, \"B c\" text, v text DEFAULT 'd', deleted_at timestamptz, PRIMARY KEY (\"B c\", a));
         INSERT INTO \"S\".\"T\" VALUES (1, 'x'), (2, 'x'), (1, 'y')",
    );
    assert_eq!(
        db.lines("SELECT * FROM dbguard.soft_delete_enable('\"S\".\"T\"', live_view => '\"Live\"')"),
        ["\"S\".\"T\" | deleted_at | keep | \"S\".\"Live\" | enabled"]
    );
    assert_eq!(db.lines("DELETE FROM \"S\".\"Live\" WHERE a = 1 RETURNING \"B c\", v"), ["x | d", "y | d"]);
    assert_eq!(db.client().execute("DELETE FROM \"S\".\"Live\" WHERE a = 2", &[]).unwrap(), 1);
    assert_eq!(db.value("SELECT count(*) FROM \"S\".\"Live\""), "0");
    assert_eq!(db.value("SELECT count(*) FROM \"S\".\"T\""), "3");
    db.exec("INSERT INTO \"S\".\"Live\" (a, \"B c\") VALUES (9, 'new'); UPDATE \"S\".\"Live\" SET v = 'u'");
    assert_eq!(db.lines("SELECT a, v FROM \"S\".\"Live\""), ["9 | u"]);
    assert_eq!(db.lines("WITH d AS (DELETE FROM \"S\".\"Live\" RETURNING *) SELECT a FROM d"), ["9"]);
}

#[test]
fn follows_the_table() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO t VALUES (1), (2), (3);
         SELECT dbguard.soft_delete_enable('t', live_view => 'live'); DELETE FROM live WHERE id = 1;
         ALTER TABLE t RENAME id TO number; ALTER TABLE t RENAME TO u; ALTER TABLE u ADD COLUMN w text;
         DELETE FROM live WHERE id = 2",
    );
    assert_eq!(db.value("SELECT string_agg(number::text, ',') FROM u WHERE deleted_at IS NULL"), "3");
    // made anew it has the new columns; a column cannot have another name in a view that is there
    assert_eq!(db.error("SELECT dbguard.soft_delete_enable('u', live_view => 'live')").code, "42P16");
    db.exec("ALTER VIEW live RENAME COLUMN id TO number");
    assert_eq!(
        db.lines("SELECT * FROM dbguard.soft_delete_enable('u', live_view => 'live')"),
        ["u | deleted_at | keep | live | unchanged"]
    );
    assert_eq!(db.lines("SELECT number, w FROM live"), ["3 | <null>"]);
    // another key
    db.exec("UPDATE u SET w = 'w'; ALTER TABLE u DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (number, w)");
    assert_eq!(db.error("DELETE FROM live").message, "view \"live\" was made for another primary key");
    db.exec("SELECT dbguard.soft_delete_enable('u', live_view => 'live'); DELETE FROM live");
    assert_eq!(db.value("SELECT count(*) FROM live"), "0");
    // a real delete through it, and after
    db.exec("UPDATE u SET deleted_at = NULL; SET dbguard.hard_delete = on");
    assert_eq!(db.lines("DELETE FROM live WHERE number = 1 RETURNING number"), ["1"]);
    db.exec("RESET dbguard.hard_delete; SELECT dbguard.soft_delete_disable('u')");
    assert_eq!(db.client().execute("DELETE FROM live", &[]).unwrap(), 2);
    assert_eq!(db.value("SELECT count(*) FROM u"), "0");
}

/// Who may use the table may use the view, and sees no more in it.
#[test]
fn rights_are_those_of_the_caller() {
    let mut db = Db::new();
    let mut owner = db.connect_as("live_owner");
    let mut clerk = db.connect_as("live_user");
    db.exec("CREATE SCHEMA \"S\"; GRANT CREATE, USAGE ON SCHEMA \"S\" TO live_owner; GRANT USAGE ON SCHEMA \"S\" TO live_user");
    owner.exec(
        "CREATE TABLE \"S\".t (id int PRIMARY KEY, who text, deleted_at timestamptz);
         INSERT INTO \"S\".t VALUES (1, 'live_user'), (2, 'live_owner'), (3, 'live_user');
         ALTER TABLE \"S\".t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON \"S\".t USING (who = current_user);
         GRANT SELECT, DELETE ON \"S\".t TO live_user",
    );
    db.exec("SELECT dbguard.soft_delete_enable('\"S\".t', live_view => 'live')");
    assert_eq!(db.value("SELECT relowner::regrole FROM pg_class WHERE relname = 'live'"), "live_owner");
    assert_eq!(clerk.lines("SELECT id FROM \"S\".live ORDER BY id"), ["1", "3"]);
    assert_eq!(clerk.lines("DELETE FROM \"S\".live RETURNING id"), ["1", "3"]);
    assert_eq!(clerk.error("UPDATE \"S\".live SET who = 'x'").code, "42501");
    assert_eq!(owner.lines("SELECT id FROM \"S\".live"), ["2"]);
    owner.exec("REVOKE DELETE ON \"S\".t FROM live_user; UPDATE \"S\".t SET deleted_at = NULL");
    assert_eq!(clerk.error("DELETE FROM \"S\".live").code, "42501");
    db.exec(
        "DROP TABLE \"S\".t CASCADE; DROP OWNED BY live_owner, live_user; DROP ROLE live_owner, live_user",
    );
}
