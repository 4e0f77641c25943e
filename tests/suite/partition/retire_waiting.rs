//! Detached partitions that wait to be dropped or moved, and what is done to them and their set meanwhile.

use super::retire::{days, left, log, RUN};
use dbguard_tests::Db;

/// A set of which `t_3` and `t_4` wait, and are due.
fn two_wait(grace: &str) -> Db<'static> {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec(&format!("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', grace => '{grace}')"));
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    db
}

const COME: &str = "UPDATE dbguard.partition_retired SET due = now()";
const THERE: &str = "SELECT concat_ws(' ', to_regclass('t_3'), to_regclass('t_4'))";

/// The set is the table, by whatever name.
#[test]
fn a_renamed_set_keeps_what_waits() {
    for rename in ["ALTER TABLE t RENAME TO old", "CREATE SCHEMA old; ALTER TABLE t SET SCHEMA old"] {
        let old = if rename.starts_with("ALTER") { "old" } else { "old.t" };
        let another = "CREATE TABLE t (ts date) PARTITION BY RANGE (ts); SELECT dbguard.partition_enable('t', '1 month')";
        // called off under the new name, and another table comes to the old one
        let mut db = two_wait("1 week");
        db.exec(COME);
        db.exec(rename);
        db.exec(&format!("SELECT dbguard.partition_retain('{old}')"));
        db.exec(RUN);
        db.exec(another);
        db.exec(RUN);
        assert_eq!(db.value(THERE), "t_3 t_4", "{rename}");
        // not called off: they go, however the table is called
        let mut db = two_wait("1 week");
        db.exec(rename);
        db.exec(RUN);
        db.exec(another);
        db.exec(COME);
        db.exec(RUN);
        assert_eq!(db.value(THERE), "", "{rename}");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    }
}

/// One that is attached again, to whichever set, leaves once more when it is over.
#[test]
fn attached_again_to_a_renamed_set() {
    let mut db = two_wait("1 week");
    db.exec(
        "ALTER TABLE t RENAME TO old;
         DO $$ DECLARE day date := (now() AT TIME ZONE 'UTC')::date - 4; BEGIN
           EXECUTE format('ALTER TABLE old ATTACH PARTITION t_4 FOR VALUES FROM (%L) TO (%L)', day || ' 00:00+00', day + 1 || ' 00:00+00');
         END $$",
    );
    db.exec(RUN);
    assert_eq!(db.value("SELECT relispartition FROM pg_class WHERE relname = 't_4'"), "f");
    assert_eq!(db.lines("SELECT partition_name FROM dbguard.partition_retired ORDER BY 1"), ["t_3", "t_4"]);
}

#[test]
fn a_longer_retention_keeps_what_waits() {
    // not over any more
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("SELECT dbguard.partition_retain('t', '3 days', retire => 'drop')");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    // more are to stay in any case
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', at_least => 3)");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3");
    // by size
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("SELECT dbguard.partition_retain('t', max_bytes => 1000000000, retire => 'drop')");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3 t_4");
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("SELECT dbguard.partition_retain('t', max_bytes => 1, retire => 'drop', at_least => 2)");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "");
}

#[test]
fn a_longer_grace_counts_from_the_detach() {
    let mut db = two_wait("1 second");
    db.exec("UPDATE dbguard.partition_retired SET left_at = left_at - interval '1 day'");
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', grace => '1 week')");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3 t_4");
    assert_eq!(
        db.lines("SELECT due = left_at + interval '1 week' FROM dbguard.partition_retired"),
        ["t", "t"]
    );
    // a shorter one makes none go sooner than it was told
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3 t_4");
}

/// What its owner calls otherwise is his.
#[test]
fn what_is_renamed_or_moved_is_kept() {
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("CREATE SCHEMA keep; ALTER TABLE t_3 RENAME TO important; ALTER TABLE t_4 SET SCHEMA keep");
    db.exec(RUN);
    assert_eq!(db.lines("SELECT id FROM important UNION ALL SELECT id FROM keep.t_4"), ["3", "4"]);
    assert_eq!(log(&mut db), ["forget | done | t_4 | <null>", "forget | done | t_3 | <null>"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}

#[test]
fn disabled_by_the_archive_function() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec(
        "CREATE FUNCTION enough(part regclass, lower text, upper text) RETURNS boolean LANGUAGE plpgsql AS
           $$ BEGIN PERFORM dbguard.partition_disable('public.t'); RETURN true; END $$;
         SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', archive => 'enough(regclass, text, text)')",
    );
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2,3");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    assert_eq!(log(&mut db), ["archive | done | t_3 | <null>", "retire | skipped | <null> | <null>"]);
}

/// What waited in the database this one is a copy of stays as a table.
#[test]
fn in_a_copy_of_the_database() {
    let mut db = two_wait("1 week");
    db.exec(COME);
    db.exec("UPDATE dbguard.partition_retired SET home = 'another'; UPDATE dbguard.partition_set SET home = 'another'");
    db.exec(RUN);
    assert_eq!(db.value(THERE), "t_3 t_4");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}
