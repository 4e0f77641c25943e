//! What a DELETE does, and what the client is told.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text, deleted_at timestamptz);
         INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 5) g; SELECT dbguard.soft_delete_enable('t')",
    );
    db
}

const DELETED: &str = "SELECT string_agg(id::text, ',' ORDER BY id) FROM t WHERE deleted_at IS NOT NULL";

#[test]
fn rows_stay_and_are_counted() {
    let mut db = db();
    assert_eq!(db.client().execute("DELETE FROM t WHERE id <= 2", &[]).unwrap(), 2);
    assert_eq!(db.value(DELETED), "1,2");
    assert_eq!(db.value("SELECT count(*) FROM t"), "5");
    assert_eq!(
        db.value("SELECT bool_and(deleted_at > now() - interval '1 minute') FROM t WHERE id <= 2"),
        "t"
    );
    // what is gone is gone: neither counted nor given a new time
    let before = db.value("SELECT deleted_at FROM t WHERE id = 1");
    assert_eq!(db.client().execute("DELETE FROM t WHERE id <= 3", &[]).unwrap(), 1);
    assert_eq!(db.value("SELECT deleted_at FROM t WHERE id = 1"), before);
    assert_eq!(db.client().execute("DELETE FROM t WHERE id = 99", &[]).unwrap(), 0);
}

/// The first statement of a session is told the same as the tenth.
#[test]
fn a_session_that_has_not_met_dbguard_yet() {
    let db = db();
    let mut other = db.connect();
    assert_eq!(other.client().execute("DELETE FROM t WHERE id < 4", &[]).unwrap(), 3);
}

#[test]
fn functions_are_told_the_same() {
    let mut db = db();
    db.exec(
        "CREATE FUNCTION gone(n int) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE c int; BEGIN DELETE FROM t WHERE id <= n; GET DIAGNOSTICS c = ROW_COUNT; RETURN c || ' ' || FOUND; END $$",
    );
    assert_eq!(db.value("SELECT gone(2)"), "2 true");
    assert_eq!(db.value("SELECT gone(2)"), "0 false");
    db.exec("PREPARE p AS DELETE FROM t WHERE id = $1");
    assert_eq!(db.client().execute("EXECUTE p(3)", &[]).unwrap(), 1);
    assert_eq!(db.value(DELETED), "1,2,3");
}

#[test]
fn merge_and_using_and_with() {
    let mut db = db();
    let merge = "MERGE INTO t USING generate_series(1, 3) s (id) ON t.id = s.id
                 WHEN MATCHED AND t.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'm'";
    assert_eq!(db.client().execute(merge, &[]).unwrap(), 3);
    assert_eq!(db.value(DELETED), "1");
    assert_eq!(
        db.client().execute("DELETE FROM t USING (VALUES (2), (3)) s (id) WHERE t.id = s.id", &[]).unwrap(),
        2
    );
    // a part that changes rows by itself reports none, and what it would return is not there
    let with = "WITH d AS (DELETE FROM t WHERE id >= 4 RETURNING id) SELECT count(*) FROM d";
    assert_eq!(db.value(with), "0");
    assert_eq!(db.value(DELETED), "1,2,3,4,5");
    assert_eq!(db.lines("DELETE FROM t RETURNING id"), Vec::<String>::new());
}

/// What an UPDATE of the column does, a DELETE does.
#[test]
fn triggers_generated_columns_and_constraints() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (gone int, id int PRIMARY KEY, big text, is_live boolean GENERATED ALWAYS AS (gone_at IS NULL) STORED,
                         gone_at timestamp(0), updated_at timestamptz, version int, CHECK (id <> 3 OR gone_at IS NULL));
         ALTER TABLE t DROP COLUMN gone; CREATE INDEX ON t (is_live); CREATE INDEX ON t (id) WHERE gone_at IS NULL;
         INSERT INTO t (id, big) SELECT g, repeat(md5(g::text), 10000) FROM generate_series(1, 4) g;
         SELECT dbguard.touch_enable('t'), dbguard.touch_enable('t', what => 'version'), dbguard.soft_delete_enable('t', 'gone_at');
         CREATE TABLE seen (what text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO seen VALUES (tg_name || ' ' || coalesce(old.id, 0)); RETURN NULL; END $$;
         CREATE TRIGGER of_column AFTER UPDATE OF gone_at ON t FOR EACH ROW EXECUTE FUNCTION see();
         CREATE TRIGGER of_other AFTER UPDATE OF big ON t FOR EACH ROW EXECUTE FUNCTION see();
         CREATE TRIGGER of_delete AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION see();
         CREATE CONSTRAINT TRIGGER of_end AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
         DELETE FROM t WHERE id < 3",
    );
    assert_eq!(
        db.lines("SELECT id, is_live, gone_at = date_trunc('second', gone_at), updated_at IS NOT NULL, version, length(big) FROM t ORDER BY id"),
        ["1 | f | t | t | 1 | 320000", "2 | f | t | t | 1 | 320000", "3 | t | <null> | f | <null> | 320000", "4 | t | <null> | f | <null> | 320000"]
    );
    assert_eq!(
        db.lines("SELECT what FROM seen ORDER BY what"),
        ["of_column 1", "of_column 2", "of_end 1", "of_end 2"]
    );
    db.exec("SET enable_seqscan = off");
    assert_eq!(db.lines("SELECT id FROM t WHERE is_live ORDER BY id"), ["3", "4"]);
    assert_eq!(db.lines("SELECT id FROM t WHERE gone_at IS NULL AND id > 0 ORDER BY id"), ["3", "4"]);
    assert_eq!(db.error("DELETE FROM t WHERE id = 3").code, "23514");
    // a trigger that will not have it
    db.exec(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no()",
    );
    assert_eq!(db.client().execute("DELETE FROM t WHERE id = 4", &[]).unwrap(), 0);
    assert_eq!(db.value("SELECT gone_at FROM t WHERE id = 4"), "<null>");
}

