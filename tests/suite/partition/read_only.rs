//! Where nothing can be written, what would write says so and what helps.

use dbguard_tests::{Cluster, Db};

const CALLS: [&str; 5] = [
    "SELECT * FROM dbguard.partition_enable('t', '1 day')",
    "SELECT * FROM dbguard.partition_enable('t', '1 day', dry_run => true)",
    "SELECT * FROM dbguard.partition_retain('t', '1 year', dry_run => true)",
    "SELECT dbguard.partition_disable('t')",
    "SELECT * FROM dbguard.partition_import_partman(dry_run => true)",
];

fn refused(db: &mut Db, message: &str, hint: &str) {
    for call in CALLS {
        let e = db.error(call);
        assert_eq!(e.code, "25006", "{call}: {e:?}");
        assert!(e.message.contains(message) && e.hint.contains(hint), "{call}: {e:?}");
    }
}

#[test]
fn in_a_read_only_session() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day')",
    );
    db.exec("SET default_transaction_read_only = on");
    refused(&mut db, "in a read-only transaction", "SET default_transaction_read_only = off");
    db.exec("SELECT * FROM dbguard.partition_plan('t')");
}

#[test]
fn on_a_standby() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day')",
    );
    let standby = Cluster::standby_of(&primary);
    let mut there = Db::existing_in(&standby, &db.name);
    refused(&mut there, "during recovery", "on the primary");
    there.exec("SELECT * FROM dbguard.partition_plan('t')");
}
