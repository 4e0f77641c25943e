//! How long the table is locked when rows change hands.

use dbguard_tests::Db;

/// A row in each of 150 days, in the DEFAULT partition.
fn full() -> Db<'static> {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0");
    db.exec(
        "CREATE TABLE t (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE t_rest PARTITION OF t DEFAULT;
         INSERT INTO t SELECT n, '2026-11-19'::date - n FROM generate_series(1, 150) n;
         SELECT dbguard.partition_enable('t', '1 day', 1)",
    );
    db
}

/// Each partition that is attached takes the server longer than the one before: it is told before how long the table
/// will be locked, and afterwards how long it was.
#[test]
fn many_partitions_are_told_before() {
    let mut db = full();
    let note =
        "SELECT lower, upper, rows, sql FROM dbguard.partition_drain_plan('t') WHERE partition IS NULL";
    assert_eq!(
        db.lines(note),
        ["<null> | <null> | 0 | -- 151 partitions attached at once would lock the table for about 995 ms. They are made in 7 moves of at most about 148 ms; each but the first copies the rows of a wider partition again."]
    );
    assert_eq!(db.lines(&note.replace("('t')", "('t', 40)")), Vec::<String>::new());
    // few rows go one range at a time
    db.exec("SET dbguard.partition_drain_rows = 1000");
    assert_eq!(db.lines(note), Vec::<String>::new());
    // but not where code would run
    db.exec(
        "CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN true;
         ALTER TABLE t ADD CONSTRAINT code CHECK (fine(id))",
    );
    assert_eq!(db.lines(note).len(), 1);
    db.exec("ALTER TABLE t DROP CONSTRAINT code; SET dbguard.partition_drain_rows = 0");
    for most in [50, 100, 150, 200] {
        db.exec(&format!("CALL dbguard.partition_drain('t', {most}, true)"));
    }
    assert_eq!(db.lines("SELECT count(*), count(DISTINCT tableoid) FROM t"), ["150 | 150"]);
    assert_eq!(db.value("SELECT count(*) FROM t_rest"), "0");
}

/// Each partition that is attached beside rows that stay has them scanned: fewer fit into a move.
#[test]
fn rows_that_stay_make_more_moves() {
    let mut db = full();
    let mut moves = || {
        let note = db.value("SELECT sql FROM dbguard.partition_drain_plan('t') WHERE partition IS NULL");
        db.exec(
            "INSERT INTO t SELECT n, '2097-01-01' FROM generate_series(1, 300000) n ON CONFLICT DO NOTHING",
        );
        note.split_once("made in ").unwrap().1.split_once(" moves").unwrap().0.parse::<u32>().unwrap()
    };
    let (few, more) = (moves(), moves());
    assert!(more > 2 * few, "{few} {more}");
}

/// Many rows that stay are not read again with the table locked: the server says so in its log.
#[test]
fn what_is_left_is_not_scanned() {
    for (number, (column, bound)) in [
        ("timestamptz", "timestamptz '2026-11-20'"),
        ("date", "date '2026-11-20'"),
        ("timestamp(3)", "timestamp '2026-11-20'"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut db = Db::new();
        let name = format!("left{number}_{}", db.name);
        db.exec(
            "SET dbguard.partition_clock = '2026-11-20 12:00:00+00'; SET dbguard.partition_drain_rows = 0",
        );
        db.exec(&format!(
            "CREATE TABLE {name} (id int, at {column}) PARTITION BY RANGE (at);
             CREATE UNIQUE INDEX ON {name} (id, at);
             CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT;
             CREATE TABLE apart PARTITION OF {name} FOR VALUES FROM ('2150-01-01') TO (MAXVALUE);
             INSERT INTO {name} SELECT n, {bound} - n / 50 * interval '1 day' FROM generate_series(50, 2499) n;
             DELETE FROM {name} WHERE at IS NULL; ALTER TABLE {name} ALTER id SET NOT NULL;
             INSERT INTO {name} VALUES (-1, 'infinity'), (-2, '2097-01-01');
             ALTER TABLE {name} ALTER at SET NOT NULL;
             SELECT dbguard.partition_enable('{name}', '1 day', 1);
             SET log_min_messages = debug1"
        ));
        db.exec(&format!("CALL dbguard.partition_drain('{name}', 10)"));
        assert_eq!(
            db.lines(&format!("SELECT count(*), (SELECT count(*) FROM {name}_rest) FROM {name}")),
            ["2452 | 1951"]
        );
        let implied =
            format!("partition constraint for table \"{name}_rest\" is implied by existing constraints");
        assert!(dbguard_tests::Cluster::shared().log().contains(&implied), "{column}");
        assert_eq!(db.value("SELECT count(*) FROM pg_constraint WHERE conname = 'dbguard_bound'"), "0");
        assert_eq!(db.error(&format!("INSERT INTO {name}_rest VALUES (1, '2026-11-18')")).code, "23514");
    }
}
