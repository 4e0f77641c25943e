//! What happens to the server happens to the log as well, and no more: a crash, a standby that takes
//! over, a subscription, a full disk.

use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

fn wait(db: &mut Db, query: &str, expected: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while db.value(query) != expected {
        assert!(Instant::now() < until, "{query}: {} and not {expected}", db.value(query));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Small changes and large ones, single ones and many, in rows and in packs.
const WORK: &str = "
    CREATE TABLE single (id int PRIMARY KEY, v text);
    CREATE TABLE bulk (id int PRIMARY KEY, v text);
    SELECT dbguard.audit_enable('single'), dbguard.audit_enable('bulk', bulk => 'pack');
    SET dbguard.actor = 'u-1';
    INSERT INTO single SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
    INSERT INTO bulk SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
    CHECKPOINT;
    UPDATE single SET v = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) n) WHERE id = 7;
    UPDATE single SET v = v || '.' WHERE id > 1000;
    UPDATE single SET id = -id WHERE id <= 5;
    UPDATE bulk SET v = v || '.' WHERE id > 1000;
    DELETE FROM bulk WHERE id > 2000";

/// What the log says the tables hold, where it differs from what they hold.
fn differences(db: &mut Db) -> Vec<String> {
    let mut found = vec![];
    for table in ["single", "bulk"] {
        found.extend(db.lines(&format!(
            "(TABLE {table} EXCEPT SELECT * FROM dbguard.audit_as_of(NULL::{table}, clock_timestamp()))
             UNION ALL (SELECT * FROM dbguard.audit_as_of(NULL::{table}, clock_timestamp()) EXCEPT TABLE {table})"
        )));
    }
    found
}

#[test]
fn a_crash_leaves_pages_and_indexes_whole() {
    let mut cluster = Cluster::start(&[]);
    let name = {
        let mut db = Db::new_in(&cluster);
        WORK.split(';').for_each(|statement| db.exec(statement));
        db.exec("BEGIN; DELETE FROM single; UPDATE bulk SET v = 'lost'");
        let name = db.name.clone();
        std::mem::forget(db); // its session dies with the server
        name
    };
    cluster.down(libc::SIGQUIT);
    cluster.up();
    assert!(cluster.log().contains("not properly shut down"), "{}", cluster.log());
    let mut db = Db::existing_in(&cluster, &name);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "11006");
    assert_eq!(db.value("SELECT count(*) FROM single"), "3000");
    assert_eq!(differences(&mut db), Vec::<String>::new());
    // by the index of keys as by reading everything
    db.exec("SET enable_seqscan = off");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('single', '7')"), "2");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_history('single', '-3')"), "2");
    db.exec("RESET enable_seqscan");
    if db.offers(&["amcheck"]) {
        db.exec("CREATE EXTENSION amcheck");
        let indexes = db.value(
            "SELECT count(bt_index_check(c.oid::regclass, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
             WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = 'dbguard'::regnamespace",
        );
        assert!(indexes.parse::<u32>().unwrap() > 10, "{indexes}");
        let corrupt = "SELECT c.relname, v.* FROM pg_class c, verify_heapam(c.oid::regclass) v
                       WHERE relkind IN ('r', 't') AND relnamespace IN ('dbguard'::regnamespace, 'pg_toast'::regnamespace)";
        assert_eq!(db.lines(corrupt), Vec::<String>::new());
    }
    db.exec("UPDATE single SET v = 'after' WHERE id = 7");
    assert_eq!(db.value("SELECT new->>'v' FROM dbguard.audit_log ORDER BY id DESC LIMIT 1"), "after");
}

