//! Many rows: copied beside, and put in place. Writers and readers at work, and faults.

use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A default partition with `rows` rows of ten days before the clock's, and a few that belong nowhere.
pub(super) fn full(db: &mut Db, table: &str, rows: u32) {
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0");
    db.exec(&format!(
        "CREATE TABLE {table} (id bigint, at timestamptz, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE INDEX ON {table} (v);
         CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT;
         INSERT INTO {table} SELECT n, '2026-11-10 00:00+00'::timestamptz + n % 240 * interval '1 hour', 'v' || n FROM generate_series(1, {rows}) n;
         INSERT INTO {table} VALUES (0, 'infinity', 'i'), (-1, '2097-01-01', 'far');
         SELECT dbguard.partition_enable('{table}', '1 day', 1)"
    ));
}

/// What the catalogs say of the tables and triggers there are.
pub(super) const CATALOG: &str = "
    SELECT c.relname, c.relkind, c.relispartition, pg_get_expr(c.relpartbound, c.oid),
           (SELECT string_agg(tgname || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),
           (SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid)
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace ORDER BY 1";

pub(super) fn wait_for(db: &mut Db, query: &str, wanted: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while db.value(query) != wanted {
        assert!(Instant::now() < until, "{query} is not {wanted}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_whole_default_is_replaced() {
    let mut db = Db::new();
    full(&mut db, "t", 20_000);
    let before = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t");
    let plan = db.lines("SELECT partition, rows FROM dbguard.partition_drain_plan('t')");
    assert_eq!(plan.len(), 11);
    assert_eq!(plan[10], "t_rest | 2");
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t"), before);
    assert_eq!(
        db.lines(
            "SELECT tableoid::regclass, count(*) FROM t GROUP BY tableoid ORDER BY tableoid::regclass::text"
        ),
        plan
    );
    // each as maintenance makes it, and no traces
    assert_eq!(
        db.lines(
            "SELECT count(*), count(DISTINCT (SELECT count(*) FROM pg_index x JOIN pg_inherits j ON j.inhrelid = x.indexrelid WHERE x.indrelid = c.oid)),
                    count(DISTINCT (SELECT string_agg(contype::text || convalidated, ',' ORDER BY contype) FROM pg_constraint WHERE conrelid = c.oid))
             FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass"
        ),
        ["13 | 1 | 1"]
    );
    assert_eq!(
        db.lines("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"),
        ["t", "t_rest_old"]
    );
    assert_eq!(db.value("SELECT count(*) FROM t_rest_old"), "20002");
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'dbguard%'"), "0");
    assert_eq!(db.lines("SELECT count(*) FROM dbguard.partition_job UNION ALL SELECT count(*) FROM dbguard.partition_move"), ["0", "0"]);
    assert_eq!(
        db.lines("SELECT DISTINCT action, state FROM dbguard.partition_run WHERE run = (SELECT max(run) FROM dbguard.partition_run)"),
        ["drain | done"]
    );
    assert_eq!(
        db.value("SELECT regexp_replace(message, '\\d+ ms', '7 ms') FROM dbguard.partition_run WHERE message LIKE 'the old%'"),
        "the old partition is now table \"t_rest_old\", for you to drop; the table was locked for 7 ms"
    );
}

/// No statement of theirs fails, none waits long, and nothing is lost or doubled.
#[test]
fn two_writers_and_a_reader_at_work() {
    let mut db = Db::new();
    full(&mut db, "t", 60_000);
    db.exec(
        "CREATE TABLE told (id bigint PRIMARY KEY, at timestamptz, v text); INSERT INTO told SELECT * FROM t",
    );
    let mut clients: Vec<_> = (0..2).map(|_| db.connect()).collect();
    let mut reader = db.connect();
    let done = AtomicBool::new(false);
    let worst = std::thread::scope(|scope| {
        let writers: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, client)| {
                let done = &done;
                scope.spawn(move || {
                    let (mut worst, mut n) = (Duration::ZERO, 0_u64);
                    while !done.load(Ordering::Relaxed) {
                        n += 1;
                        // each writer has rows of its own, so that what is told is what is done
                        let id = (n * 7919 % 29_000) * 2 + number as u64 + 2;
                        let new = 1_000_000 + n * 2 + number as u64;
                        let began = Instant::now();
                        client.exec(&format!(
                            "BEGIN;
                             UPDATE t SET v = 'w{n}' WHERE id = {id}; UPDATE told SET v = 'w{n}' WHERE id = {id};
                             UPDATE t SET at = at - interval '25 hours' WHERE id = {id} + 20 AND at > '2026-11-12';
                             UPDATE told SET at = at - interval '25 hours' WHERE id = {id} + 20 AND at > '2026-11-12';
                             INSERT INTO t VALUES ({new}, '2026-11-1{day} 03:00+00', 'n'); INSERT INTO told VALUES ({new}, '2026-11-1{day} 03:00+00', 'n');
                             DELETE FROM t WHERE id = {id} + 400; DELETE FROM told WHERE id = {id} + 400;
                             COMMIT",
                            day = n % 10
                        ));
                        worst = worst.max(began.elapsed());
                    }
                    (worst, n)
                })
            })
            .collect();
        let reads = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                // both in one snapshot
                assert_eq!(
                    reader.lines("SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM told), (SELECT count(*) - count(DISTINCT id) FROM t)"),
                    ["0 | 0"]
                );
                worst = worst.max(began.elapsed());
            }
            worst
        });
        let ended = db.try_exec("CALL dbguard.partition_drain('t')");
        done.store(true, Ordering::Relaxed);
        let mut worst = reads.join().unwrap();
        for writer in writers {
            let (waited, n) = writer.join().unwrap();
            assert!(n > 20, "{n}");
            worst = worst.max(waited);
        }
        assert_eq!(ended, Ok(()));
        worst
    });
    assert!(worst < Duration::from_secs(2), "{worst:?}");
    let sum =
        |table: &str| format!("SELECT count(*) || md5(string_agg(x::text, ',' ORDER BY id)) FROM {table} x");
    let (is, told) = (db.value(&sum("t")), db.value(&sum("told")));
    assert_eq!(is, told);
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2");
    assert!(db.value("SELECT count(*) FROM t_rest_old").parse::<u32>().unwrap() > 60_000);
}

