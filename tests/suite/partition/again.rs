//! partition_enable for a table that is enabled: what is not given stays as it is.

use dbguard_tests::Db;

const STORED: &str =
    "SELECT every, ahead, zone, anchor, key_unit, storage_options, unique_on, policies, sub_by, sub_count
                      FROM dbguard.partition_set";

#[test]
fn what_is_not_given_stays() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at timestamptz, tenant int) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', 2, 'Asia/Tokyo', '2000-01-01 06:00',
           storage_options => '{fillfactor=70}', unique_on => '{tenant}', policies => true)",
    );
    let made = db.rows("SELECT * FROM dbguard.partition_enable('t', ahead => 5, dry_run => true)").len();
    assert_eq!(made, 3);
    db.exec("SELECT dbguard.partition_enable('t', ahead => 5)");
    assert_eq!(
        db.lines(STORED),
        ["1 day | 5 | Asia/Tokyo | 2000-01-01 06:00:00 | <null> | {fillfactor=70} | {tenant} | t | <null> | <null>"]
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "6");
    db.exec("SELECT dbguard.partition_enable('t', '1 day', policies => false)");
    assert_eq!(
        db.lines(STORED),
        ["1 day | 5 | Asia/Tokyo | 2000-01-01 06:00:00 | <null> | {fillfactor=70} | {tenant} | f | <null> | <null>"]
    );
}

#[test]
fn each_can_be_taken_away() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', 2, anchor => '2000-01-01 06:00',
           storage_options => '{fillfactor=70}');
         SELECT dbguard.partition_enable('t', anchor => '', storage_options => '{}')",
    );
    assert_eq!(db.lines(STORED), ["1 day | 2 | UTC | <null> | <null> | {} | {} | f | <null> | <null>"]);
    db.exec(
        "CREATE TABLE h (at timestamptz, id int) PARTITION BY RANGE (at);
         SELECT dbguard.partition_disable('t');
         SELECT dbguard.partition_enable('h', '1 day', 2, sub_by => 'id', sub_count => 2);
         SELECT dbguard.partition_enable('h', sub_by => '')",
    );
    assert_eq!(db.lines(STORED), ["1 day | 2 | UTC | <null> | <null> | {} | {} | f | <null> | <null>"]);
}

/// A set that is broken is mended without losing what it has.
#[test]
fn a_broken_set_keeps_the_rest() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', 3, storage_options => '{fillfactor=70}');
         UPDATE dbguard.partition_set SET zone = 'Europe/Nowhere'",
    );
    db.exec("SELECT dbguard.partition_enable('t', zone => 'UTC')");
    assert_eq!(
        db.lines(STORED),
        ["1 day | 3 | UTC | <null> | <null> | {fillfactor=70} | {} | f | <null> | <null>"]
    );
}

#[test]
fn a_new_set_has_the_defaults() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at)");
    let e = db.error("SELECT dbguard.partition_enable('t')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("22004", "argument \"every\" must not be null"));
    db.exec("SELECT dbguard.partition_enable('t', '1 day')");
    assert_eq!(db.lines(STORED), ["1 day | 4 | UTC | <null> | <null> | {} | {} | f | <null> | <null>"]);
}