#[test]
fn a_standby_reads_the_log_and_goes_on_with_it() {
    let primary = Cluster::start(&[]);
    let mut db = Db::new_in(&primary);
    WORK.split(';').for_each(|statement| db.exec(statement));
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_seal()"), "1");
    let standby = Cluster::standby_of(&primary);
    db.exec("UPDATE single SET v = 'streamed' WHERE id = 9");
    let mut copy = Db::existing_in(&standby, &db.name);
    wait(&mut copy, "SELECT count(*) FROM dbguard.audit_log", "11007");
    assert_eq!(differences(&mut copy), Vec::<String>::new());
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_history('single', '9')"), "2");
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_diff('single', '9')"), "3");
    assert_eq!(copy.lines("SELECT state FROM dbguard.audit_verify() ORDER BY 1"), ["ok", "unsealed"]);
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_status()"), "2");
    for refused in [
        "INSERT INTO single VALUES (9000)",
        "SELECT dbguard.audit_seal()",
        "SELECT dbguard.audit_enable('single', exclude => '{v}')",
        "SELECT dbguard.audit_disable('single')",
        "SELECT * FROM dbguard.audit_revert(relation => 'single', key => '9')",
        "SELECT dbguard.audit_redact('single', '9', '{v}', 'asked to')",
        "SELECT dbguard.audit_maintain()",
    ] {
        let error = copy.error(refused);
        // a write, or a lock that a write needs
        let said = ["read-only transaction", "while recovery is in progress", "during recovery"];
        assert!(
            said.iter().any(|s| error.message.contains(s)),
            "{refused}: {} {}",
            error.code,
            error.message
        );
    }
    copy.exec("SELECT pg_promote()");
    let last = copy.value("SELECT max(id) FROM dbguard.audit_log");
    copy.exec("UPDATE single SET v = 'promoted' WHERE id = 9");
    let history = "SELECT new->>'v', id > ";
    assert_eq!(
        copy.lines(&format!(
            "{history}{last} FROM dbguard.audit_history('single', '9') ORDER BY id DESC LIMIT 2"
        )),
        ["promoted | t", "streamed | f"]
    );
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_seal()"), "1");
    assert_eq!(
        copy.value("SELECT string_agg(DISTINCT state, ',') FROM dbguard.audit_verify()"),
        "ok,unsealed"
    );
}

#[test]
fn what_a_subscription_applies_is_logged_where_it_is_asked_for() {
    let (source, receiver) = (Cluster::start(&[]), Cluster::start(&[]));
    let tables =
        "CREATE TABLE always (id int PRIMARY KEY, v text); CREATE TABLE origin (id int PRIMARY KEY, v text);
                  CREATE TABLE parts (id int, at int, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
                  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
                  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)";
    let (mut from, mut to) = (Db::empty_in(&source), Db::new_in(&receiver));
    from.exec(tables);
    to.exec(tables);
    from.exec("CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)");
    to.exec("SELECT dbguard.audit_enable('always', always => true), dbguard.audit_enable('origin'), dbguard.audit_enable('parts', always => true)");
    let slot = format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host={} dbname={} user=postgres' PUBLICATION p",
        source.dir().display(),
        from.name
    );
    to.exec(&slot);
    wait(&mut to, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", "0");
    from.exec(
        "BEGIN; INSERT INTO always SELECT i, 'a' FROM generate_series(1, 3) i; UPDATE always SET v = 'b' WHERE id = 2;
         SAVEPOINT s; DELETE FROM always; ROLLBACK TO s; UPDATE always SET id = 30 WHERE id = 3; INSERT INTO origin VALUES (1, 'a'); COMMIT",
    );
    from.exec("INSERT INTO parts VALUES (1, 5, 'x'), (2, 15, 'y'); UPDATE parts SET at = 16 WHERE id = 1; DELETE FROM parts WHERE id = 2");
    from.exec("TRUNCATE always; INSERT INTO always VALUES (99, 'last')");
    wait(&mut to, "SELECT count(*) FROM always WHERE id = 99", "1");
    wait(&mut to, "SELECT count(*) FROM parts", "1");
    let log = |to: &mut Db, table: &str| {
        to.lines(&format!(
            "SELECT left(op, 1), key, old_key, old->>'v', new->>'v' FROM dbguard.audit_log WHERE table_name = '{table}' ORDER BY at, id"
        ))
    };
    assert_eq!(
        log(&mut to, "always"),
        [
            "I | 1 | <null> | <null> | a",
            "I | 2 | <null> | <null> | a",
            "I | 3 | <null> | <null> | a",
            "U | 2 | <null> | a | b",
            "U | 30 | 3 | <null> | <null>",
            "T | <null> | <null> | <null> | <null>",
            "I | 99 | <null> | <null> | last",
        ]
    );
    assert_eq!(log(&mut to, "origin"), Vec::<String>::new());
    assert_eq!(
        log(&mut to, "parts"),
        [
            "I | {\"at\": 5, \"id\": 1} | <null> | <null> | x",
            "I | {\"at\": 15, \"id\": 2} | <null> | <null> | y",
            // a worker moves no row: it deletes and inserts
            "D | {\"at\": 5, \"id\": 1} | <null> | x | <null>",
            "I | {\"at\": 16, \"id\": 1} | <null> | <null> | x",
            "D | {\"at\": 15, \"id\": 2} | <null> | y | <null>",
        ]
    );
    // one transaction there is one transaction here
    assert_eq!(
        to.value("SELECT count(DISTINCT xact) FROM dbguard.audit_log WHERE table_name = 'always' AND op <> 'TRUNCATE' AND key <> '99'"),
        "1"
    );
    to.exec("DROP SUBSCRIPTION s");
}

