//! Sessions that meet: on a row, on the log, on an index of it.

use dbguard_tests::Db;

fn log(db: &mut Db, columns: &str) -> Vec<String> {
    db.lines(&format!("SELECT {columns} FROM dbguard.audit_log ORDER BY at, id"))
}

/// Whoever waited for a row sees it as it became; what is logged is what was really done to that.
#[test]
fn a_row_that_changed_while_it_was_waited_for() {
    let cases = [
        ("UPDATE t SET v = v + 100", "COMMIT", vec!["U | 1 | 0 | 1", "U | 1 | 1 | 101"]),
        ("UPDATE t SET v = v + 100", "ROLLBACK", vec!["U | 1 | 0 | 100"]),
        // no longer what it was looking for
        ("UPDATE t SET v = 100 WHERE v = 0", "COMMIT", vec!["U | 1 | 0 | 1"]),
        // by now what it would make of it
        ("UPDATE t SET v = 1", "COMMIT", vec!["U | 1 | 0 | 1"]),
        ("DELETE FROM t WHERE id = 1", "COMMIT", vec!["U | 1 | 0 | 1", "D | 1 | 1 | <null>"]),
        ("UPDATE t SET v = 5", "DELETE FROM t; COMMIT", vec!["U | 1 | 0 | 1", "D | 1 | 1 | <null>"]),
        ("INSERT INTO t VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v", "COMMIT", vec!["U | 1 | 0 | 1", "U | 1 | 1 | 8"]),
        ("MERGE INTO t USING (SELECT 1 AS i) s ON t.id = s.i WHEN MATCHED AND v = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = t.v + 40",
         "COMMIT", vec!["U | 1 | 0 | 1", "U | 1 | 1 | 41"]),
        ("INSERT INTO t VALUES (2, 7) ON CONFLICT DO NOTHING", "COMMIT", vec!["I | 2 | <null> | 3", "U | 1 | 0 | 1"]),
    ];
    for (sql, release, mut expected) in cases {
        let mut db = Db::new();
        db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0); SELECT dbguard.audit_enable('t')");
        let mut holder = db.connect();
        holder.exec("BEGIN; UPDATE t SET v = 1");
        if sql.contains("(2, 7)") {
            holder.exec("INSERT INTO t VALUES (2, 3)");
        }
        db.while_it_waits(holder, sql, release).unwrap();
        let mut found = log(&mut db, "left(op, 1), key, old->>'v', new->>'v'");
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{sql}, then {release}");
    }
}

#[test]
fn many_writers_fill_one_log() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE r (id int PRIMARY KEY, v int); CREATE TABLE p (id int PRIMARY KEY, v int);
         SELECT dbguard.audit_enable('r'), dbguard.audit_enable('p', bulk => 'pack')",
    );
    let mut sessions: Vec<Db> = (0..8).map(|_| db.connect()).collect();
    std::thread::scope(|scope| {
        for (i, session) in sessions.iter_mut().enumerate() {
            scope.spawn(move || {
                let (from, to) = (i * 1000, i * 1000 + 299);
                for table in ["r", "p", "r", "p"] {
                    session.exec(&format!(
                        "INSERT INTO {table} SELECT n, 0 FROM generate_series({from}, {to}) n"
                    ));
                    session.exec(&format!("UPDATE {table} SET v = v + 1 WHERE id BETWEEN {from} AND {to}"));
                    session.exec(&format!(
                        "BEGIN; UPDATE {table} SET v = 99 WHERE id BETWEEN {from} AND {to}; ROLLBACK"
                    ));
                    session.exec(&format!("DELETE FROM {table} WHERE id BETWEEN {from} AND {to}"));
                }
            });
        }
    });
    // of each row the same life twice, in order, with ids of its own
    assert_eq!(
        db.lines(
            "SELECT table_name, ops, count(*) FROM
               (SELECT table_name, key, string_agg(left(op, 1) || coalesce(new->>'v', ''), ' ' ORDER BY at, id) AS ops
                FROM dbguard.audit_log GROUP BY 1, 2) x GROUP BY 1, 2 ORDER BY 1"
        ),
        ["p | I0 U1 D I0 U1 D | 2400", "r | I0 U1 D I0 U1 D | 2400"]
    );
    assert_eq!(db.value("SELECT count(*) - count(DISTINCT id) FROM dbguard.audit_log"), "0");
    let counted = "SELECT count(*) FROM dbguard.audit_change WHERE relation = (SELECT id FROM dbguard.audit_relation WHERE table_name = 'r') AND key >= ''";
    db.exec("SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off");
    let scanned = db.value(counted);
    db.exec("RESET ALL; SET enable_seqscan = off");
    assert_eq!((db.value(counted), scanned), ("14400".into(), "14400".into()));
}