/// At each phase, cancelled and killed: the set is as before, and the next call finishes.
#[test]
fn cancelled_and_killed_at_each_phase() {
    let mut db = Db::new();
    full(&mut db, "t", 30_000);
    let before = db.lines(CATALOG);
    let rows = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t");
    for phase in ["copying", "indexing", "swapping"] {
        for how in ["pg_cancel_backend", "pg_terminate_backend"] {
            let mut runner = db.connect();
            runner.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0; SET dbguard.partition_lock_budget = '60s'");
            let pid = runner.value("SELECT pg_backend_pid()");
            // what it comes to then is held by another
            let mut holder = db.connect();
            std::thread::scope(|scope| {
                match phase {
                    "copying" => holder.exec("BEGIN; LOCK TABLE t_rest IN SHARE UPDATE EXCLUSIVE MODE"),
                    _ => holder.exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE"),
                }
                let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
                // indexing may be over before anybody looks
                let phases = if phase == "indexing" {
                    "'indexing', 'swapping'".to_owned()
                } else {
                    format!("'{phase}'")
                };
                wait_for(
                    &mut db,
                    &format!("SELECT count(*) FROM dbguard.partition_progress WHERE phase IN ({phases})"),
                    "1",
                );
                // the server lets a lock timeout win over a cancel that comes at the same moment
                while !run.is_finished() {
                    db.exec(&format!("SELECT {how}({pid})"));
                    std::thread::sleep(Duration::from_millis(100));
                }
                let code = run.join().unwrap().unwrap_err().code;
                // who is killed may not be told any more
                assert!(["57014", "57P01", ""].contains(&&*code), "{phase} {how} {code}");
                holder.exec("COMMIT");
            });
            wait_for(
                &mut db,
                &format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state <> 'idle'"),
                "0",
            );
            assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t"), rows);
            // though who cancelled is still connected
            assert_eq!(db.value("SELECT state FROM dbguard.partition_progress"), "abandoned");
            assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "t");
            assert_eq!(db.lines(CATALOG), before, "{phase} {how}");
            assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "f");
        }
    }
    // what is left is taken back by the next call as well
    let mut runner = db.connect();
    runner.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0; SET dbguard.partition_lock_budget = '60s'");
    let pid = runner.value("SELECT pg_backend_pid()");
    let mut holder = db.connect();
    holder.exec("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
        wait_for(&mut db, "SELECT coalesce(max(phase), '') FROM dbguard.partition_progress", "swapping");
        // meanwhile another call is refused
        let refused = db.error("CALL dbguard.partition_drain('t')");
        assert_eq!(
            (&*refused.code, &*refused.message),
            ("55000", "dbguard.partition_drain of \"t\" is under way")
        );
        assert_eq!(db.error("SELECT dbguard.partition_drain_cancel('t')").code, "55000");
        db.exec(&format!("SELECT pg_terminate_backend({pid}, 5000)"));
        run.join().unwrap().unwrap_err();
    });
    holder.exec("COMMIT");
    // a change made while nobody was at it
    db.exec("DELETE FROM t WHERE id = 17");
    let rows = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t");
    db.exec("CALL dbguard.partition_drain('t', drop_old => true)");
    assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t"), rows);
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2");
    assert_eq!(
        db.lines("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"),
        ["t"]
    );
}

