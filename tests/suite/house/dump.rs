//! A dump of a database that uses all parts, restored elsewhere, is the same state.

use dbguard_tests::{Cluster, Db};

/// What the user sees of all parts.
fn state(db: &mut Db) -> Vec<String> {
    let mut state = vec![];
    for query in [
        "SELECT * FROM dbguard.audit_log ORDER BY id",
        "SELECT * FROM dbguard.audit_status()",
        "SELECT seal, state, changes, problem FROM dbguard.audit_verify()",
        "SELECT * FROM dbguard.touch_status()",
        "SELECT * FROM dbguard.soft_delete_status()",
        "SELECT * FROM dbguard.tenant_status()",
        "SELECT * FROM dbguard.tenant_check() WHERE \"check\" <> 'role'",
        "SELECT * FROM dbguard.audit_history('shop.\"Orders\"', '2')",
        "SELECT schema_name, table_name, every, ahead, zone, state, partitions, missing, covered_until FROM dbguard.partition_status() ORDER BY 1, 2",
        "SELECT severity, code, object, message, fix_sql, fingerprint FROM dbguard.lint() WHERE code <> 'MNT003'",
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p') ORDER BY 1",
        "SELECT n.nspname, c.relname, c.relkind, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('dbguard', 'shop') ORDER BY 1, 2",
    ] {
        state.push(format!("-- {query}"));
        state.extend(db.lines(query));
    }
    state
}

fn used() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA shop;
         CREATE TABLE shop.\"Orders\" (id int PRIMARY KEY, v text, secret text, updated_at timestamptz);
         SELECT dbguard.audit_enable('shop.\"Orders\"', capture => 'full', redact => '{secret}');
         SELECT dbguard.touch_enable('shop.\"Orders\"');
         SET dbguard.actor = 'u-1'; SET dbguard.context = '{\"a\": 1}';
         CREATE TABLE shop.notes (id int, \"Te n\" text); INSERT INTO shop.notes VALUES (1, 'a'), (2, 'b');
         SELECT dbguard.tenant_enable('shop.notes', 'Te n', 'app.who');
         INSERT INTO shop.\"Orders\" VALUES (1, 'a', 's'), (2, 'b', 's');
         UPDATE shop.\"Orders\" SET v = 'c' WHERE id = 2; DELETE FROM shop.\"Orders\" WHERE id = 1;
         SELECT dbguard.audit_redact('shop.\"Orders\"', '1', '{v}', 'asked to');
         CREATE TABLE shop.\"Customers\" (id int PRIMARY KEY, gone timestamptz);
         CREATE TABLE shop.carts (id int PRIMARY KEY, customer int REFERENCES shop.\"Customers\" ON DELETE CASCADE, deleted_at timestamptz);
         CREATE INDEX ON shop.carts (customer); SELECT dbguard.soft_delete_enable('shop.carts'), dbguard.soft_delete_enable('shop.\"Customers\"', 'gone', 'follow', 'shop.live');
         INSERT INTO shop.\"Customers\" VALUES (1), (2); INSERT INTO shop.carts VALUES (1, 1), (2, 2); DELETE FROM shop.live WHERE id = 1;
         CREATE TABLE shop.events (at timestamptz NOT NULL, kind text) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('shop.events', '1 week', 3, 'Europe/Berlin');
         GRANT SELECT ON dbguard.audit_log TO pg_monitor",
    );
    db
}

/// A new database restored from a dump without a word.
pub fn copy(db: &Db, format: &str) -> Db<'static> {
    let cluster = Cluster::shared();
    let file = cluster.dir().join(format!("{}.{format}", db.name));
    let file = file.to_str().unwrap();
    let dump = cluster.run("pg_dump", &["-F", format, "-f", file, &db.name]);
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    assert_eq!(String::from_utf8_lossy(&dump.stderr), "");

    let copy = Db::empty_in(cluster);
    let name = copy.name.clone();
    let restore = match format {
        "p" => cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &name, "-f", file]),
        _ => cluster.run("pg_restore", &["--exit-on-error", "-d", &name, file]),
    };
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    copy
}

fn restore(format: &str) {
    let mut db = used();
    let before = state(&mut db);
    let mut copy = copy(&db, format);
    let after = state(&mut copy);
    let lost: Vec<&String> = before.iter().filter(|line| !after.contains(line)).collect();
    let new: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    assert_eq!((lost, new), (vec![], vec![]));
    assert_eq!(after.len(), before.len());

    // and it goes on from there
    copy.exec("INSERT INTO shop.\"Orders\" VALUES (3, 'x', 's')");
    db.exec("INSERT INTO shop.\"Orders\" VALUES (3, 'x', 's')");
    let last = "SELECT id, op, key, new FROM dbguard.audit_log ORDER BY id DESC LIMIT 1";
    assert_eq!(copy.lines(last), db.lines(last));
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_history('shop.\"Orders\"', '3')"), "1");
    let dropped = copy.value("SELECT partition FROM (SELECT max(inhrelid)::regclass AS partition FROM pg_inherits WHERE inhparent = 'shop.events'::regclass) x");
    copy.exec(&format!("DROP TABLE {dropped}"));
    copy.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        copy.value(&format!("SELECT count(*) FROM pg_class WHERE oid = to_regclass('{dropped}')")),
        "1"
    );
    // what was deleted softly comes back, with what went with it
    assert_eq!(
        copy.lines("SELECT * FROM dbguard.soft_delete_restore('shop.\"Customers\"', '1')"),
        ["shop.\"Customers\" | 1", "shop.carts | 1"]
    );
    assert_eq!(
        copy.lines("WITH d AS (DELETE FROM shop.live RETURNING id) SELECT id FROM d ORDER BY id"),
        ["1", "2"]
    );
    assert_eq!(copy.value("SELECT count(*) FROM shop.carts WHERE deleted_at IS NULL"), "0");
    // a redacted column is still known by its name, and after a rename there too
    copy.exec("ALTER TABLE shop.\"Orders\" RENAME secret TO hidden; INSERT INTO shop.\"Orders\" VALUES (4, 'x', 's')");
    assert_eq!(copy.value("SELECT new ->> 'hidden' FROM dbguard.audit_log WHERE key = '4'"), "[redacted]");
}

#[test]
fn plain() {
    restore("p");
}

#[test]
fn custom() {
    restore("c");
}
