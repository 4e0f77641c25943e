//! A conversion through a dump, in mid-life and interrupted; and on a standby.

use super::convert_described::{described, everything};
use super::oracle::clock;
use dbguard_tests::{Cluster, Db, SqlError};

const CONVERT: &str = "CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')";

/// A copy of the database, by a dump of all of it.
fn copied(db: &Db<'static>) -> Db<'static> {
    let cluster = db.cluster();
    let copy = Db::empty_in(cluster);
    let file = cluster.dir().join(format!("{}.dump", db.name));
    let file = file.to_str().unwrap();
    let dump = cluster.run("pg_dump", &["-F", "c", "-f", file, &db.name]);
    assert_eq!((dump.status.success(), String::from_utf8_lossy(&dump.stderr).as_ref()), (true, ""));
    let restore = cluster.run("pg_restore", &["--exit-on-error", "-d", &copy.name, file]);
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    copy
}

#[test]
fn a_converted_table_goes_on_after_a_restore() {
    let mut db = Db::new();
    clock(&mut db, "2026-11-20 12:00Z");
    everything(&mut db, 1);
    db.exec("INSERT INTO app.\"Orders\" (at, customer, amount) SELECT timestamptz '2026-11-20' - g * interval '1 hour', 1, g FROM generate_series(1, 100) g");
    db.exec(CONVERT);
    db.exec("INSERT INTO app.\"Orders\" (at, customer, amount) VALUES ('2026-11-24 12:00Z', 1, 200)");
    let mut copy = copied(&db);
    let same = [
        "SELECT to_jsonb(s) - 'parent' - 'home' FROM dbguard.partition_set s",
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE c.relispartition AND c.relkind = 'r' ORDER BY 1",
        "SELECT o::text, o.tableoid::regclass FROM app.\"Orders\" o ORDER BY id",
        "SELECT last_value, is_called FROM app.\"Orders_id_seq\"",
    ];
    for query in same {
        assert_eq!(copy.lines(query), db.lines(query), "{query}");
    }
    assert_eq!(described(&mut copy, "app.\"Orders\"", false), described(&mut db, "app.\"Orders\"", false));
    clock(&mut copy, "2026-11-20 12:00Z");
    let last: i64 = copy.value("SELECT max(id) FROM app.\"Orders\"").parse().unwrap();
    let next = "INSERT INTO app.\"Orders\" (at, customer) VALUES ('2026-11-20 12:00Z', 1) RETURNING id";
    assert_eq!(copy.rows(next)[0][0], (last + 3).to_string());
    clock(&mut copy, "2026-11-30 12:00Z");
    let count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'app.\"Orders\"'::regclass";
    let before: i64 = copy.value(count).parse().unwrap();
    copy.exec("CALL dbguard.partition_maintain()");
    assert!(copy.value(count).parse::<i64>().unwrap() > before);
    assert_eq!(copy.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
    // the way back is of the database it was converted in
    let e = copy.error("CALL dbguard.partition_unconvert('app.\"Orders\"')");
    assert_eq!((e.code.as_str(), e.hint.contains("before a restore")), ("55000", true), "{e:?}");
}

/// What an interrupted one left is the user's after a restore: the plan names it, with what to type.
#[test]
fn an_interrupted_one_is_told_of_after_a_restore() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t SELECT g, now() FROM generate_series(1, 10) g");
    let convert = "CALL dbguard.partition_convert('t', 'at', '1 day', extend_keys => true)";
    let mut holder = db.connect();
    holder.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    let mut run = db.connect();
    let pid = run.value("SELECT pg_backend_pid()");
    let run = std::thread::spawn(move || -> SqlError { run.error(convert) });
    let waits = format!("SELECT count(*) FROM dbguard.partition_progress p JOIN pg_stat_activity a USING (pid) WHERE p.pid = {pid} AND p.phase = 'index' AND a.wait_event = 'virtualxid'");
    while db.value(&waits) == "0" {
        assert!(!run.is_finished(), "{:?}", run.join());
    }
    db.exec(&format!("SELECT pg_terminate_backend({pid})"));
    run.join().unwrap();
    holder.exec("ROLLBACK");
    while db.value(&format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")) != "0" {}
    let mut copy = copied(&db);
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    let plan = "SELECT message FROM dbguard.partition_convert_plan('t', 'at', '1 day', extend_keys => true) WHERE kind = 'blocked'";
    let blocked = copy.lines(plan);
    assert_eq!(blocked.len(), 1, "{blocked:?}");
    let drop = "ALTER TABLE public.t DROP CONSTRAINT dbguard_convert";
    assert!(blocked[0].contains(drop), "{blocked:?}");
    copy.exec(drop);
    copy.exec(convert);
    copy.exec("CALL dbguard.partition_unconvert('t')");
    // where it was begun, the next call takes it up
    db.exec(convert);
    assert_eq!(db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
}

#[test]
fn on_a_standby() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    db.exec(
        "CREATE TABLE t (id int, at timestamptz, PRIMARY KEY (id, at)); INSERT INTO t VALUES (1, now());
             CREATE TABLE o (id int, at timestamptz, PRIMARY KEY (id, at))",
    );
    db.exec("CALL dbguard.partition_convert('o', 'at', '1 day')");
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    let plan = "SELECT kind, sql IS NULL FROM dbguard.partition_convert_plan('t', 'at', '1 day') WHERE message NOT LIKE 'nothing can be made here%'";
    assert_eq!(there.lines(plan), db.lines(plan));
    for (call, what) in [
        ("CALL dbguard.partition_convert('t', 'at', '1 day')", "partition_convert"),
        ("CALL dbguard.partition_unconvert('o')", "partition_unconvert"),
        ("SELECT dbguard.partition_convert_cancel('t')", "partition_convert_cancel"),
    ] {
        let e = there.error(call);
        let message = format!("cannot execute {what} during recovery");
        assert_eq!((e.code.as_str(), e.message.as_str()), ("25006", message.as_str()));
    }
}
