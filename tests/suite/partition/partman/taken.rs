//! What is taken over, and that the next run makes what pg_partman would have made.

use super::{database, hand_over, partitions, set, settle, CONFIG};
use crate::partition::oracle::{bounds, typed_bounds};
use dbguard_tests::Db;

/// Whether two sets have the same partitions; pg_partman, which takes a month for 30 days when it counts those
/// ahead, may have made one more.
#[track_caller]
fn alike(ours: &[String], theirs: &[String]) {
    assert!(ours.len() >= 13, "{ours:?}");
    assert!(theirs.starts_with(ours) && theirs.len() - ours.len() <= 1, "{ours:?}\n{theirs:?}");
}

/// Both make four more, one by pg_partman and one by dbguard; the same ones.
#[track_caller]
fn go_on_alike(db: &mut Db, ours: &str, theirs: &str, kind: &str) {
    db.exec(&format!(
        "UPDATE partman.part_config SET premake = 8; SELECT partman.run_maintenance('public.{theirs}');
         UPDATE dbguard.partition_set SET ahead = 8 WHERE table_name = '{ours}'"
    ));
    db.exec("CALL dbguard.partition_maintain()");
    let of = |db: &mut Db, table: &str| match kind {
        "bigint" => typed_bounds(db, table, "bigint"),
        _ => bounds(db, table),
    };
    let (made, expected) = (of(db, ours), of(db, theirs));
    alike(&made, &expected);
    assert_eq!(
        db.value(&format!("SELECT DISTINCT state FROM dbguard.partition_run WHERE table_name = '{ours}'")),
        "done"
    );
}

#[test]
fn the_next_run_makes_what_pg_partman_would_have_made() {
    let Some(mut db) = database() else { return };
    let sets = [
        ("timestamptz", "1 day", "none"),
        ("timestamptz", "weekly", "none"),
        ("timestamptz", "1 week", "none"),
        ("timestamptz", "1 month", "none"),
        ("timestamptz", "1 hour", "none"),
        ("timestamptz", "quarterly", "none"),
        ("timestamptz", "3 months", "none"),
        ("timestamptz", "half-hour", "none"),
        ("timestamptz", "10 days", "none"),
        ("timestamptz", "1 year", "none"),
        ("timestamp", "1 day", "none"),
        ("timestamp", "1 hour", "none"),
        ("date", "1 day", "none"),
        ("date", "1 week", "none"),
        ("date", "1 month", "none"),
        ("bigint", "1 day", "seconds"),
        ("bigint", "1 month", "seconds"),
        ("bigint", "1 day", "milliseconds"),
        ("bigint", "1 week", "nanoseconds"),
    ];
    for (n, (kind, every, epoch)) in sets.into_iter().enumerate() {
        let (ours, theirs) = (format!("ours{n}"), format!("theirs{n}"));
        set(&mut db, &ours, kind, every, epoch);
        set(&mut db, &theirs, kind, every, epoch);
        let before = partitions(&mut db, &ours);
        let row = db
            .rows(&format!("SELECT state, message FROM dbguard.partition_import_partman('{ours}')"))
            .remove(0);
        assert_eq!(row[0], "imported");
        assert!(row[1].contains("Made because they were missing: 0."), "{kind} {every}: {}", row[1]);
        assert_eq!(partitions(&mut db, &ours), before, "{kind} {every}");
        go_on_alike(&mut db, &ours, &theirs, kind);
    }
}

