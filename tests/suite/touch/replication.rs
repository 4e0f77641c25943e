//! Rows that logical replication applies come with their values.

use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

const WHAT: &[&str] = &["updated_at", "created_at", "updated_by", "created_by", "version"];

fn wait(db: &mut Db, query: &str, value: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while db.value(query) != value {
        assert!(Instant::now() < until, "{query} is {} and not {value}", db.value(query));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn tables(db: &mut Db) {
    for table in ["origin", "always"] {
        db.exec(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, v text, updated_at timestamptz, created_at timestamptz,
               updated_by text, created_by text, version int)"
        ));
        for what in WHAT {
            db.exec(&format!("SELECT dbguard.touch_enable('{table}', what => '{what}')"));
        }
    }
}

#[test]
fn applied_rows_are_touched_only_where_always() {
    let (source, receiver) = (Cluster::start(&[]), Cluster::start(&[]));
    let (mut from, mut to) = (Db::new_in(&source), Db::new_in(&receiver));
    tables(&mut from);
    tables(&mut to);
    // applied rows come with the next version, and refusing one would hold up all that come after
    to.exec("SELECT dbguard.touch_enable('always', what => 'version', options => '{next=accept}')");
    // who acts in the worker that applies
    to.exec("ALTER ROLE postgres SET dbguard.actor = 'the replica'");
    let triggers =
        to.lines("SELECT trigger_name FROM dbguard.touch_status() WHERE \"table\" = 'always'::regclass");
    assert_eq!(triggers.len(), WHAT.len());
    for trigger in triggers {
        to.exec(&format!("ALTER TABLE always ENABLE ALWAYS TRIGGER {trigger}"));
    }
    // one row comes with the first copy, the other is applied
    from.exec("SET dbguard.actor = 'the source'");
    for table in ["origin", "always"] {
        from.exec(&format!("INSERT INTO {table} VALUES (1, 'a', NULL, '2020-01-01')"));
    }
    from.exec("CREATE PUBLICATION p FOR TABLE origin, always");
    to.exec(&format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host={} dbname={} user=postgres' PUBLICATION p",
        source.dir().display(),
        from.name
    ));
    wait(&mut to, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", "0");
    for table in ["origin", "always"] {
        from.exec(&format!("INSERT INTO {table} VALUES (2, 'a', NULL, '2020-01-01')"));
        from.exec(&format!("UPDATE {table} SET v = 'b'"));
    }
    wait(&mut to, "SELECT count(*) FROM always WHERE v = 'b'", "2");
    let rows = |table: &str| format!("SELECT * FROM {table} ORDER BY id");
    let sent = from.lines(&rows("origin"));
    assert_eq!(
        from.lines("SELECT version, created_by, updated_by FROM origin"),
        ["2 | the source | the source"; 2]
    );
    assert_eq!(to.lines(&rows("origin")), sent);
    // there the receiver's own rules hold: what was given stays where it may, and the rest is his
    let times = from.lines("SELECT updated_at FROM always ORDER BY id");
    let his = to.lines("SELECT updated_at FROM always ORDER BY id");
    assert!(times.iter().zip(&his).all(|(a, b)| a < b), "{times:?} {his:?}");
    assert_eq!(
        to.lines("SELECT id, v, created_at::date, updated_by, version FROM always ORDER BY id"),
        ["1 | b | 2020-01-01 | the replica | 2", "2 | b | 2020-01-01 | the replica | 2"]
    );
    to.exec("DROP SUBSCRIPTION s");
}
