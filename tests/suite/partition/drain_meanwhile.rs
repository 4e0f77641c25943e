//! What others do while many rows are moved, and what they find afterwards.

use super::drain_copy::{full, wait_for, CATALOG};
use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};

const PHASE: &str = "SELECT coalesce(max(phase), '') FROM dbguard.partition_progress";

/// Runs a drain of t, and `meanwhile` when all is ready to be swapped.
fn at_the_swap(
    db: &mut Db,
    call: &str,
    meanwhile: impl FnOnce(&mut Db),
) -> Result<(), dbguard_tests::SqlError> {
    let mut runner = db.connect();
    runner.exec(
        "SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0;
         SET dbguard.partition_lock_budget = '60s'",
    );
    let mut holder = db.connect();
    // held where maintenance does not let the swap begin
    holder.exec("BEGIN; SELECT FROM dbguard.partition_set FOR UPDATE");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| runner.try_exec(call));
        wait_for(db, PHASE, "swapping");
        meanwhile(db);
        holder.exec("COMMIT");
        run.join().unwrap()
    })
}

/// Each update alone holds the second key, and the rows are right at each moment; in the order of their first key
/// they are not.
#[test]
fn values_of_a_second_key_that_wander_between_rows() {
    let mut db = Db::new();
    full(&mut db, "t", 20_000);
    db.exec("ALTER TABLE t ADD slot bigint; UPDATE t SET slot = id; CREATE UNIQUE INDEX ON t (slot, at)");
    // rows 240 apart have the same hour
    let swap = |number: u32| {
        format!(
            "DO $$ DECLARE a int; b int; sa bigint; sb bigint; BEGIN
               FOR n IN 1..50 LOOP
                 a := 240 * (1 + floor(random() * 80)::int) + {number}; b := 240 * (1 + floor(random() * 80)::int) + {number};
                 CONTINUE WHEN a = b;
                 SELECT slot INTO sa FROM t WHERE id = a; SELECT slot INTO sb FROM t WHERE id = b;
                 UPDATE t SET slot = -sa WHERE id = a; COMMIT;
                 UPDATE t SET slot = sa WHERE id = b; COMMIT;
                 UPDATE t SET slot = sb WHERE id = a; COMMIT;
               END LOOP; END $$"
        )
    };
    let mut clients: Vec<_> = (0..2).map(|_| db.connect()).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (client, number) in clients.iter_mut().zip(0..) {
            let (done, swap) = (&done, swap(number));
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    client.exec(&swap);
                }
            });
        }
        let ended = db.try_exec("CALL dbguard.partition_drain('t')");
        done.store(true, Ordering::Relaxed);
        assert_eq!(ended, Ok(()));
    });
    assert_eq!(
        db.lines("SELECT count(*), count(DISTINCT slot), min(slot), sum(slot) = sum(id) FROM t WHERE id > 0"),
        ["20000 | 20000 | 1 | t"]
    );
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2");
}

/// The server finds every constraint and index on the pieces: it makes none with the table locked.
#[test]
fn constraints_and_indexes_are_there_before() {
    let mut db = Db::new();
    full(&mut db, "t", 2000);
    db.exec(
        "CREATE TABLE kind (kind int PRIMARY KEY, note text);
         INSERT INTO kind SELECT n, 'k' FROM generate_series(0, 9) n;
         ALTER TABLE t ADD kind int NOT NULL DEFAULT 0 CHECK (kind < 100);
         UPDATE t SET kind = abs(id) % 5;
         ALTER TABLE t ADD CONSTRAINT of_kind FOREIGN KEY (kind) REFERENCES kind ON DELETE CASCADE;
         CREATE UNIQUE INDEX ON t (v, at); CREATE INDEX ON t (lower(v)) WHERE id > 5",
    );
    let made = "SELECT 'constraint', k.oid, k.conname FROM pg_constraint k WHERE conrelid = 't_p20261112'::regclass AND conname <> 'dbguard_bound'
                UNION ALL SELECT 'index', indexrelid, '' FROM pg_index WHERE indrelid = 't_p20261112'::regclass ORDER BY 1, 2";
    let mut before = vec![];
    let ended = at_the_swap(&mut db, "CALL dbguard.partition_drain('t')", |db| {
        before = db.lines(made);
        // what the copy still refers to is nobody's concern
        db.exec("UPDATE t SET kind = 5 WHERE kind = 1; DELETE FROM kind WHERE kind = 1");
        db.exec("DELETE FROM kind WHERE kind = 2");
    });
    assert_eq!(ended, Ok(()));
    assert_eq!(db.lines(made), before);
    assert_eq!(
        db.lines(
            "SELECT count(*) FILTER (WHERE contype = 'f' AND conparentid <> 0 AND convalidated),
                    count(*) FILTER (WHERE contype IN ('p', 'f') AND conparentid = 0)
             FROM pg_constraint WHERE conrelid = 't_p20261112'::regclass"
        ),
        ["1 | 0"]
    );
    assert_eq!(
        db.value("SELECT count(*) FROM pg_index x LEFT JOIN pg_inherits i ON inhrelid = indexrelid WHERE indrelid = 't_p20261112'::regclass AND (inhparent IS NULL OR NOT indisvalid)"),
        "0"
    );
    // the key is in force again, each way
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger t JOIN pg_constraint k ON k.oid = tgconstraint WHERE contype = 'f' AND tgenabled <> 'O'"),
        "0"
    );
    assert_eq!(db.error("INSERT INTO t VALUES (1, '2026-11-12', 'x', 1)").code, "23503");
    assert_eq!(db.error("UPDATE t SET kind = 77 WHERE id = 50").code, "23503");
    db.exec("DELETE FROM kind WHERE kind = 5; UPDATE kind SET note = 'still'");
    // 1 became 5, and 2 and 5 are gone
    assert_eq!(db.lines("SELECT DISTINCT kind FROM t ORDER BY 1"), ["0", "3", "4"]);
}