#[test]
fn what_is_rolled_back_is_not_gone() {
    let mut db = db();
    db.exec("BEGIN; SAVEPOINT s; DELETE FROM t WHERE id = 1; ROLLBACK TO s; DELETE FROM t WHERE id = 2; RELEASE s; COMMIT");
    assert_eq!(db.value(DELETED), "2");
    db.exec(
        "DO $$ BEGIN DELETE FROM t; RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN NULL; END $$",
    );
    assert_eq!(db.value(DELETED), "2");
}

#[test]
fn altered_in_mid_session() {
    let mut db = db();
    db.exec(
        "DELETE FROM t WHERE id = 1; ALTER TABLE t ADD COLUMN w int DEFAULT 7; DELETE FROM t WHERE id = 2",
    );
    assert_eq!(db.lines("SELECT id, w FROM t WHERE deleted_at IS NOT NULL ORDER BY id"), ["1 | 7", "2 | 7"]);
    db.exec("ALTER TABLE t ALTER deleted_at TYPE date; DELETE FROM t WHERE id = 3");
    assert_eq!(db.value("SELECT deleted_at = current_date FROM t WHERE id = 3"), "t");
    db.exec("CREATE DOMAIN moment AS timestamptz CHECK (value > '2000-01-01'); ALTER TABLE t ALTER deleted_at TYPE moment; DELETE FROM t WHERE id = 4");
    assert_eq!(db.value(DELETED), "1,2,3,4");
    db.exec("ALTER TABLE t RENAME deleted_at TO gone");
    let e = db.error("DELETE FROM t WHERE id = 5");
    assert_eq!((e.code.as_str(), e.hint.as_str()), ("42703", "Call dbguard.soft_delete_enable again."));
    assert_eq!(
        db.value("SELECT problem FROM dbguard.soft_delete_status()"),
        "column \"deleted_at\" does not exist: deletes fail"
    );
    db.exec("SELECT dbguard.soft_delete_enable('t', 'gone'); DELETE FROM t WHERE id = 5");
    assert_eq!(db.value("SELECT count(gone) FROM t"), "5");
}

/// Rows that logical replication applies come as they are: there a DELETE is one.
#[test]
fn replicas_delete_what_they_are_told() {
    let mut db = db();
    db.exec(
        "SET session_replication_role = replica; DELETE FROM t WHERE id = 1; RESET session_replication_role",
    );
    assert_eq!(db.value("SELECT count(*) FROM t"), "4");
    db.exec("ALTER TABLE t ENABLE ALWAYS TRIGGER dbguard_soft_delete; SET session_replication_role = replica; DELETE FROM t WHERE id = 2");
    assert_eq!(db.value(DELETED), "2");
}

#[test]
fn called_in_a_way_it_was_not_made_for() {
    let mut db = db();
    for trigger in ["AFTER DELETE ON u FOR EACH ROW", "BEFORE DELETE ON u", "BEFORE INSERT ON u FOR EACH ROW"]
    {
        db.exec("DROP TABLE IF EXISTS u; CREATE TABLE u (id int, deleted_at timestamptz); INSERT INTO u VALUES (1)");
        db.exec(&format!("CREATE TRIGGER x {trigger} EXECUTE FUNCTION dbguard.soft_delete()"));
        let sql = if trigger.contains("INSERT") { "INSERT INTO u VALUES (2)" } else { "DELETE FROM u" };
        assert_eq!(db.error(sql).code, "39P01", "{trigger}");
    }
    assert_eq!(db.error("SELECT dbguard.soft_delete()").code, "39P01");
}
