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
    // made anew it has the new columns, and the names of now
    assert_eq!(
        db.lines("SELECT * FROM dbguard.soft_delete_enable('u', live_view => 'live')"),
        ["u | deleted_at | keep | live | unchanged"]
    );
    assert_eq!(db.lines("SELECT number, w FROM live"), ["3 | <null>"]);
    // another key
    db.exec("UPDATE u SET w = 'w'; ALTER TABLE u DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (number, w)");
    db.exec("DELETE FROM live");
    assert_eq!(db.value("SELECT count(*) FROM live"), "0");
    // one that the view does not show
    db.exec("ALTER TABLE u ADD COLUMN z int DEFAULT 1; ALTER TABLE u DROP CONSTRAINT u_pkey, ADD PRIMARY KEY (z, number); UPDATE u SET deleted_at = NULL");
    assert_eq!(db.error("DELETE FROM live").message, "view \"live\" lacks a column of the primary key");
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

/// The row that is shown is the one that goes, whatever has become of the key and its type.
#[test]
fn it_is_the_row_that_is_shown() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (a int, b int, x text, deleted_at timestamptz, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 2, 'one-two'), (2, 1, 'two-one'), (3, 3, 'both');
         SELECT dbguard.soft_delete_enable('t', live_view => 'live'); DELETE FROM live WHERE x = 'both';
         ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (b, a); DELETE FROM live WHERE x = 'one-two'",
    );
    assert_eq!(db.lines("SELECT x FROM live"), ["two-one"]);
    // names that would be taken for the words of the view's own rule
    db.exec(
        "CREATE TABLE odd (\":resno 9 :resname\" int, \"id :ressortgroupref 0 :resorigtbl 1 :resorigcol 1\" int PRIMARY KEY, deleted_at timestamptz);
         INSERT INTO odd VALUES (1, 2), (2, 1); SELECT dbguard.soft_delete_enable('odd', live_view => 'live_odd');
         DELETE FROM live_odd WHERE \":resno 9 :resname\" = 1",
    );
    assert_eq!(db.lines("SELECT \":resno 9 :resname\" FROM live_odd"), ["2"]);
    // the same statement with another type
    db.exec(
        "CREATE TABLE m (id numeric PRIMARY KEY, deleted_at timestamptz); INSERT INTO m VALUES (1), (2), (3);
         SELECT dbguard.soft_delete_enable('m', live_view => 'm_live'); DELETE FROM m_live WHERE id = 1;
         DROP VIEW m_live; ALTER TABLE m ALTER id TYPE bigint; INSERT INTO m VALUES (4294967298);
         SELECT dbguard.soft_delete_enable('m', live_view => 'm_live'); DELETE FROM m_live WHERE id = 4294967298",
    );
    assert_eq!(db.lines("SELECT id FROM m_live ORDER BY 1"), ["2", "3"]);
}

#[test]
fn views_of_others() {
    let mut db = Db::new();
    let mut clerk = db.connect_as("live_clerk");
    // another's view with our function is not ours
    db.exec("CREATE TABLE q (id int PRIMARY KEY, deleted_at timestamptz); GRANT SELECT, DELETE ON q TO live_clerk; CREATE SCHEMA c AUTHORIZATION live_clerk; SELECT dbguard.soft_delete_enable('q')");
    clerk.exec(
        "CREATE VIEW c.evil AS SELECT * FROM q; CREATE TRIGGER dbguard_soft_delete_live INSTEAD OF DELETE ON c.evil FOR EACH ROW EXECUTE FUNCTION dbguard.soft_delete_live()",
    );
    assert_eq!(
        db.lines("SELECT live_view FROM dbguard.soft_delete_status() WHERE \"table\" = 'q'::regclass"),
        ["<null>"]
    );
    let call = "SELECT count(*) FROM dbguard.soft_delete_plan('q', live_view => 'q_live') WHERE statement ~ 'live_view'";
    assert_eq!(db.value(call), "1");
    db.exec("SELECT dbguard.soft_delete_enable('q', live_view => 'q_live')");
    assert_eq!(db.value(call), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.soft_delete_plan('q', live_view => 'another') WHERE statement ~ 'live_view'"), "1");
    db.exec("DROP OWNED BY live_clerk");
}

/// What inherits is not part of it.
#[test]
fn tables_that_inherit() {
    let mut db = Db::new();
    db.exec("CREATE TABLE e (id int PRIMARY KEY, deleted_at timestamptz); CREATE TABLE e2 () INHERITS (e); INSERT INTO e VALUES (1); INSERT INTO e2 VALUES (2)");
    let (mut session, heard) = db.connect_listening();
    session.exec("SELECT dbguard.soft_delete_enable('e', live_view => 'live')");
    assert_eq!(
        heard.lines(),
        ["WARNING | rows of table \"e2\", which inherits from \"e\", are deleted for good | Soft delete is not enabled there. | Enable it there, too."]
    );
    assert_eq!(db.lines("SELECT id FROM live"), ["1"]);
    let problem = "SELECT problem FROM dbguard.soft_delete_status() WHERE \"table\" = 'e'::regclass";
    assert_eq!(
        db.value(problem),
        "rows of \"e2\", which inherits from it, are deleted for good: soft delete is not enabled there"
    );
    db.exec("SELECT dbguard.soft_delete_enable('e2'); DELETE FROM e");
    assert_eq!(db.value("SELECT count(*) FROM e WHERE deleted_at IS NOT NULL"), "2");
    assert_eq!(db.value(problem), "<null>");
}