/// Keys to a table that is itself partitioned, of a set whose partitions are split by hash; drained, and regrained.
#[test]
fn foreign_keys_of_parts_to_parts() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0");
    db.exec(
        "CREATE TABLE kind (a int, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
         CREATE TABLE kind1 PARTITION OF kind FOR VALUES IN (1); CREATE TABLE kind2 PARTITION OF kind FOR VALUES IN (2);
         INSERT INTO kind SELECT a, b FROM generate_series(1, 2) a, generate_series(1, 3) b;
         CREATE TABLE t (id int, at date, a int, b int, PRIMARY KEY (id, at),
           FOREIGN KEY (a, b) REFERENCES kind ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED) PARTITION BY RANGE (at);
         CREATE TABLE t_wide PARTITION OF t FOR VALUES FROM ('2026-10-01') TO ('2026-10-05');
         CREATE TABLE t_rest PARTITION OF t DEFAULT;
         INSERT INTO t SELECT n, d, 1 + n % 2, 1 + n % 3 FROM generate_series(1, 60) n, (VALUES ('2026-10-01'::date), ('2026-11-10')) v (d0),
           LATERAL (SELECT d0 + n % 4 AS d) d;
         SELECT dbguard.partition_enable('t', '1 day', 1, sub_by => 'id', sub_count => 2)",
    );
    let before = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id, at)) FROM t");
    for call in [
        "CALL dbguard.partition_drain('t', drop_old => true)",
        "CALL dbguard.partition_regrain('t', 't_wide', drop_old => true)",
    ] {
        db.exec(call);
    }
    assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id, at)) FROM t"), before);
    // every partition and every part of one has the key, once, of its parent, and in force
    assert_eq!(
        db.lines(
            "SELECT DISTINCT (SELECT count(*) FROM pg_constraint k JOIN pg_constraint u ON u.oid = k.conparentid
                              WHERE k.conrelid = relid AND u.conrelid = parentrelid AND k.confrelid = 'kind'::regclass AND k.convalidated),
                    (SELECT count(*) FROM pg_constraint k WHERE conrelid = relid AND contype = 'f' AND conparentid = 0)
             FROM pg_partition_tree('t') WHERE level > 0"
        ),
        ["1 | 0"]
    );
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger t JOIN pg_constraint k ON k.oid = tgconstraint WHERE contype = 'f' AND tgenabled <> 'O'"),
        "0"
    );
    for at in ["2026-10-02", "2026-11-11"] {
        assert_eq!(db.error(&format!("INSERT INTO t VALUES (99, '{at}', 1, 7)")).code, "23503");
    }
    db.exec("DELETE FROM kind WHERE a = 1");
    assert_eq!(db.lines("SELECT count(*), count(a) FROM t"), ["120 | 60"]);
}

/// Rows that came while the triggers were off: a move is no change, and no time to find out.
#[test]
fn rows_that_break_a_foreign_key() {
    let mut db = Db::new();
    full(&mut db, "t", 100);
    db.exec(
        "CREATE TABLE kind (kind int PRIMARY KEY); INSERT INTO kind VALUES (1);
         ALTER TABLE t ADD kind int REFERENCES kind;
         SET session_replication_role = replica; UPDATE t SET kind = 7 WHERE id < 20; RESET session_replication_role",
    );
    db.exec("CALL dbguard.partition_drain('t')");
    assert_eq!(
        db.lines("SELECT count(*) FILTER (WHERE kind = 7), (SELECT count(*) FROM t_rest) FROM t"),
        ["21 | 2"]
    );
    assert_eq!(db.error("UPDATE t SET kind = 8 WHERE id = 7").code, "23503");
}

