//! Retiring waits for nobody without end, and what goes wrong with one set stays with it.

use super::retire::{days, left, log, RUN};
use dbguard_tests::Db;
use std::time::{Duration, Instant};

/// Whatever is wrong with what is stored of one set.
#[test]
fn an_error_of_one_set_keeps_no_other() {
    let mut db = Db::new();
    days(&mut db, "a", 3);
    days(&mut db, "b", 3);
    db.exec("SELECT dbguard.partition_retain('a', '2 days', retire => 'drop', grace => '1 day')");
    db.exec("SELECT dbguard.partition_retain('b', '2 days', retire => 'drop')");
    db.exec("UPDATE dbguard.partition_set SET grace = '178000000 years' WHERE table_name = 'a'");
    db.exec(RUN);
    assert_eq!(left(&mut db, "b"), "1,2");
    assert_eq!(
        db.lines("SELECT sqlstate FROM dbguard.partition_run WHERE table_name = 'a' AND state = 'failed'"),
        ["22008"]
    );
    // what left without being noted so stays as a table
    db.exec(RUN);
    assert_eq!(db.lines("SELECT id FROM a_3"), ["3"]);
}

/// Who has used the table for long is waited for as long as the budget says, and named.
#[test]
fn an_idle_reader_does_not_hold_the_run() {
    let mut db = Db::new();
    days(&mut db, "a", 4);
    days(&mut db, "b", 3);
    db.exec("SELECT dbguard.partition_retain('a', '2 days', retire => 'drop')");
    db.exec("SELECT dbguard.partition_retain('b', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("SET application_name = 'reporter'; BEGIN; SELECT count(*) FROM a");
    db.exec("SET dbguard.partition_lock_budget = '300ms'; SET statement_timeout = '20s'");
    db.exec(RUN);
    assert_eq!(left(&mut db, "a"), "1,2,3,4");
    assert_eq!(left(&mut db, "b"), "1,2");
    assert_eq!(
        db.lines("SELECT action, partition_name, sqlstate, blockers ~ 'application reporter.*AccessShareLock on public.a' FROM dbguard.partition_run WHERE table_name = 'a' AND state = 'failed'"),
        ["detach | a_4 | 55P03 | t"]
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
    reader.exec("COMMIT");
    db.exec(RUN);
    assert_eq!(left(&mut db, "a"), "1,2");
}

/// A session that was cancelled and lives on keeps no other from going on.
#[test]
fn a_cancelled_run_lets_go_of_the_set() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM t");
    let mut runner = db.connect();
    runner.exec("SET statement_timeout = '500ms'");
    assert_eq!(runner.error(RUN).code, "57014");
    reader.exec("COMMIT");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(db.value("SELECT to_regclass('t_3')"), "<null>");
}

#[test]
fn sizes_of_locked_partitions() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', max_bytes => 1, retire => 'drop')");
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE ONLY t_2");
    db.exec("SET statement_timeout = '10s'");
    let error = db.error("SELECT * FROM dbguard.partition_plan('t')");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55P03", "the partitions of \"t\" cannot be measured")
    );
    db.exec(RUN);
    assert_eq!(log(&mut db), ["retire | failed | <null> | 55P03"]);
    other.exec("ROLLBACK");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "");
}

/// The row of a set that another session has changed and not committed.
#[test]
fn a_renamed_set_that_is_being_changed() {
    let mut db = Db::new();
    days(&mut db, "t", 1);
    db.exec("ALTER TABLE t RENAME TO u");
    let mut other = db.connect();
    other.exec("BEGIN; SELECT dbguard.partition_retain('u', '2 days')");
    db.exec("SET statement_timeout = '10s'");
    db.exec(RUN);
    assert_eq!(db.lines("SELECT table_name FROM dbguard.partition_set"), ["t"]);
    other.exec("COMMIT");
    db.exec(RUN);
    assert_eq!(db.lines("SELECT table_name FROM dbguard.partition_set"), ["u"]);
}

#[test]
fn disabling_while_a_run_is_at_the_set() {
    let mut db = Db::new();
    days(&mut db, "t", 1);
    let mut other = db.connect();
    other.exec("BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE");
    let started = Instant::now();
    let error = db.error("SELECT dbguard.partition_disable('t')");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55P03", "another session is at work on the partitions of \"t\"")
    );
    other.exec("ROLLBACK");
    assert_eq!(db.value("SELECT dbguard.partition_disable('t')"), "t");
}

/// A partition of very many tables and indexes is not dropped while the table is kept from others.
#[test]
fn a_partition_of_many_parts_is_detached_first() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (ts timestamptz NOT NULL, a int) PARTITION BY RANGE (ts);
         CREATE INDEX ON t (a);
         CREATE TABLE old PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-02-01') PARTITION BY HASH (a);
         CREATE TABLE few PARTITION OF t FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
         DO $$ BEGIN FOR i IN 0..39 LOOP
           EXECUTE format('CREATE TABLE old_%s PARTITION OF old FOR VALUES WITH (MODULUS 40, REMAINDER %s)', i, i);
         END LOOP; END $$;
         SELECT dbguard.partition_enable('t', '1 year', ahead => 1);
         SELECT dbguard.partition_retain('t', '1 year', retire => 'drop')",
    );
    db.exec(RUN);
    assert_eq!(
        log(&mut db)[..3],
        ["detach | done | old | <null>", "drop | done | old | <null>", "drop | done | few | <null>"]
    );
}
