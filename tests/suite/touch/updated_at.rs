//! set_updated_at, enabled or named in CREATE TRIGGER.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT '2000-01-01Z');
         SELECT dbguard.touch_enable('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    db
}

const FRESH: &str = "SELECT string_agg((updated_at > '2020-01-01')::text, ',' ORDER BY id) FROM t";

#[test]
fn set_when_something_changed_and_only_then() {
    let mut db = db();
    assert_eq!(db.value(FRESH), "false,false");
    db.exec("UPDATE t SET v = v");
    assert_eq!(db.value(FRESH), "false,false");
    db.exec("UPDATE t SET v = 'c' WHERE id = 2");
    assert_eq!(db.value(FRESH), "false,true");
    db.exec("BEGIN; UPDATE t SET v = 'd'");
    assert_eq!(db.value("SELECT bool_and(updated_at = now()) FROM t"), "t");
    db.exec("ROLLBACK");
}

#[test]
fn a_value_the_writer_gave_gives_way() {
    let mut db = db();
    db.exec("UPDATE t SET v = 'x', updated_at = '1999-01-01' WHERE id = 1");
    assert_eq!(db.value(FRESH), "true,false");
    // nothing else changed: a correction by hand stays
    db.exec("UPDATE t SET updated_at = '1999-01-01' WHERE id = 1");
    assert_eq!(db.value(FRESH), "false,false");
}

#[test]
fn every_type_of_time() {
    let mut db = Db::new();
    db.exec(
        "SET timezone = 'Pacific/Kiritimati';
         CREATE TABLE t (id int, a timestamptz, b timestamp, c date, d timestamptz(0));
         CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('a');
         CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('b');
         CREATE TRIGGER c BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('c');
         INSERT INTO t VALUES (1); BEGIN; UPDATE t SET id = 2",
    );
    assert_eq!(db.lines("SELECT a = now(), b = now()::timestamp, c = now()::date FROM t"), ["t | t | t"]);
    db.exec("COMMIT");
}

#[test]
fn altered_in_mid_session() {
    let mut db = db();
    db.exec("UPDATE t SET v = 'x'; ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN w int; ALTER TABLE t ALTER updated_at TYPE date");
    db.exec("UPDATE t SET updated_at = '2000-01-01'; UPDATE t SET w = 1 WHERE id = 2");
    assert_eq!(db.value(FRESH), "false,true");
    db.exec("ALTER TABLE t RENAME COLUMN updated_at TO modified");
    let error = db.error("UPDATE t SET w = 2");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("42703", "column \"updated_at\" of relation \"t\" does not exist")
    );
    assert_eq!(
        db.value("SELECT problem FROM dbguard.touch_status()"),
        "column \"updated_at\" does not exist: writes fail"
    );
    db.exec("SELECT dbguard.touch_enable('t', 'modified'); UPDATE t SET w = 2");
}

#[test]
fn generated_columns_merge_conflict_and_cascade() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE t (id int PRIMARY KEY, p_id int REFERENCES p ON UPDATE CASCADE, g int GENERATED ALWAYS AS (id * 2) STORED,
                         updated_at timestamptz DEFAULT '2000-01-01Z');
         SELECT dbguard.touch_enable('t');
         INSERT INTO p VALUES (1), (2), (3); INSERT INTO t (id, p_id) VALUES (1, 1), (2, 2), (3, 3), (4, 3);
         UPDATE t SET p_id = p_id WHERE id = 4;
         UPDATE p SET id = 10 WHERE id = 1;
         INSERT INTO t (id, p_id) VALUES (2, 3) ON CONFLICT (id) DO UPDATE SET p_id = excluded.p_id;
         MERGE INTO t USING (VALUES (3)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET p_id = 2",
    );
    assert_eq!(db.value(FRESH), "true,true,true,false");
}

#[test]
fn partitions_of_a_partitioned_table() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, v text, updated_at timestamptz DEFAULT '2000-01-01Z') PARTITION BY RANGE (id);
         CREATE TABLE odd (updated_at timestamptz DEFAULT '2000-01-01Z', gone int, v text, id int); ALTER TABLE odd DROP COLUMN gone;
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
         SELECT dbguard.touch_enable('t');
         ALTER TABLE t ATTACH PARTITION odd FOR VALUES FROM (10) TO (20);
         INSERT INTO t VALUES (1, 'a'), (11, 'b'); UPDATE t SET v = 'x' WHERE id = 1; UPDATE odd SET v = 'y'",
    );
    assert_eq!(db.value(FRESH), "true,true");
    assert_eq!(db.lines("SELECT \"table\" FROM dbguard.touch_status()"), ["t"]);
}

#[test]
fn anybody_may_use_it_on_his_own_table() {
    let mut db = Db::new();
    db.connect_as("touch_owner");
    db.exec("GRANT CREATE ON SCHEMA public TO touch_owner");
    let mut owner = db.connect_as("touch_owner");
    owner.exec("CREATE TABLE mine (id int, updated_at date); SELECT dbguard.touch_enable('mine'); INSERT INTO mine VALUES (1); UPDATE mine SET id = 2");
    assert_eq!(owner.value("SELECT updated_at = now()::date FROM mine"), "t");
}
