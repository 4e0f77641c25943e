//! Every refusal: its SQLSTATE, a hint, and nothing changed.

use dbguard_tests::Db;

#[test]
fn refusals_name_the_thing_and_the_way_out() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE good (at timestamptz) PARTITION BY RANGE (at);
         CREATE TABLE days (at date) PARTITION BY RANGE (at);
         CREATE TABLE plain (at date);
         CREATE VIEW looking AS SELECT 1 AS x;
         CREATE SEQUENCE counting;
         CREATE TEMP TABLE passing (at date) PARTITION BY RANGE (at);
         CREATE TABLE by_list (at date) PARTITION BY LIST (at);
         CREATE TABLE by_hash (at date) PARTITION BY HASH (at);
         CREATE TABLE two (a date, b date) PARTITION BY RANGE (a, b);
         CREATE TABLE computed (at timestamp) PARTITION BY RANGE (date_trunc('day', at));
         CREATE TABLE numbers (id bigint) PARTITION BY RANGE (id);
         CREATE TABLE words (id text) PARTITION BY RANGE (id)",
    );
    let before = db.value("SELECT count(*) FROM pg_class");
    let cases = [
        ("NULL, '1 day'", "22004"),
        ("'good', NULL", "22004"),
        ("'absent', '1 day'", "42P01"),
        ("4000000000::oid::regclass, '1 day'", "42P01"),
        ("'plain', '1 day'", "42809"),
        ("'looking', '1 day'", "42809"),
        ("'counting', '1 day'", "42809"),
        ("'passing', '1 day'", "42809"),
        ("'pg_class', '1 day'", "42809"),
        ("'dbguard.partition_run', '1 day'", "42809"),
        ("'by_list', '1 day'", "0A000"),
        ("'by_hash', '1 day'", "0A000"),
        ("'two', '1 day'", "0A000"),
        ("'computed', '1 day'", "0A000"),
        ("'numbers', '1 day'", "22023"),
        ("'words', '1 day'", "0A000"),
        ("'good', '0'", "22023"),
        ("'good', '-1 day'", "22023"),
        ("'good', '1 day -1 hour'", "22023"),
        ("'good', '1 month 1 day'", "22023"),
        ("'good', '1 month 1 second'", "22023"),
        ("'good', '90 seconds'", "22023"),
        ("'days', '1 hour'", "22023"),
        ("'good', '2147483647 days'", "22023"),
        ("'good', '1 day', 0", "22023"),
        ("'good', '1 day', -5", "22023"),
        ("'good', '1 day', 1001", "22023"),
        ("'good', '1 day', 4, 'Europe/Berln'", "22023"),
        ("'good', '1 day', 4, ''", "22023"),
        ("'good', '1 day', 4, '../etc/passwd'", "22023"),
        ("'good', '100 years', 1000", "22008"),
    ];
    for (arguments, code) in cases {
        let e = db.error(&format!("SELECT * FROM dbguard.partition_enable({arguments})"));
        assert_eq!(e.code, code, "{arguments}: {e:?}");
        let told_by_us = !["22004", "42P01"].contains(&code);
        assert!(!told_by_us || !e.hint.is_empty(), "{arguments}: {e:?}");
        assert!(!e.message.ends_with('.') && e.message.starts_with(|c: char| !c.is_uppercase()), "{e:?}");
    }
    assert_eq!(db.value("SELECT count(*) FROM pg_class"), before);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run"), "0");
    assert_eq!(db.error("SELECT dbguard.partition_disable(NULL)").code, "22004");
    assert_eq!(db.error("SELECT dbguard.partition_disable('looking')").code, "42809");
    assert_eq!(db.error("SELECT dbguard.partition_plan('good')").code, "55000");
}