#[test]
fn the_zone_is_found_in_the_settings_or_must_be_given() {
    let Some(mut first) = database() else { return };
    first.exec(&format!("ALTER DATABASE {} SET TimeZone = 'Europe/Berlin'", first.name));
    let mut db = first.connect();
    db.exec("SET client_min_messages = error");
    for (every, table) in [("1 day", "days"), ("1 month", "months")] {
        let twin = format!("{table}2");
        set(&mut db, table, "timestamptz", every, "none");
        set(&mut db, &twin, "timestamptz", every, "none");
        // whatever the session of the import has set
        first.exec("SET TimeZone = 'America/New_York'");
        let sql = first.value(&format!("SELECT sql FROM dbguard.partition_import_partman('{table}')"));
        assert!(sql.ends_with("zone => 'Europe/Berlin');"), "{sql}");
        let mut maintain = first.connect();
        maintain.exec("SET client_min_messages = error");
        go_on_alike(&mut maintain, table, &twin, "timestamptz");
    }
    // a zone that only the sessions of pg_partman had
    let mut tokyo = first.connect();
    tokyo.exec("SET TimeZone = 'Asia/Tokyo'; SET client_min_messages = error");
    set(&mut tokyo, "there", "timestamptz", "1 day", "none");
    set(&mut tokyo, "there2", "timestamptz", "1 day", "none");
    let e = first.error("SELECT dbguard.partition_import_partman('there')");
    assert_eq!(e.code, "55000");
    assert!(e.message.contains("UTC, Europe/Berlin") && e.hint.contains("zone =>"), "{e:?}");
    assert_eq!(first.value("SELECT count(*) FROM dbguard.partition_set WHERE table_name = 'there'"), "0");
    assert_eq!(
        first.error("SELECT dbguard.partition_import_partman('there', zone => 'Mars/Base')").code,
        "22023"
    );
    // off the grid of a zone that the caller insists on, or on it
    let planned =
        first.value("SELECT message FROM dbguard.partition_import_partman('there', true, 'Asia/Kolkata')");
    assert!(planned.contains("counted from"), "{planned}");
    first.exec("SELECT dbguard.partition_import_partman('there', zone => 'Asia/Tokyo')");
    assert_eq!(
        first.lines("SELECT zone, anchor, ahead FROM dbguard.partition_set WHERE table_name = 'there'"),
        ["Asia/Tokyo | <null> | 4"]
    );
    let of_tokyo =
        "UPDATE partman.part_config SET premake = 8; SELECT partman.run_maintenance('public.there2')";
    tokyo.exec(of_tokyo);
    first.exec("UPDATE dbguard.partition_set SET ahead = 8 WHERE table_name = 'there'");
    first.exec("CALL dbguard.partition_maintain()");
    let (ours, theirs) = (bounds(&mut first, "there"), bounds(&mut first, "there2"));
    alike(&ours, &theirs);
}

const STORED: &str = "
    SELECT every, ahead, zone, anchor, key_unit, retain, retire, retire_schema, storage_options, unique_on
    FROM dbguard.partition_set";

#[test]
fn options_retention_and_template_and_the_calls_that_say_the_same() {
    let Some(mut db) = database() else { return };
    db.exec("CREATE SCHEMA arch");
    for (retention, expected) in [
        ("retention = '30 days'", "30 days | detach | <null>"),
        ("retention = '1 year', retention_keep_table = false", "1 year | drop | <null>"),
        (
            "retention = '1 year', retention_keep_table = false, retention_schema = 'arch'",
            "1 year | move | arch",
        ),
        ("retention = NULL", "<null> | detach | <null>"),
    ] {
        db.exec(
            "CREATE TABLE t (id bigint, at timestamptz NOT NULL, \"Order No\" text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
             CREATE INDEX ON t (\"Order No\");
             CREATE TABLE partman.mine (LIKE t) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
             CREATE UNIQUE INDEX ON partman.mine (id, \"Order No\"); CREATE INDEX ON partman.mine (\"Order No\");
             CREATE INDEX of_ids ON partman.mine (id) WHERE id > 9; ALTER TABLE partman.mine ADD PRIMARY KEY (id, at)",
        );
        hand_over(&mut db, "public.t", "1 week", "none");
        db.exec(&format!("UPDATE partman.part_config SET template_table = 'partman.mine', {retention}"));
        let before = db.lines(CONFIG);
        let row = db.rows("SELECT message, sql FROM dbguard.partition_import_partman('t')").remove(0);
        let stored = db.lines(STORED);
        assert!(stored[0].contains(expected), "{stored:?}");
        assert!(
            stored[0]
                .ends_with("| {fillfactor=70,toast.autovacuum_enabled=false} | {\"id, \\\"Order No\\\"\"}"),
            "{stored:?}"
        );
        assert!(row[0].contains("index of_ids is not taken over"), "{}", row[0]);
        assert!(!row[0].contains("mine_pkey") && !row[0].contains("mine_Order No_idx"), "{}", row[0]);
        // the same by hand
        db.exec("SELECT dbguard.partition_disable('t')");
        db.exec("SET search_path = ''");
        db.exec(&row[1]);
        db.exec("RESET search_path");
        assert_eq!(db.lines(STORED), stored, "{}", row[1]);
        // and the way back, as the message says it
        let (rest, forget) =
            row[0].split_once("\nWhen all is well, and for the extension after the last set:\n").unwrap();
        let back = rest.split_once("To go back:\n").unwrap().1;
        db.exec(back);
        assert_eq!(db.lines(CONFIG), before, "{back}");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
        db.exec(&format!("DROP TABLE t; DROP TABLE partman.mine; {forget}"));
        db.exec("CREATE EXTENSION pg_partman SCHEMA partman");
    }
}

#[test]
fn a_new_partition_has_what_the_template_gave() {
    let Some(mut db) = database() else { return };
    db.exec(
        "CREATE TABLE t (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
         CREATE TABLE partman.mine (LIKE t) WITH (fillfactor = 70); ALTER TABLE partman.mine ADD UNIQUE (id)",
    );
    hand_over(&mut db, "public.t", "1 day", "none");
    db.exec("DROP TABLE partman.template_public_t; UPDATE partman.part_config SET template_table = 'partman.mine'");
    db.exec("SELECT dbguard.partition_import_partman('t'); UPDATE dbguard.partition_set SET ahead = 5");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines(
            "SELECT c.reloptions, i.indisunique, i.indkey FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
             WHERE c.oid = (SELECT max(inhrelid) FROM pg_inherits WHERE inhparent = 't'::regclass)"
        ),
        ["{fillfactor=70} | t | 1"]
    );
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let Some(mut db) = database() else { return };
    set(&mut db, "a", "timestamptz", "1 day", "none");
    set(&mut db, "b", "date", "1 month", "none");
    db.exec(
        "UPDATE partman.part_config SET retention = '1 year';
         DO $$ BEGIN EXECUTE 'DROP TABLE ' || (SELECT max(inhrelid::regclass::text) FROM pg_inherits i
               JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'a'::regclass AND relname !~ 'default'); END $$",
    );
    let all = "SELECT md5(string_agg(oid || relname, ',' ORDER BY oid)) FROM pg_class";
    let state = |db: &mut Db| {
        (db.value(all), db.lines(CONFIG), db.value("SELECT count(*) FROM dbguard.partition_set"))
    };
    let before = state(&mut db);
    let columns = "parent_table, schema_name, table_name, message, sql";
    let planned =
        db.lines(&format!("SELECT {columns} FROM dbguard.partition_import_partman(dry_run => true)"));
    assert_eq!(state(&mut db), before);
    assert_eq!(planned.len(), 2);
    assert!(planned[0].contains("Made because they were missing: 1."), "{}", planned[0]);
    assert_eq!(
        db.value("SELECT DISTINCT state FROM dbguard.partition_import_partman(dry_run => true)"),
        "planned"
    );
    assert_eq!(db.lines(&format!("SELECT {columns} FROM dbguard.partition_import_partman()")), planned);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set WHERE retain = '1 year'"), "2");
    // once more: nothing to do
    assert_eq!(
        db.lines("SELECT state, message FROM dbguard.partition_import_partman()"),
        ["skipped | it is a set of dbguard already"; 2]
    );
}

#[test]
fn pg_partman_does_nothing_any_more() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    settle(&mut db);
    db.exec("UPDATE partman.part_config SET retention = '1 day', retention_keep_table = false");
    for dry in ["true", "false"] {
        let message = db.value(&format!("SELECT message FROM dbguard.partition_import_partman('t', {dry})"));
        assert!(message.contains("Retention: drop after 1 day. Over now, for the next run: 3."), "{message}");
    }
    db.exec("UPDATE partman.part_config SET premake = 9");
    let before = partitions(&mut db, "t");
    db.exec("SELECT partman.run_maintenance()");
    db.exec("CALL partman.run_maintenance_proc()");
    assert_eq!(partitions(&mut db, "t"), before);
    // asked for by name it drops nothing either
    db.exec("UPDATE partman.part_config SET premake = 4");
    db.exec("SELECT partman.run_maintenance('public.t')");
    assert_eq!(partitions(&mut db, "t"), before);
    // but dbguard does what its retention says
    db.exec("CALL dbguard.partition_maintain()");
    assert_ne!(partitions(&mut db, "t"), before);
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.partition_run WHERE action = 'drop' AND state = 'done'"),
        "3"
    );
}

