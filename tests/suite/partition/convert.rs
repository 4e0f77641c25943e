//! An ordinary table becomes a partitioned one: what it is and has afterwards.

use super::convert_described::{described, everything};
use dbguard_tests::Db;

const CONVERT: &str = "CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')";

#[test]
fn everything_a_table_has_is_the_partitioned_tables() {
    let mut db = Db::new();
    everything(&mut db, 5000);
    let before = described(&mut db, "app.\"Orders\"", true);
    let rows = db.value("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM app.\"Orders\" o");
    let storage = "SELECT relfilenode FROM pg_class WHERE oid = 'app.\"Orders\"'::regclass";
    let (file, oid) = (db.value(storage), db.value("SELECT 'app.\"Orders\"'::regclass::oid"));
    let indexes = format!("SELECT string_agg(pg_relation_filenode(indexrelid)::text, ',' ORDER BY indexrelid) FROM pg_index WHERE indrelid = {oid}");
    let files = db.value(&indexes);
    db.exec(CONVERT);
    assert_eq!(described(&mut db, "app.\"Orders\"", true), before);
    assert_eq!(db.value("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM app.\"Orders\" o"), rows);
    // no row was written, no index built
    assert_eq!(db.value(&format!("SELECT relfilenode FROM pg_class WHERE oid = {oid}")), file);
    assert_eq!(db.value(&indexes), files);
    assert_eq!(
        db.lines(&format!(
            "SELECT c.oid = {oid}, c.relname, pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (MINVALUE) TO (%'
             FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'app.\"Orders\"'::regclass ORDER BY c.oid LIMIT 1"
        )),
        ["t | Orders_p_old | t"]
    );
    assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
    assert_eq!(
        db.value("SELECT storage_options::text FROM dbguard.partition_set"),
        "{fillfactor=90,toast.autovacuum_enabled=true}"
    );
    // nothing is left of the way there
    assert_eq!(
        db.lines("SELECT conname FROM pg_constraint WHERE conname LIKE '%dbguard%'"),
        Vec::<String>::new()
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
    assert_eq!(db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0");
    assert_eq!(db.value("SELECT count(*) FROM app.seen"), "0");
    assert_eq!(db.lines("SELECT DISTINCT state FROM dbguard.partition_run"), ["done"]);
    assert!(
        db.value("SELECT reltuples FROM pg_class WHERE oid = 'app.\"Orders\"'::regclass")
            .parse::<f64>()
            .unwrap()
            > 4000.0
    );
}

#[test]
fn it_works_as_before() {
    let mut db = Db::new();
    everything(&mut db, 3000);
    let (last, number) =
        (db.value("SELECT max(id) FROM app.\"Orders\""), db.value("SELECT max(number) FROM app.\"Orders\""));
    db.exec(CONVERT);
    let mut owner = db.connect_as("conv_owner");
    owner.exec("INSERT INTO app.\"Orders\" (at, customer, amount, note) VALUES (now(), 1, 7, 'new'), (now() + interval '3 days', 2, 8, 'ahead')");
    let last: i64 = last.parse().unwrap();
    let number: i64 = number.parse().unwrap();
    assert_eq!(
        owner.lines(
            "SELECT id, number, amount, twice FROM app.\"Orders\" WHERE note IN ('new', 'ahead') ORDER BY id"
        ),
        [
            format!("{} | {} | 7 | 14", last + 3, number + 1),
            format!("{} | {} | 8 | 16", last + 6, number + 2)
        ]
    );
    assert_eq!(
        owner.value("SELECT count(DISTINCT tableoid) FROM app.\"Orders\" WHERE note IN ('new', 'ahead')"),
        "2"
    );
    assert_eq!(
        owner.value("SELECT pg_get_serial_sequence('app.\"Orders\"', 'number')"),
        "app.\"Orders_number_seq\""
    );
    // the statement trigger fires once, the row trigger with the owner's rights
    assert_eq!(owner.lines("SELECT who, super, what FROM app.seen"), ["conv_owner | f | INSERT"]);
    owner.exec("UPDATE app.\"Orders\" SET note = 'changed' WHERE note = 'new'");
    assert_eq!(owner.value("SELECT changes FROM app.\"Orders\" WHERE note = 'changed'"), "1");
    // views, from above as well, with their owner's rights
    assert_eq!(
        db.lines("SELECT amount FROM app.above WHERE \"Note\" IN ('changed', 'ahead') ORDER BY 1"),
        ["7", "8"]
    );
    // foreign keys, both ways
    assert_eq!(owner.error("INSERT INTO app.\"Orders\" (at, customer) VALUES (now(), 999)").code, "23503");
    assert_eq!(owner.error("INSERT INTO app.line VALUES (1, now(), 'x')").code, "23503");
    assert_eq!(owner.error("DELETE FROM app.\"Orders\" WHERE id = 1000").code, "23503");
    owner.exec("UPDATE app.\"Orders\" SET at = at - interval '1 minute' WHERE id = 1000");
    assert_eq!(owner.value("SELECT count(*) FROM app.line l JOIN app.\"Orders\" o ON (o.id, o.at) = (l.\"order\", l.order_at)"), "1000");
    // privileges and policies
    let mut reader = db.connect_as("conv_reader");
    assert_eq!(reader.value("SELECT count(*) FROM app.\"Orders\""), "3002");
    assert_eq!(reader.error("DELETE FROM app.\"Orders\"").code, "42501");
    assert_eq!(
        reader.error("INSERT INTO app.\"Orders\" (at, customer, amount) VALUES (now(), 1, 2000000)").code,
        "42501"
    );
    // as the table itself did
    assert_eq!(reader.error("TRUNCATE app.\"Orders\"").code, "42501");
    db.exec("CALL dbguard.partition_maintain()");
}

#[test]
fn the_plan_says_what_will_be_run() {
    let mut db = Db::new();
    everything(&mut db, 500);
    let before = described(&mut db, "app.\"Orders\"", false);
    let mut owner = db.connect_as("conv_owner");
    // views and publication are others': the plan says so
    let kinds = "SELECT kind, count(*) FROM dbguard.partition_convert_plan('app.\"Orders\"', 'at', '1 day') GROUP BY 1 ORDER BY 1";
    assert_eq!(owner.lines(kinds), ["blocked | 3", "note | 1"]);
    let e = owner.error(CONVERT);
    assert_eq!(e.code, "55000");
    assert!(
        e.message.starts_with("cannot convert table \"Orders\": view app.Big has to be replaced"),
        "{e:?}"
    );
    assert_eq!(e.detail, "2 more things are in the way.");
    let plan = "FROM dbguard.partition_convert_plan('app.\"Orders\"', 'at', '1 day')";
    assert_eq!(
        db.lines(&format!("SELECT string_agg(DISTINCT kind, ',' ORDER BY kind) {plan}")),
        ["check,cut over,finish,make,note,validate"]
    );
    let cut = db.value(&format!("SELECT sql {plan} WHERE kind = 'cut over'"));
    for part in [
        "ALTER TABLE app.\"Orders\" RENAME TO \"Orders_p_old\"",
        "PARTITION BY RANGE (at)",
        "ALTER TABLE app.\"Orders\" ATTACH PARTITION app.\"Orders_p_old\" FOR VALUES FROM (MINVALUE) TO (",
        "CREATE OR REPLACE VIEW app.\"Big\" WITH (security_barrier = 'true', check_option = 'local') AS",
    ] {
        assert!(cut.contains(part), "{part} in {cut}");
    }
    assert_eq!(db.value(&format!("SELECT count(*) {plan} WHERE kind = 'make'")), "3");
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
    // readers only: it runs while somebody writes and has not committed
    let mut writer = db.connect();
    writer.exec("BEGIN; INSERT INTO app.\"Orders\" (at, customer) VALUES (now(), 1)");
    db.exec("SET statement_timeout = '10s'");
    db.exec(&format!("SELECT * {plan}"));
    writer.exec("ROLLBACK");
}

#[test]
fn keys_of_all_types() {
    let mut db = Db::new();
    db.exec("SET dbguard.partition_clock = '2026-11-20 12:00:00+00'");
    for (n, (kind, unit, value)) in [
        ("date", "NULL", "date '2026-11-18' - g % 20"),
        ("timestamp", "NULL", "timestamp '2026-11-18' - g % 20 * interval '1 day'"),
        ("timestamptz", "NULL", "timestamptz '2026-11-18 00:00+00' - g % 20 * interval '1 day'"),
        ("bigint", "'ms'", "(extract(epoch FROM timestamptz '2026-11-18 00:00+00') * 1000)::bigint - g"),
        ("uuid", "NULL", "('01a19000-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid"),
        ("text COLLATE \"C\"", "NULL", "'01M6A60000' || lpad(g::text, 16, '0')"),
        ("varchar(26) COLLATE \"C\"", "NULL", "'01M6A60000' || lpad(g::text, 16, '0')"),
    ]
    .into_iter()
    .enumerate()
    {
        db.exec(&format!(
            "CREATE TABLE k{n} (id int, at {kind}, PRIMARY KEY (id, at));
             INSERT INTO k{n} SELECT g, {value} FROM generate_series(1, 1000) g; ANALYZE k{n}"
        ));
        let old = db.value(&format!("SELECT 'k{n}'::regclass::oid"));
        db.exec("SET stats_fetch_consistency = 'none'");
        db.exec(&format!("CALL dbguard.partition_convert('k{n}', 'at', '1 month', key_unit => {unit})"));
        assert_eq!(
            db.lines(&format!("SELECT count(*) FROM k{n} UNION ALL SELECT count(*) FROM k{n}_p_old")),
            ["1000", "1000"],
            "{kind}"
        );
        let bound =
            db.value(&format!("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = {old}"));
        assert!(bound.starts_with("FOR VALUES FROM (MINVALUE) TO ("), "{bound}");
        assert_eq!(
            db.value(&format!("SELECT count(*) FROM pg_inherits WHERE inhparent = 'k{n}'::regclass")),
            "4",
            "{kind}"
        );
    }
    assert_eq!(
        db.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'k0_p_old'"),
        "FOR VALUES FROM (MINVALUE) TO ('2027-01-01')"
    );
}

/// The cut-over reads no row: the server says of each scan it would do with a check or a foreign key.
#[test]
fn the_table_is_read_once_and_never_under_the_lock() {
    let mut db = Db::new();
    everything(&mut db, 2000);
    let oid = db.value("SELECT 'app.\"Orders\"'::regclass::oid");
    let scans = format!("SELECT pg_stat_get_numscans({oid})");
    let settled = |db: &mut Db| loop {
        db.exec("SELECT pg_stat_force_next_flush()");
        let now = db.value(&scans);
        if now == db.value(&scans) {
            return now.parse::<i64>().unwrap();
        }
    };
    let before = settled(&mut db);
    let mut other = db.connect();
    other.exec(CONVERT);
    other.exec("SELECT pg_stat_force_next_flush()");
    // VALIDATE of the check; the join that validates the foreign key of the other table
    let scans = settled(&mut db) - before;
    assert!((1..=2).contains(&scans), "{scans}");
}

#[test]
fn names_of_63_bytes_and_any_alphabet() {
    let mut db = Db::new();
    let name = "ä".repeat(31) + "\"\"";
    let index = "é".repeat(31) + "x";
    db.exec(&format!(
        "CREATE SCHEMA \"My \"\"schema\"; SET search_path = \"My \"\"schema\";
         CREATE TABLE \"{name}\" (\"the \"\"id\" int GENERATED BY DEFAULT AS IDENTITY, \"the Key\" timestamptz NOT NULL);
         CREATE UNIQUE INDEX \"{index}\" ON \"{name}\" (\"the \"\"id\", \"the Key\");
         CREATE VIEW \"a \"\"view\" AS SELECT * FROM \"{name}\";
         INSERT INTO \"{name}\" (\"the Key\") VALUES (now())",
    ));
    db.exec(&format!("CALL dbguard.partition_convert('\"{name}\"', 'the Key', '1 day')"));
    db.exec(&format!("INSERT INTO \"{name}\" (\"the Key\") VALUES (now())"));
    assert_eq!(db.lines("SELECT \"the \"\"id\" FROM \"a \"\"view\" ORDER BY 1"), ["1", "2"]);
    assert_eq!(db.value(&format!("SELECT count(*) FROM pg_indexes WHERE indexname = '{index}'")), "1");
    db.exec(&format!("CALL dbguard.partition_unconvert('\"{name}\"')"));
    assert_eq!(db.lines("SELECT \"the \"\"id\" FROM \"a \"\"view\" ORDER BY 1"), ["1", "2"]);
}