/// REINDEX CONCURRENTLY and the like replace what writers have looked up; none of them may fail, nor
/// leave an index without its rows.
#[test]
fn the_logs_indexes_are_rebuilt_while_it_is_written() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i");
    let leaf = db.value("SELECT tableoid::regclass FROM dbguard.audit_change LIMIT 1");
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut sessions: Vec<Db> = (0..6).map(|_| db.connect()).collect();
    let written: u64 = std::thread::scope(|scope| {
        let done = &done;
        let writers: Vec<_> = (1..)
            .zip(sessions.iter_mut())
            .map(|(id, session)| {
                scope.spawn(move || {
                    let mut n = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        session.try_exec(&format!("UPDATE t SET v = v + 1 WHERE id = {id}"))?;
                        n += 1;
                    }
                    Ok::<u64, dbguard_tests::SqlError>(n)
                })
            })
            .collect();
        let mut commands = vec![];
        for i in 0..4 {
            commands.push(format!("REINDEX TABLE CONCURRENTLY {leaf}"));
            commands.push(format!("CREATE INDEX CONCURRENTLY more_{i} ON {leaf} (key, id)"));
            commands.push(format!("DROP INDEX CONCURRENTLY dbguard.more_{i}"));
        }
        // what locks the table and then its partitions
        for _ in 0..20 {
            commands.push("CREATE INDEX on_all ON dbguard.audit_change (xact)".to_owned());
            commands.push("DROP INDEX dbguard.on_all".to_owned());
        }
        commands.push(format!("VACUUM FULL {leaf}"));
        commands.push(format!("CREATE INDEX CONCURRENTLY stays ON {leaf} (key, id)"));
        let failed = commands.iter().find_map(|command| db.try_exec(command).err());
        std::thread::sleep(std::time::Duration::from_millis(100));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(failed, None);
        writers.into_iter().map(|w| w.join().unwrap().expect("a writer's statement")).sum()
    });
    assert_eq!(db.value("SELECT sum(v) FROM t"), written.to_string());
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE op = 'UPDATE'"), written.to_string());
    if db.offers(&["amcheck"]) {
        db.exec("CREATE EXTENSION amcheck");
        let checked = format!(
            "SELECT count(bt_index_check(indexrelid, true)) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
             JOIN pg_am a ON a.oid = c.relam WHERE indrelid = '{leaf}'::regclass AND amname = 'btree'"
        );
        assert_eq!(db.value(&checked), "3");
    }
}

/// Our own reading and writing gives no reason to fail transactions that have nothing to do with each other.
#[test]
fn serializable_transactions_of_different_tables_both_commit() {
    let mut db = Db::new();
    db.exec("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('a'), dbguard.audit_enable('b')");
    for round in 0..3 {
        let (mut one, mut two) = (db.connect(), db.connect());
        one.exec("BEGIN ISOLATION LEVEL SERIALIZABLE");
        two.exec("BEGIN ISOLATION LEVEL SERIALIZABLE");
        one.exec(&format!("INSERT INTO a VALUES ({round})"));
        two.exec(&format!("INSERT INTO b VALUES ({round})"));
        one.exec("UPDATE a SET v = 1; COMMIT");
        two.exec("UPDATE b SET v = 1; COMMIT");
        db.exec("ALTER TABLE a ADD COLUMN more int; ALTER TABLE b ADD COLUMN more int; ALTER TABLE a DROP COLUMN more; ALTER TABLE b DROP COLUMN more");
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE op = 'INSERT'"), "6");
}

#[test]
fn a_session_that_is_killed_leaves_nothing_behind() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t')");
    let mut killed = db.connect();
    let pid = killed.value("SELECT pg_backend_pid()");
    killed.exec("INSERT INTO t VALUES (1, 0)");
    killed.exec("BEGIN; INSERT INTO t VALUES (2, 0)");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // in the middle of a statement that has begun to write its changes
            let error = killed.error("INSERT INTO t SELECT i, CASE WHEN i = 9000 THEN length(pg_sleep(60)::text) ELSE 0 END FROM generate_series(10, 9000) i");
            assert!(error.code == "57P01" || error.code.is_empty(), "{error:?}");
        });
        while db.value(&format!("SELECT coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = {pid}"))
            != "PgSleep"
        {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        db.exec(&format!("SELECT pg_terminate_backend({pid})"));
    });
    db.exec("INSERT INTO t VALUES (2, 5)");
    assert_eq!(log(&mut db, "key, new->>'v'"), ["1 | 0", "2 | 5"]);
}

/// Workers load the library too, and read the log beside their leader.
#[test]
fn queries_that_run_in_parallel() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE source AS SELECT i AS id FROM generate_series(1, 20000) i; ANALYZE source;
         CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t')",
    );
    let mut session = db.connect();
    session.exec(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0;
         SET max_parallel_workers_per_gather = 2",
    );
    session.exec("CREATE TABLE counted AS SELECT count(*) AS n, id FROM source WHERE id % 100 = 0 GROUP BY id; INSERT INTO t SELECT n + id FROM counted");
    let read = "SELECT count(*), min(key), max(id) - min(id) FROM dbguard.audit_log";
    let plan = session.lines(&format!("EXPLAIN (ANALYZE, COSTS off, TIMING off) {read}"));
    assert!(plan.iter().any(|l| l.contains("Workers Launched")), "{plan:?}");
    assert_eq!(session.lines(read), ["200 | 10001 | 199"]);
    session.exec("BEGIN; DELETE FROM t WHERE id < 1000");
    // what this transaction has just logged, by all who help it read
    let plan = session.lines(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT count(*) FROM dbguard.audit_change WHERE op = 'D'",
    );
    assert!(plan.iter().any(|l| l.contains("Gather")), "{plan:?}");
    assert_eq!(session.value("SELECT count(*) FROM dbguard.audit_change WHERE op = 'D'"), "9");
    session.exec("ROLLBACK");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "200");
}