#[test]
fn the_way_back_after_partitions_were_made() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    let message = db.value("SELECT message FROM dbguard.partition_import_partman('t')");
    db.exec("UPDATE dbguard.partition_set SET ahead = 5");
    db.exec("CALL dbguard.partition_maintain()");
    let back = message.split_once("To go back:\n").unwrap().1.split_once("\nWhen").unwrap().0;
    db.exec(back);
    // version 4 reads names, as the page says
    db.exec(
        "DO $$ DECLARE p record; BEGIN
           FOR p IN SELECT relname FROM pg_class WHERE relname ~ '^t_p[0-9]{8}$' LOOP
             EXECUTE format('ALTER TABLE %I RENAME TO %I', p.relname, regexp_replace(p.relname, '(....)(..)(..)$', '\\1_\\2_\\3'));
           END LOOP; END $$;
         UPDATE partman.part_config SET premake = 7; SELECT partman.run_maintenance()",
    );
    let made = bounds(&mut db, "t");
    // four past ones, today's and seven ahead; in the afternoon eight
    assert!((12..=13).contains(&made.len()), "{made:?}");
    assert!(crate::partition::oracle::without_holes(&made), "{made:?}");
}

#[test]
fn a_second_import_tells_that_the_retention_is_gone() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    db.exec("UPDATE partman.part_config SET retention = '30 days'");
    let import =
        "SELECT message LIKE '%no retention is taken over%' FROM dbguard.partition_import_partman('t')";
    assert_eq!(db.value(import), "f");
    db.exec("SELECT dbguard.partition_disable('t')");
    assert_eq!(db.value(import), "t");
}
