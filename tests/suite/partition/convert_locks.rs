//! What the cut-over locks, and how long others wait for it.

use super::convert_described::{described, everything};
use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CONVERT: &str = "CALL dbguard.partition_convert('t', 'at', '1 day')";

/// Each of thirty referring tables is held until the conversion has waited 80 ms for it. One after the other in one
/// try, that would be more than two seconds; the table at work is given back after 200 ms all the same.
#[test]
fn all_locks_of_a_try_together_take_no_longer_than_its_step() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, at timestamptz, PRIMARY KEY (id, at)); INSERT INTO t VALUES (0, now());
         DO $$ BEGIN FOR n IN 1..30 LOOP
           EXECUTE format('CREATE TABLE r%s (id int, at timestamptz, FOREIGN KEY (id, at) REFERENCES t)', n);
         END LOOP; END $$",
    );
    // the first is the last to be locked, so that ROLLBACK TO gives it free before the others
    let mut holder = db.connect();
    holder.exec("BEGIN");
    for n in (1..=30).rev() {
        holder.exec(&format!("SAVEPOINT s{n}; SELECT FROM r{n}"));
    }
    let mut run = db.connect();
    let pid = run.value("SELECT pg_backend_pid()");
    let run = std::thread::spawn(move || run.error(CONVERT));
    let stop = AtomicBool::new(false);
    let (mut client, stop) = (db.connect(), &stop);
    let longest = std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let started = Instant::now();
                client.exec("UPDATE t SET id = 0");
                longest = longest.max(started.elapsed());
            }
            longest
        });
        // the last is never given free
        for n in 1..30 {
            let waits = format!(
                "SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted AND relation = 'r{n}'::regclass
                   AND waitstart < clock_timestamp() - interval '80 ms'"
            );
            while db.value(&waits) == "0" {
                assert!(!run.is_finished());
            }
            holder.exec(&format!("ROLLBACK TO s{n}"));
        }
        stop.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    while !run.is_finished() {
        db.exec(&format!("SELECT pg_cancel_backend({pid})"));
    }
    assert_eq!(run.join().unwrap().code, "57014");
    assert!(longest < Duration::from_millis(1500), "{longest:?}");
}

/// Numbers drawn, and views read, by a transaction that is not ended keep the cut-over out, and nothing is lost.
#[test]
fn sequences_and_views_in_use() {
    let mut db = Db::new();
    everything(&mut db, 200);
    let before = described(&mut db, "app.\"Orders\"", false);
    db.exec("SET dbguard.partition_lock_budget = 300");
    for (held, what) in [
        ("SELECT nextval('app.\"Orders_id_seq\"')", "the sequence of an identity"),
        ("COMMENT ON VIEW app.\"Big\" IS 'big'", "a view"),
    ] {
        let mut holder = db.connect();
        holder.exec(&format!("BEGIN; {held}"));
        let e = db.error("CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')");
        assert_eq!(e.code, "55P03", "{what} {e:?}");
        holder.exec("COMMIT");
        assert_eq!(described(&mut db, "app.\"Orders\"", false), before, "{what}");
    }
    db.exec("CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')");
    for (held, what) in [
        ("SELECT nextval('app.\"Orders_id_seq\"')", "the sequence of an identity"),
        ("COMMENT ON VIEW app.\"Big\" IS 'big'", "a view"),
    ] {
        let mut holder = db.connect();
        holder.exec(&format!("BEGIN; {held}"));
        let e = db.error("CALL dbguard.partition_unconvert('app.\"Orders\"')");
        assert_eq!(e.code, "55P03", "{what} {e:?}");
        holder.exec("COMMIT");
    }
    // no number is given twice, whoever drew one meanwhile
    let last = db.value("SELECT nextval('app.\"Orders_id_seq\"')");
    db.exec("CALL dbguard.partition_unconvert('app.\"Orders\"')");
    assert_eq!(
        db.value(&format!("SELECT nextval('app.\"Orders_id_seq\"') - {last}")),
        "3",
        "the next after {last}"
    );
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
}
