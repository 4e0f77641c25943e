//! So many partitions that they are made in several moves.

use super::drain_copy::{wait_for, CATALOG};
use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};

const SETTINGS: &str =
    "SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0;
    SET dbguard.partition_lock_budget = '60s'";
const ROWS: &str = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM t";
/// Partitions wider than a day that are of the table.
const WIDE: &str = "SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 't'::regclass AND relname LIKE '%wide'";

/// The first move that drops a wider partition fails.
const STOP: &str = "
    CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_name LIKE '%wide') THEN
        RAISE 'stopped'; END IF; END $$;
    CREATE EVENT TRIGGER stop ON sql_drop EXECUTE FUNCTION stop()";

/// A table with whatever goes from the parent to partitions, 130 days of rows in its DEFAULT partition.
fn full(db: &mut Db) {
    db.exec(SETTINGS);
    db.exec(
        "CREATE TABLE kind (kind int PRIMARY KEY); INSERT INTO kind SELECT generate_series(0, 4);
         CREATE TABLE t (id bigint, at timestamptz NOT NULL, kind int NOT NULL DEFAULT 0 REFERENCES kind, v text,
           gone int, twice bigint GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         ALTER TABLE t DROP gone; ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey;
         CREATE INDEX ON t (v); CREATE TABLE t_rest PARTITION OF t DEFAULT; ALTER TABLE t_rest REPLICA IDENTITY USING INDEX t_rest_pkey;
         CREATE TABLE seen (id bigint);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER see AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see();
         INSERT INTO t (id, at, kind, v)
         SELECT n, '2026-07-13 00:00+00'::timestamptz + n % 3120 * interval '1 hour', n % 5, 'v' || n FROM generate_series(1, 9360) n;
         INSERT INTO t (id, at) VALUES (0, 'infinity');
         SELECT dbguard.partition_enable('t', '1 day', 1)",
    );
}

/// The same with all the days in one partition, and the rest in the DEFAULT one.
fn broad(db: &mut Db) {
    db.exec(
        "CREATE TABLE broad (LIKE t INCLUDING ALL EXCLUDING INDEXES);
         INSERT INTO broad (id, at) SELECT id, at FROM t WHERE id > 0;
         DELETE FROM t WHERE id > 0;
         ALTER TABLE t ATTACH PARTITION broad FOR VALUES FROM ('2026-07-13 00:00+00') TO ('2026-11-20 00:00+00')",
    );
}

/// Each day has a partition, and nothing else has rows.
#[track_caller]
fn each_in_its_own(db: &mut Db, days: &str) {
    assert_eq!(db.value(WIDE), "0");
    assert_eq!(
        db.lines(
            "SELECT count(*), bool_and(rows > 0 AND days = 1 AND name = 't_p' || day) FROM (
               SELECT tableoid::regclass::text AS name, count(*) AS rows, count(DISTINCT date_trunc('day', at, 'UTC')) AS days,
                      min(to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD')) AS day
               FROM t WHERE id > 0 GROUP BY 1) p"
        ),
        [format!("{days} | t")]
    );
    assert_eq!(db.lines("SELECT count(*) FROM dbguard.partition_move UNION ALL SELECT count(*) FROM dbguard.partition_job"), ["0", "0"]);
    assert_eq!(
        db.value("SELECT count(*) FROM pg_class WHERE relname LIKE '%dbguard%' AND relkind IN ('r', 'p')"),
        "0"
    );
    // as maintenance makes them
    assert_eq!(
        db.lines(
            "SELECT DISTINCT relreplident,
                    (SELECT string_agg(contype::text || convalidated, ',' ORDER BY contype) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n'),
                    (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid),
                    (SELECT string_agg(tgname::text || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
             FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass AND relname <> 't_rest'"
        ),
        ["i | ftrue,ptrue | 2 | seeO"]
    );
}

#[test]
fn nobody_notices_any_of_the_moves() {
    let mut db = Db::new();
    full(&mut db);
    let seen = db.value("SELECT count(*) FROM seen");
    let (mut reader, mut writer) = (db.connect(), db.connect());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let reading = scope.spawn(move || {
            let mut counts = vec![];
            while !done.load(Ordering::Relaxed) {
                counts.push(reader.value("SELECT count(*) FROM t WHERE id > 0"));
            }
            counts
        });
        let writing = scope.spawn(move || {
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                written += 1;
                let id = 1 + written * 37 % 9360;
                writer.exec(&format!(
                    "UPDATE t SET v = 'w{written}' WHERE id = {id};
                     UPDATE t SET at = '2026-07-13 00:00+00'::timestamptz + ({id} * 7) % 3120 * interval '1 hour' WHERE id = {id}"
                ));
            }
            written
        });
        let ended = db.try_exec("CALL dbguard.partition_drain('t')");
        done.store(true, Ordering::Relaxed);
        assert_eq!(ended, Ok(()));
        assert!(reading.join().unwrap().iter().all(|count| count == "9360"));
        // one trigger for each statement of the writer, none for rows that were moved
        let written: i64 = writing.join().unwrap();
        assert!(written > 0);
        let others: i64 =
            db.value("SELECT count(*) FROM seen").parse::<i64>().unwrap() - seen.parse::<i64>().unwrap();
        assert!((written..=2 * written).contains(&others), "{others} of {written}");
    });
    each_in_its_own(&mut db, "130");
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "1");
    let swaps = "SELECT count(*) FROM dbguard.partition_run WHERE message LIKE '%the table was locked for%'";
    assert!(db.value(swaps).parse::<u32>().unwrap() > 3);
    assert_eq!(db.error("INSERT INTO t VALUES (5, '2026-08-01', 9)").code, "23503");
}

