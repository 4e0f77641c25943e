//! Notifications of what became of partitions.

use dbguard_tests::Db;
use std::time::Duration;

/// What a listener has heard: partition, action and state.
fn heard(listener: &mut Db) -> Vec<String> {
    listener.exec("SELECT 1");
    let mut notifications = listener.client().notifications();
    let mut heard = vec![];
    let mut iter = notifications.timeout_iter(Duration::from_millis(300));
    while let Ok(Some(n)) = postgres::fallible_iterator::FallibleIterator::next(&mut iter) {
        assert_eq!(n.channel(), "dbguard_partition");
        let told: serde_json::Value = serde_json::from_str(n.payload()).unwrap();
        assert_eq!((&told["schema"], &told["table"]), (&"public".into(), &"a \"b\"".into()));
        heard.push(format!("{} {} {}", told["partition"], told["action"], told["state"]));
    }
    heard
}

#[test]
fn partitions_are_announced_when_they_commit() {
    let mut db = Db::new();
    let mut listener = db.connect();
    listener.exec("LISTEN dbguard_partition");
    db.exec("CREATE TABLE \"a \"\"b\"\"\" (ts date) PARTITION BY RANGE (ts); SET dbguard.partition_clock = '2026-11-20'");
    let enable = "SELECT dbguard.partition_enable('\"a \"\"b\"\"\"', '1 day'";
    db.exec(&format!("{enable}, 1)"));
    assert_eq!(heard(&mut listener), Vec::<String>::new());
    db.exec("SET dbguard.partition_notify = on");
    db.exec(&format!("BEGIN; {enable}, 2); ROLLBACK"));
    assert_eq!(heard(&mut listener), Vec::<String>::new());
    db.exec(&format!("BEGIN; {enable}, 2)"));
    assert_eq!(heard(&mut listener), Vec::<String>::new());
    db.exec("COMMIT");
    assert_eq!(heard(&mut listener), [r#""a \"b\"_p20261122" "make" "done""#]);

    db.exec("SELECT dbguard.partition_retain('\"a \"\"b\"\"\"', '1 day', 'drop'); SET dbguard.partition_clock = '2026-11-22'");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        heard(&mut listener),
        [
            r#""a \"b\"_p20261123" "make" "done""#,
            r#""a \"b\"_p20261124" "make" "done""#,
            r#""a \"b\"_p20261120" "drop" "done""#,
        ]
    );
    db.exec("SET dbguard.partition_drain_rows = 0");
    db.exec("CREATE TABLE rest PARTITION OF \"a \"\"b\"\"\" DEFAULT; INSERT INTO rest VALUES ('2026-11-25'); UPDATE dbguard.partition_set SET ahead = 3");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(heard(&mut listener), [r#""a \"b\"_p20261125" "make" "failed""#]);
}

#[test]
fn whether_is_for_superusers() {
    let db = Db::new();
    let mut other = db.connect_as("notify_nobody");
    other.exec("SELECT dbguard.version()");
    assert_eq!(other.error("SET dbguard.partition_notify = on").code, "42501");
}
