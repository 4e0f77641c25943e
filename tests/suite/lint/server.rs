//! Rules about sessions, replication and settings, on servers that show what they are about.

use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

/// What a rule says, its numbers chosen.
fn said(db: &mut Db, code: &str, params: &str) -> Vec<String> {
    db.exec(&format!("SELECT dbguard.lint_configure('{code}', params => '{params}')"));
    let lines = db.lines(&format!(
        "SELECT status, object, regexp_replace(message, '\\d+', 'N', 'g') FROM dbguard.lint(rules => '{{{code}}}')"
    ));
    // how long or how much it is depends on the machine
    lines.iter().map(|l| l.replace("N seconds", "N second").replace("N kB", "N MB")).collect()
}

/// Until the server has come so far.
fn wait(db: &mut Db, condition: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while db.value(condition) != "true" && db.value(condition) != "t" {
        assert!(Instant::now() < until, "never: {condition}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_server_that_does_not_sync() {
    let mut db = Db::new();
    let seen = db.lines("SELECT severity, object FROM dbguard.lint(rules => '{CFG006}')");
    assert_eq!(seen, ["error | fsync"]);
    let careful = Cluster::start(&["fsync = on"]);
    assert!(Db::new_in(&careful).lines("SELECT object FROM dbguard.lint(rules => '{CFG006}')").is_empty());
}

#[test]
fn a_session_that_sits_in_a_transaction_and_one_that_waits_for_it() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    assert!(said(&mut db, "PRF012", "{\"minutes\": 0}").is_empty());
    assert!(said(&mut db, "PRF014", "{\"seconds\": 0}").is_empty());
    let mut sits = db.connect();
    sits.exec("BEGIN; UPDATE t SET a = 2");
    let name = db.name.clone();
    assert_eq!(
        said(&mut db, "PRF012", "{\"minutes\": 0}"),
        [format!("open | {name} | N session is idle in a transaction, for up to N second")]
    );
    assert!(said(&mut db, "PRF012", "{\"minutes\": 5}").is_empty());
    let mut waits = db.connect();
    let waiting = std::thread::scope(|scope| {
        scope.spawn(move || waits.exec("UPDATE t SET a = 3"));
        wait(&mut db, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))");
        let waiting = said(&mut db, "PRF014", "{\"seconds\": 0}");
        sits.exec("COMMIT");
        waiting
    });
    assert_eq!(
        waiting,
        [format!("open | {name} | N session waits for a lock, for up to N second, behind session N of role postgres (idle in transaction)")]
    );
}

#[test]
fn who_may_not_see_others_is_told_so() {
    let db = Db::new();
    let mut nobody = db.connect_as("lint_nobody3");
    let seen = nobody.lines(
        "SELECT code, status, message FROM dbguard.lint(rules => '{PRF011,PRF012,PRF013,PRF014,PRF015,MNT007}') ORDER BY 1",
    );
    assert_eq!(seen.len(), 6, "{seen:?}");
    for line in seen {
        assert!(
            line.contains("| skipped | not checked: only superusers and members of pg_read_all_stats"),
            "{line}"
        );
    }
    // and all the others answer
    nobody.exec("SELECT * FROM dbguard.lint(profile => 'production')");
}

#[test]
fn connections_that_run_out() {
    let cluster = Cluster::start(&["max_connections = 10", "superuser_reserved_connections = 3"]);
    let mut db = Db::new_in(&cluster);
    assert!(said(&mut db, "PRF011", "{}").is_empty());
    let others: Vec<Db> = (0..5).map(|_| db.connect()).collect();
    let seen = said(&mut db, "PRF011", "{}");
    assert_eq!(seen, [format!("open | {} | N of N connections are taken, N of them idle", db.name)]);
    drop(others);
}