/// The plan has the same partitions, and says in how many moves they are made.
#[test]
fn the_plan_is_what_is_made() {
    let mut db = Db::new();
    full(&mut db);
    broad(&mut db);
    let plan = db.lines("SELECT partition_name, lower, upper, rows FROM dbguard.partition_regrain_plan('t', 'broad') WHERE partition_name IS NOT NULL");
    assert_eq!(plan.len(), 130);
    let note =
        db.value("SELECT sql FROM dbguard.partition_regrain_plan('t', 'broad') WHERE partition_name IS NULL");
    let rows = db.lines(ROWS);
    db.exec("CALL dbguard.partition_regrain('t', 'broad')");
    assert_eq!(db.lines(ROWS), rows);
    each_in_its_own(&mut db, "130");
    let made = db.lines(
        "SELECT partition_name, lower, upper, substring(message FROM '^rows moved: (.*)') FROM dbguard.partition_run
         WHERE action = 'regrain' AND message LIKE 'rows moved%' AND partition_name NOT LIKE '%wide' ORDER BY lower",
    );
    assert_eq!(made, plan);
    let swaps = db
        .value("SELECT count(*) FROM dbguard.partition_run WHERE message LIKE '%the table was locked for%'");
    assert!(note.contains(&format!("They are made in {swaps} moves of at most about 1")), "{note}");
    assert_eq!(db.value("SELECT count(*) FROM broad_old"), "9360");
}

/// What ends a later move leaves what was moved before; the next call goes on, or the user does.
#[test]
fn an_error_on_the_way() {
    for cancelled in [false, true] {
        let mut db = Db::new();
        full(&mut db);
        let rows = db.lines(ROWS);
        db.exec(STOP);
        assert_eq!(db.error("CALL dbguard.partition_drain('t')").code, "P0001");
        db.exec("DROP EVENT TRIGGER stop");
        assert_eq!(db.lines(ROWS), rows);
        assert_ne!(db.value(WIDE), "0");
        assert_eq!(db.value("SELECT count(*) FROM t_rest"), "1");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_progress"), "0");
        // its name is the user's
        db.exec("ALTER TABLE t_p20260713_wide RENAME TO \"Mine\"; CREATE SCHEMA other; ALTER TABLE \"Mine\" SET SCHEMA other");
        let plan = db.lines("SELECT sql FROM dbguard.partition_drain_plan('t')");
        assert!(plan.contains(&"-- \"Mine\" is divided".to_owned()), "{plan:?}");
        let wide = db.lines("SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 't'::regclass AND relname ~ 'wide|Mine'");
        if cancelled {
            assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "t");
            assert_eq!(db.value("SELECT dbguard.partition_drain_cancel('t')"), "f");
            for wide in wide {
                db.exec(&format!("CALL dbguard.partition_regrain('t', '{wide}', drop_old => true)"));
            }
        } else {
            db.exec("CALL dbguard.partition_drain('t')");
        }
        assert_eq!(db.lines(ROWS), rows);
        each_in_its_own(&mut db, "130");
    }
}