#[test]
fn what_depends_on_the_old_partition_is_found_before() {
    for (what, told) in [
        ("CREATE VIEW seen AS SELECT * FROM t_rest", "view public.seen depends on table public.t_rest"),
        (
            "CREATE FUNCTION one(t_rest) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "function public.one(public.t_rest) depends on table public.t_rest",
        ),
        ("CREATE TABLE of_it (r t_rest)", "column r of table public.of_it depends on table public.t_rest"),
    ] {
        let mut db = Db::new();
        full(&mut db, "t", 100);
        db.exec(
            "CREATE POLICY own ON t_rest USING (v <> 'x'); ALTER TABLE t_rest ADD CHECK (id < 9999999);
             CREATE RULE own AS ON DELETE TO t_rest WHERE OLD.id = -5 DO INSTEAD NOTHING",
        );
        db.exec(what);
        let before = db.lines(CATALOG);
        let refused = db.error("CALL dbguard.partition_drain('t', drop_old => true)");
        assert_eq!(
            (&*refused.code, &*refused.message, &*refused.detail),
            ("2BP01", "cannot drop table public.t_rest because other objects depend on it", told)
        );
        assert_eq!(refused.hint, "Drop them first, or call it with drop_old => false.");
        assert_eq!(db.lines(CATALOG), before);
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
        db.exec("CALL dbguard.partition_drain('t')");
        assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2");
    }
    // what goes with it is in nobody's way
    let mut db = Db::new();
    full(&mut db, "t", 100);
    db.exec("CREATE POLICY own ON t_rest USING (v <> 'x'); ALTER TABLE t_rest ADD CHECK (id < 9999999); CREATE STATISTICS s ON id, v FROM t_rest");
    db.exec("CALL dbguard.partition_drain('t', drop_old => true)");
    assert_eq!(
        db.value("SELECT to_regclass('t_rest_old') IS NULL AND (SELECT count(*) FROM t_rest) = 2"),
        "t"
    );
}

#[test]
fn the_table_or_what_was_made_is_changed_meanwhile() {
    for (number, change) in [
        "REVOKE SELECT ON t FROM drain_reader",
        "GRANT UPDATE (v) ON t TO drain_reader",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE INDEX ON t (id)",
        "ALTER TABLE t ADD CHECK (id < 9999999)",
        "ALTER TABLE t_dbguard_noted RENAME TO aside; UPDATE t SET v = 'unseen' WHERE id = 5; ALTER TABLE aside RENAME TO t_dbguard_noted",
        "TRUNCATE t_dbguard_noted",
        "ALTER TABLE t_p20261112 OWNER TO drain_reader",
        "ALTER TABLE t_p20261112 RENAME TO aside",
        "GRANT SELECT ON t_p20261112 TO PUBLIC",
        "INSERT INTO dbguard.partition_move SELECT 0, 0, '', '', ''",
    ]
    .into_iter()
    .enumerate()
    {
        let mut db = Db::new();
        full(&mut db, "t", 500);
        drop(db.connect_as("drain_reader"));
        db.exec("GRANT SELECT, UPDATE (id) ON t TO drain_reader; GRANT CREATE ON SCHEMA public TO drain_reader");
        let ended = at_the_swap(&mut db, "CALL dbguard.partition_drain('t')", |db| {
            change.split("; ").for_each(|statement| db.exec(statement));
        });
        match number {
            // none of its business
            10 => {
                assert_eq!(ended, Ok(()));
                // what the set grants holds for its partitions
                assert_eq!(
                    db.lines("SELECT DISTINCT relacl::text, (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'id')
                              FROM pg_class c WHERE relname IN ('t', 't_p20261112', 't_rest')").len(),
                    1
                );
                continue;
            }
            _ => {
                let refused = ended.unwrap_err();
                assert_eq!((&*refused.code, &*refused.hint), ("55000", "Call the procedure again."), "{change}: {refused:?}");
            }
        }
        let before = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t");
        db.exec("DROP TABLE IF EXISTS aside");
        db.exec("CALL dbguard.partition_drain('t')");
        assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t"), before);
        assert_eq!(db.value("SELECT count(*) FROM t_rest"), "2", "{change}");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    }
}