#[test]
fn a_lock_that_is_not_had_takes_all_back() {
    let mut db = Db::new();
    full(&mut db, "t", 1000);
    let before = db.lines(CATALOG);
    let mut holder = db.connect();
    holder.exec("BEGIN; SELECT * FROM t LIMIT 1");
    db.exec("SET dbguard.partition_lock_budget = '300ms'");
    let refused = db.error("CALL dbguard.partition_drain('t')");
    assert_eq!(refused.code, "55P03");
    // the copies are gone; the trigger cannot go while the reader is there
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname ~ 'dbguard|p2026111'";
    assert_eq!(db.lines(tables), ["t_dbguard_noted"]);
    assert_eq!(db.value("SELECT state FROM dbguard.partition_progress"), "abandoned");
    let mut other = db.connect();
    other.exec("UPDATE t SET v = 'changed' WHERE id = 3");
    holder.exec("COMMIT");
    assert_eq!(other.value("SELECT dbguard.partition_drain_cancel('t')"), "t");
    assert_eq!(db.lines(CATALOG), before);
    assert_eq!(
        db.lines("SELECT action, state, sqlstate, partition_name FROM dbguard.partition_run WHERE state = 'failed'"),
        ["drain | failed | 55P03 | t_rest"]
    );
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2");
}

#[test]
fn truncated_or_rewritten_meanwhile() {
    for change in
        ["TRUNCATE t_rest", "VACUUM FULL t_rest", "ALTER TABLE t RENAME TO u", "ALTER TABLE t ADD more int", "ALTER TABLE t DROP v; ALTER TABLE t ADD v text DEFAULT 'anew'", "ALTER TABLE t_rest DISABLE TRIGGER ALL; UPDATE t_rest SET v = 'unseen'; ALTER TABLE t_rest ENABLE TRIGGER ALL"]
    {
        let mut db = Db::new();
        full(&mut db, "t", 1000);
        let mut runner = db.connect();
        runner.exec(
            "SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0",
        );
        let mut holder = db.connect();
        // held where maintenance does not let the swap begin
        holder.exec("BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE");
        std::thread::scope(|scope| {
            let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
            wait_for(&mut db, "SELECT coalesce(max(phase), '') FROM dbguard.partition_progress", "swapping");
            db.exec(change);
            holder.exec("COMMIT");
            let refused = run.join().unwrap().unwrap_err();
            assert!(["55000", "42804", "42P17", "42703"].contains(&&*refused.code), "{change}: {refused:?}");
        });
        let left = "SELECT count(*) FROM pg_class WHERE relname ~ 'dbguard|p2026111'";
        assert_eq!(db.value(left), "0", "{change}");
        let table = if change.contains("RENAME") { "u" } else { "t" };
        let rows = db.value(&format!("SELECT count(*) FROM {table}"));
        db.exec(&format!("CALL dbguard.partition_drain('{table}')"));
        assert_eq!(db.value(&format!("SELECT count(*) FROM {table}")), rows, "{change}");
    }
}

#[test]
fn without_a_key_few_rows_go_and_many_are_refused() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    db.exec(
        "CREATE TABLE t (at date, v json) PARTITION BY RANGE (at);
         CREATE TABLE t_rest PARTITION OF t DEFAULT;
         INSERT INTO t SELECT '2026-11-10', '{}' FROM generate_series(1, 20);
         SELECT dbguard.partition_enable('t', '1 day', 1);
         SET dbguard.partition_drain_rows = 19",
    );
    // the plan says what the procedure does
    for call in ["SELECT * FROM dbguard.partition_drain_plan('t')", "CALL dbguard.partition_drain('t')"] {
        let refused = db.error(call);
        assert_eq!(refused.code, "55000");
        assert_eq!(refused.message, "\"t\" has no primary key and no unique index without NULLs");
        assert_eq!(
            refused.hint,
            "SET dbguard.partition_drain_rows = 20; then each range is moved in one transaction."
        );
    }
    db.exec("SET dbguard.partition_drain_rows = 20");
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.value("SELECT count(*) FROM t_p20261110"), "20");
}

/// A check constraint that rows in the default do not hold, since it was never validated.
#[test]
fn rows_that_the_table_would_refuse_now() {
    let mut db = Db::new();
    full(&mut db, "t", 100);
    db.exec("ALTER TABLE t_rest DISABLE TRIGGER USER; ALTER TABLE t ADD CONSTRAINT v_is CHECK (v <> 'v50') NOT VALID");
    let before = db.lines(CATALOG);
    assert_eq!(db.error("CALL dbguard.partition_drain('t')").code, "23514");
    assert_eq!(db.lines(CATALOG), before);
    assert_eq!(db.value("SELECT count(*) FROM t"), "102");
}
