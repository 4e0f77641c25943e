//! Names of parents that are long, odd, alike, or taken.

use dbguard_tests::Db;

#[test]
fn odd_names_work() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA \"x.y\"");
    for name in [
        "\"a.b\"",
        "\"Mixed Case\"",
        "\"select\"",
        "\"it's\"",
        "\"say \"\"hi\"\"\"",
        "\"back\\slash\"",
        "\"日本語の表\"",
    ] {
        db.exec(&format!(
            "CREATE TABLE \"x.y\".{name} (\"the key\" date) PARTITION BY RANGE (\"the key\");
             SELECT dbguard.partition_enable('\"x.y\".{}', '1 day', 2)",
            name.replace('\'', "''")
        ));
    }
    db.exec("UPDATE dbguard.partition_set SET ahead = 3");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT DISTINCT state, partitions, missing FROM dbguard.partition_status()"),
        ["ok | 4 | 0"]
    );
}

#[test]
fn long_names_that_begin_alike_stay_apart() {
    let mut db = Db::new();
    let parents = [
        format!("{}aaaaaa", "x".repeat(54)),
        format!("{}bbbbbb", "x".repeat(54)),
        "ä".repeat(31),
        "x".repeat(63),
    ];
    for parent in &parents {
        db.exec(&format!(
            "CREATE TABLE \"{parent}\" (at date) PARTITION BY RANGE (at);
             SELECT dbguard.partition_enable('\"{parent}\"', '1 day', 4)"
        ));
    }
    assert_eq!(db.lines("SELECT DISTINCT partitions, missing FROM dbguard.partition_status()"), ["5 | 0"]);
    let names = db.rows("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid");
    assert_eq!(names.len(), 20);
    for name in names {
        assert!(name[0].len() <= 63 && name[0].contains("_p20"), "{name:?}");
    }
}

#[test]
fn a_taken_name_is_left_alone() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day', 1)",
    );
    db.exec("UPDATE dbguard.partition_set SET ahead = 3");
    let names = db.rows("SELECT partition FROM dbguard.partition_plan('t')");
    db.exec(&format!(
        "CREATE TABLE {} (mine int); CREATE TYPE {} AS ENUM ('mine')",
        names[0][0], names[1][0]
    ));
    let plan = db.rows("SELECT partition FROM dbguard.partition_plan('t')");
    assert!(plan.iter().all(|name| !names.contains(name)), "{plan:?}");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
    db.exec("INSERT INTO t SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(0, 3) n");
    assert_eq!(db.value(&format!("SELECT count(*) FROM {}", names[0][0])), "0");
}