/// What is there already comes in by COPY, in a worker of its own.
#[test]
fn what_a_subscription_begins_with_is_logged() {
    let (source, receiver) = (Cluster::start(&[]), Cluster::start(&[]));
    let (mut from, mut to) = (Db::empty_in(&source), Db::new_in(&receiver));
    let tables = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE origin (id int PRIMARY KEY)";
    from.exec(&format!("{tables}; INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 1500) i; INSERT INTO origin VALUES (1)"));
    from.exec("CREATE PUBLICATION p FOR ALL TABLES");
    to.exec(&format!(
        "{tables}; SELECT dbguard.audit_enable('t', always => true), dbguard.audit_enable('origin')"
    ));
    to.exec(&format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host={} dbname={} user=postgres' PUBLICATION p",
        source.dir().display(),
        from.name
    ));
    wait(&mut to, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", "0");
    from.exec("DELETE FROM t WHERE id <= 3");
    wait(&mut to, "SELECT count(*) FROM t", "1497");
    assert_eq!(
        to.lines("SELECT table_name, op, count(*), count(DISTINCT key) FROM dbguard.audit_log GROUP BY 1, 2 ORDER BY 2 DESC"),
        ["t | INSERT | 1500 | 1500", "t | DELETE | 3 | 3"]
    );
    let wrong = "SELECT count(*) FROM t JOIN dbguard.audit_log l ON l.key = t.id::text WHERE l.new IS DISTINCT FROM to_jsonb(t)";
    assert_eq!(to.value(wrong), "0");
    to.exec("DROP SUBSCRIPTION s");
}

#[test]
fn no_room_for_the_log_fails_the_statement_and_nothing_else() {
    // more than a segment of WAL, less than the log needs
    let cluster = Cluster::with_files_up_to(20 << 20);
    let mut db = Db::new_in(&cluster);
    let columns: Vec<String> = (0..80).map(|i| format!("c{i} bool DEFAULT true")).collect();
    // narrow rows, of which the log tells at length
    db.exec(&format!("CREATE TABLE t (id int PRIMARY KEY, {})", columns.join(", ")));
    db.exec("INSERT INTO t SELECT generate_series(1, 30000); SELECT dbguard.audit_enable('t'); DELETE FROM t WHERE id = 1");
    let error = db.error("DELETE FROM t WHERE id > 10");
    assert!(error.message.contains("could not extend file"), "{}", error.message);
    db.exec("VACUUM dbguard.audit_change");
    // in a subtransaction the rest of the transaction stands, and what it logged
    db.exec("BEGIN; DELETE FROM t WHERE id = 2; SAVEPOINT s");
    assert!(db.error("DELETE FROM t WHERE id > 10").message.contains("could not extend file"));
    db.exec("ROLLBACK TO s");
    db.exec("COMMIT");
    db.exec("VACUUM dbguard.audit_change");
    assert_eq!(db.value("SELECT count(*) FROM t"), "29998");
    // the same session goes on as before
    db.exec("DELETE FROM t WHERE id BETWEEN 3 AND 1002");
    let logged = "SELECT count(*), count(DISTINCT key), min(key::int), max(key::int) FROM dbguard.audit_log WHERE op = 'DELETE'";
    assert_eq!(db.lines(logged), ["1002 | 1002 | 1 | 1002"]);
    assert_eq!(db.value("SELECT count(*) FROM t"), "28998");
}