/// Killed when some of the wider ones are there: the next call divides them, and moves what has come since.
#[test]
fn a_session_killed_on_the_way() {
    let mut db = Db::new();
    full(&mut db);
    let before = db.lines(CATALOG);
    let mut runner = db.connect();
    runner.exec(SETTINGS);
    let pid = runner.value("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_drain('t')"));
        wait_for(&mut db, &WIDE.replace("count(*)", "count(*) > 0"), "t");
        db.exec(&format!("SELECT pg_terminate_backend({pid}, 60000)"));
        run.join().unwrap().unwrap_err();
    });
    assert_ne!(db.lines(CATALOG), before);
    assert_ne!(db.value(WIDE), "0");
    db.exec("DELETE FROM t WHERE id = 0; INSERT INTO t_rest (id, at, kind) VALUES (10000, '2026-07-01', 1)");
    let rows = db.lines(ROWS);
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(db.lines(ROWS), rows);
    each_in_its_own(&mut db, "131");
}

/// A regrain that ended early has no partition to be called with again, and a drain that did may have none to drain
/// any more: whichever is called goes on.
#[test]
fn whichever_is_called_goes_on() {
    for kill in [false, true] {
        let mut db = Db::new();
        full(&mut db);
        broad(&mut db);
        db.exec("DELETE FROM t WHERE id = 0; DROP TABLE t_rest");
        let rows = db.lines(ROWS);
        let mut runner = db.connect();
        runner.exec(SETTINGS);
        let pid = runner.value("SELECT pg_backend_pid()");
        std::thread::scope(|scope| {
            let run = scope.spawn(|| runner.try_exec("CALL dbguard.partition_regrain('t', 'broad')"));
            wait_for(&mut db, &WIDE.replace("count(*)", "count(*) > 0"), "t");
            db.exec(&match kill {
                true => format!("SELECT pg_terminate_backend({pid}, 60000)"),
                false => format!("SELECT pg_cancel_backend({pid})"),
            });
            let ended = run.join().unwrap().unwrap_err();
            assert!(kill || ended.code == "57014", "{ended:?}");
        });
        assert_ne!(db.value(WIDE), "0");
        assert_eq!(db.error("CALL dbguard.partition_regrain('t', 'broad')").code, "42P01");
        db.exec("CALL dbguard.partition_drain('t')");
        assert_eq!(db.lines(ROWS), rows);
        each_in_its_own(&mut db, "130");
    }
}

/// Beside a DEFAULT partition with rows each partition that is attached has them scanned: it is drained first, and what is
/// still to be divided afterwards.
#[test]
fn the_default_partition_comes_first() {
    let mut db = Db::new();
    full(&mut db);
    db.exec(STOP);
    assert_eq!(db.error("CALL dbguard.partition_drain('t')").message, "stopped");
    db.exec("DROP EVENT TRIGGER stop; INSERT INTO t (id, at) SELECT 10000 + n, '2026-07-01' FROM generate_series(1, 1000) n");
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(
        db.value(
            "SELECT partition_name FROM dbguard.partition_run
             WHERE run = (SELECT max(run) FROM dbguard.partition_run) AND message LIKE '%the table was locked for%' ORDER BY at LIMIT 1"
        ),
        "t_rest"
    );
    each_in_its_own(&mut db, "131");
}