#[test]
fn a_slot_that_nobody_reads() {
    let cluster = Cluster::start(&[]);
    let mut db = Db::new_in(&cluster);
    db.exec("SELECT pg_create_physical_replication_slot('forgotten', true)");
    assert!(said(&mut db, "PRF016", "{}").is_empty(), "it keeps little");
    assert_eq!(
        said(&mut db, "PRF016", "{\"gigabytes\": 0}"),
        ["open | forgotten | nobody reads from replication slot forgotten; it keeps N MB of WAL"]
    );
    let fix = db.value("SELECT fix_sql FROM dbguard.lint(rules => '{PRF016}')");
    db.exec(&fix);
    assert!(said(&mut db, "PRF016", "{\"gigabytes\": 0}").is_empty());
}

#[test]
fn wal_that_cannot_be_archived() {
    let cluster = Cluster::start(&["archive_mode = on", "archive_command = 'false'"]);
    let mut db = Db::new_in(&cluster);
    db.exec("CREATE TABLE t (a int); SELECT pg_switch_wal()");
    wait(&mut db, "SELECT failed_count > 0 FROM pg_stat_archiver");
    let seen = said(&mut db, "MNT016", "{}");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains("could not be archived; nothing was archived yet"), "{seen:?}");
}

#[test]
fn an_index_may_serve_a_standby() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    db.exec(
        "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1); SELECT pg_stat_force_next_flush()",
    );
    let params = "{\"days\": 0, \"mb\": 0}";
    assert_eq!(
        said(&mut db, "IDX005", params),
        ["open | public.i | index public.i of public.t (N MB) was not used for N second"]
    );
    let standby = Cluster::standby_of(&primary);
    wait(&mut db, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')");
    assert_eq!(
        said(&mut db, "IDX005", params),
        ["open | public.i | index public.i of public.t (N MB) was not used for N second; standbys may use it, they count for themselves"]
    );
    // a standby answers too, and does not judge by its own counters
    let mut there = standby.try_connect(&db.name, "postgres").unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let ready = there.query_one("SELECT count(*) FROM dbguard.lint_config WHERE rule = 'IDX005'", &[]);
        if ready.is_ok_and(|r| r.get::<_, i64>(0) == 1) {
            break;
        }
        assert!(Instant::now() < until, "the standby does not follow");
        std::thread::sleep(Duration::from_millis(50));
    }
    let seen = there.query("SELECT status, message FROM dbguard.lint(rules => '{IDX005}')", &[]).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].get::<_, &str>(0), "skipped");
    there.query("SELECT 1 FROM dbguard.lint(profile => 'production')", &[]).unwrap();
}

#[test]
fn the_window_is_told_where_it_is_too_short() {
    let mut db = Db::new();
    let name = db.name.clone();
    let seen = said(&mut db, "IDX016", "{}");
    assert_eq!(
        seen,
        [format!("skipped | {name} | not checked: the counters cover N second, N days are needed")]
    );
    assert!(said(&mut db, "IDX016", "{\"days\": 0}").is_empty());
}

#[test]
fn deadlocks_are_counted() {
    let mut db = Db::new();
    db.exec("CREATE TABLE a (x int); CREATE TABLE b (x int)");
    assert!(said(&mut db, "PRF009", "{\"days\": 0}").is_empty());
    let (mut one, mut two) = (db.connect(), db.connect());
    one.exec("SET deadlock_timeout = '50ms'; BEGIN; LOCK a");
    two.exec("SET deadlock_timeout = '50ms'; BEGIN; LOCK b");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = one.try_exec("LOCK b");
            let _ = one.try_exec("ROLLBACK");
        });
        let _ = two.try_exec("LOCK a");
        let _ = two.try_exec("ROLLBACK");
    });
    one.exec("SELECT pg_stat_force_next_flush()");
    two.exec("SELECT pg_stat_force_next_flush()");
    let seen = said(&mut db, "PRF009", "{\"days\": 0}");
    assert_eq!(seen, [format!("open | {} | N deadlock in N second", db.name)]);
}
