//! The log elsewhere: published, exported, announced.

use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

fn audited() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t')");
    db
}

/// Waits until a query answers `expected`.
fn wait(db: &mut Db, query: &str, expected: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    while db.value(query) != expected {
        assert!(Instant::now() < until, "{query}: {} and not {expected}", db.value(query));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_log_arrives_in_another_database() {
    let mut db = audited();
    db.exec("SET dbguard.actor = 'u-1'; INSERT INTO t VALUES (1, 'before')");
    let steps = db.lines("SELECT dbguard.audit_publication()");
    assert_eq!(steps.len(), 3);
    let receiver = Cluster::start(&[]);
    let mut copy = Db::empty_in(&receiver);
    for step in &steps[..2] {
        copy.exec(step);
    }
    let host = format!("host={}", db.cluster().dir().display());
    copy.exec(&steps[2].replace("host=...", &host).replace("user=...", "user=postgres"));
    wait(&mut copy, "SELECT count(*) FROM dbguard.audit_log", "1");
    db.exec("UPDATE t SET v = 'after'; CREATE TABLE more (id int PRIMARY KEY); SELECT dbguard.audit_enable('more'); INSERT INTO more SELECT generate_series(1, 500); DELETE FROM t; TRUNCATE t; SELECT dbguard.audit_ddl_enable(); CREATE TABLE x ()");
    let all = "SELECT to_jsonb(l) FROM dbguard.audit_events l ORDER BY id";
    let count = db.lines(all).len().to_string();
    wait(&mut copy, "SELECT count(*) FROM dbguard.audit_events", &count);
    assert_eq!(copy.lines(all), db.lines(all));
    assert_eq!(copy.value("SELECT DISTINCT actor FROM dbguard.audit_log"), "u-1");
    // months go to the partitions of the receiver
    assert_eq!(copy.value("SELECT count(*) FROM dbguard.audit_change_default"), "0");
    copy.exec("DROP SUBSCRIPTION dbguard_audit");
}

#[test]
fn publishing_twice_or_without_rights_is_refused() {
    let mut db = audited();
    let name = format!("A\"{}", "b".repeat(61));
    let steps = db.lines(&format!("SELECT dbguard.audit_publication('{name}')"));
    assert!(steps[2].starts_with("CREATE SUBSCRIPTION \"A\"\"b"), "{}", steps[2]);
    assert_eq!(db.error(&format!("SELECT dbguard.audit_publication('{name}')")).code, "42710");
    assert_eq!(db.error("SELECT dbguard.audit_publication(NULL)").code, "22004");
    assert_eq!(
        db.value("SELECT string_agg(DISTINCT tablename, ',' ORDER BY tablename) FROM pg_publication_tables"),
        "audit_change,audit_command,audit_context,audit_pack,audit_relation"
    );
    assert_eq!(
        db.lines("SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication"),
        ["t | f | f | f | t"]
    );
    let mut app = db.connect_as("ship_nobody");
    assert_eq!(app.error("SELECT dbguard.audit_publication()").code, "42501");
    assert_eq!(app.error("SELECT dbguard.audit_init()").code, "42501");
    let mut fresh = Db::new();
    assert_eq!(fresh.lines("SELECT dbguard.audit_init() UNION ALL SELECT dbguard.audit_init()"), ["t", "f"]);
    assert_eq!(fresh.value("SELECT count(*) FROM dbguard.audit_events"), "0");
}

#[test]
fn export_is_a_json_object_a_line() {
    let mut db = audited();
    db.exec("SET TimeZone = 'Asia/Tokyo'; SET dbguard.actor = 'u \"1\"'; INSERT INTO t VALUES (1, E'line\\nbreak'), (2, 'b'); UPDATE t SET v = 'c' WHERE id = 2; DELETE FROM t");
    db.exec("CREATE TABLE \"O t\" (id int PRIMARY KEY); SELECT dbguard.audit_enable('\"O t\"'); INSERT INTO \"O t\" VALUES (7)");
    let lines = db.lines("SELECT dbguard.audit_export()");
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|l| !l.contains('\n') && l.starts_with("{\"id\":")));
    assert!(
        lines[0].contains(
            "+00:00\",\"op\":\"INSERT\",\"schema_name\":\"public\",\"table_name\":\"t\",\"key\":\"1\""
        ),
        "{}",
        lines[0]
    );
    // all columns, ordered as the view and the log are
    let columns = db.value("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'dbguard.audit_log'::regclass AND attnum > 0");
    for line in &lines {
        let keys = db.value(&format!("SELECT string_agg(k, ',') FROM json_object_keys($x${line}$x$) k"));
        assert_eq!(keys, columns);
    }
    assert_eq!(
        db.lines("SELECT e::jsonb -> 'id' FROM dbguard.audit_export() e"),
        db.lines("SELECT id FROM dbguard.audit_log ORDER BY id")
    );
    let some = |db: &mut Db, args: &str| {
        db.lines(&format!("SELECT e::jsonb ->> 'op' FROM dbguard.audit_export({args}) e"))
    };
    assert_eq!(some(&mut db, "relation => '\"O t\"'"), ["INSERT"]);
    db.exec("ALTER TABLE \"O t\" RENAME TO o2");
    assert_eq!(some(&mut db, "relation => 'o2'"), ["INSERT"]);
    db.exec("CREATE TABLE unknown (id int)");
    assert_eq!(some(&mut db, "relation => 'unknown'"), Vec::<String>::new());
    assert_eq!(some(&mut db, "until => now() - interval '1 day'"), Vec::<String>::new());
    assert_eq!(
        some(&mut db, "since => (SELECT at FROM dbguard.audit_log WHERE op = 'UPDATE'), relation => 't'"),
        ["UPDATE", "DELETE", "DELETE"]
    );
    assert_eq!(
        some(&mut db, "until => (SELECT at FROM dbguard.audit_log WHERE op = 'UPDATE'), relation => 't'"),
        ["INSERT", "INSERT"]
    );
    let mut out = String::new();
    std::io::Read::read_to_string(
        &mut db.client().copy_out("COPY (SELECT dbguard.audit_export()) TO STDOUT WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')").unwrap(),
        &mut out,
    )
    .unwrap();
    assert_eq!(out.lines().collect::<Vec<_>>(), db.lines("SELECT dbguard.audit_export()"));
    assert!(out.contains(r#"line\nbreak"#) && out.contains(r#"u \"1\""#));
}

#[test]
fn export_is_for_those_who_may_read_the_log() {
    let mut db = audited();
    db.exec("INSERT INTO t VALUES (1)");
    let mut app = db.connect_as("ship_reader");
    assert_eq!(app.error("SELECT dbguard.audit_export()").code, "42501");
    db.exec("GRANT SELECT ON dbguard.audit_log TO ship_reader");
    assert_eq!(app.lines("SELECT dbguard.audit_export(relation => 't')").len(), 1);
    let mut fresh = Db::new();
    let error = fresh.error("SELECT dbguard.audit_export()");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("55000", "there is no audit log yet"));
}

#[test]
fn export_does_not_hold_the_log_in_memory() {
    let mut db = audited();
    db.exec("INSERT INTO t SELECT i, (SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 400) j) FROM generate_series(1, 4000) i");
    let size = |db: &mut Db| {
        db.value("SELECT sum(total_bytes) FROM pg_backend_memory_contexts").parse::<i64>().unwrap()
    };
    db.exec("SET work_mem = '1MB'; BEGIN; DECLARE c CURSOR FOR SELECT dbguard.audit_export()");
    let before = size(&mut db);
    assert_eq!(db.lines("FETCH 3 FROM c").len(), 3);
    let first = size(&mut db);
    db.exec("MOVE 3900 IN c");
    let last = size(&mut db);
    assert_eq!(db.lines("FETCH ALL FROM c").len(), 97);
    // the export is 50 MB
    assert!(first - before < 10_000_000 && last - before < 10_000_000, "{before} {first} {last}");
    db.exec("COMMIT");
}

fn heard(listener: &mut Db) -> Vec<(String, String)> {
    listener.exec("SELECT 1");
    let mut notifications = listener.client().notifications();
    let mut heard = vec![];
    let mut iter = notifications.timeout_iter(Duration::from_millis(300));
    while let Ok(Some(n)) = postgres::fallible_iterator::FallibleIterator::next(&mut iter) {
        heard.push((n.channel().to_owned(), n.payload().to_owned()));
    }
    heard
}

#[test]
fn changes_are_announced_when_they_commit() {
    let mut db = Db::new();
    let channel = "c".repeat(70);
    let mut listener = db.connect();
    listener.exec(&format!("LISTEN audit; LISTEN {channel}"));
    let name = "n\"".repeat(31);
    db.exec(&format!(
        "CREATE TABLE \"say \"\"hi\"\"\" (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY);
         CREATE SCHEMA \"{0}\"; CREATE TABLE \"{0}\".\"{0}\" (id int PRIMARY KEY);
         SELECT dbguard.audit_enable('\"say \"\"hi\"\"\"'); SELECT dbguard.audit_enable('other'); SELECT dbguard.audit_enable('\"{0}\".\"{0}\"');
         INSERT INTO other VALUES (1)",
        name.replace('"', "\"\"")
    ));
    assert_eq!(heard(&mut listener), vec![]);
    db.exec("SET dbguard.audit_notify = 'audit'");
    db.exec("BEGIN; INSERT INTO \"say \"\"hi\"\"\" VALUES (1), (2); INSERT INTO other VALUES (2); UPDATE \"say \"\"hi\"\"\" SET id = 3 WHERE id = 2;
             SAVEPOINT a; INSERT INTO other SELECT generate_series(10, 20); ROLLBACK TO a; COMMIT;
             BEGIN; INSERT INTO other VALUES (3); ROLLBACK");
    let said = heard(&mut listener);
    let said: Vec<serde_json::Value> =
        said.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    let told: Vec<String> =
        said.iter().map(|s| format!("{} {} {}", s["schema"], s["table"], s["changes"])).collect();
    assert_eq!(told, [r#""public" "other" 1"#, r#""public" "say \"hi\"" 3"#]);
    assert_eq!(
        said[0]["xact"].to_string(),
        db.value("SELECT xact FROM dbguard.audit_log WHERE table_name = 'other' AND key = '2'")
    );
    // the longest names there are, full of what must be escaped; a channel as LISTEN would cut it
    db.exec(&format!("SET dbguard.audit_notify = '{channel}'"));
    db.exec(&format!(
        "INSERT INTO \"{0}\".\"{0}\" SELECT generate_series(1, 2500)",
        name.replace('"', "\"\"")
    ));
    let said = heard(&mut listener);
    assert_eq!(said[0].0, "c".repeat(63));
    assert!(said[0].1.contains("\"changes\": 2500"), "{}", said[0].1);
    db.exec("SET dbguard.audit_notify = ''; INSERT INTO other VALUES (5)");
    assert_eq!(heard(&mut listener), vec![]);
    // notifications would make PREPARE TRANSACTION impossible: it goes without
    db.exec("SET dbguard.audit_notify = 'audit'");
    if db.value("SHOW max_prepared_transactions") != "0" {
        let id = format!("ship {}", db.name);
        db.exec(&format!("BEGIN; INSERT INTO other VALUES (6); PREPARE TRANSACTION '{id}'"));
        db.exec(&format!("COMMIT PREPARED '{id}'"));
        assert_eq!(
            db.value("SELECT count(*) FROM dbguard.audit_log WHERE table_name = 'other' AND key = '6'"),
            "1"
        );
        assert_eq!(heard(&mut listener), vec![]);
    }
    let mut app = db.connect_as("ship_nobody");
    app.exec("SELECT dbguard.version()");
    assert_eq!(app.error("SET dbguard.audit_notify = 'x'").code, "42501");
    assert_eq!(app.error("SET dbguard.audit_message = on").code, "42501");
}

#[test]
fn decoders_see_who_is_acting() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t'); SET application_name = 'app'",
    );
    let slot = format!("s_{}", db.name);
    if let Err(e) =
        db.try_exec(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"))
    {
        assert!(e.message.contains("test_decoding"), "{e:?}");
        eprintln!("skipped: this server has no test_decoding");
        return;
    }
    db.exec("SET dbguard.actor = 'off'; INSERT INTO t VALUES (100)");
    db.exec("SET dbguard.audit_message = on");
    db.exec("BEGIN; SET LOCAL dbguard.actor = 'a'; SET LOCAL dbguard.context = '{\"r\": 1}'; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);
             SET LOCAL dbguard.actor = 'b'; INSERT INTO t VALUES (3); COMMIT");
    db.exec("BEGIN; SET LOCAL dbguard.actor = 'gone'; INSERT INTO t VALUES (4); ROLLBACK");
    db.exec("SET dbguard.actor = 'c'; BEGIN; SAVEPOINT x; INSERT INTO t VALUES (5); ROLLBACK TO x; INSERT INTO t VALUES (6); COMMIT");
    db.exec("INSERT INTO t VALUES (7)");
    let seen = db.lines(&format!(
        "SELECT regexp_replace(data, '\"xact\": \\d+', 'X') FROM pg_logical_slot_get_changes('{slot}', NULL, NULL)
         WHERE data LIKE 'message%' OR data LIKE 'table public%'"
    ));
    db.exec(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let message = |actor: &str, context: &str| {
        let content = format!(
            r#"{{"xact": 1, "actor": "{actor}", "tenant": null, "user": "postgres", "application_name": "app", "context": {context}}}"#
        );
        content.replace("\"xact\": 1", "X")
    };
    let row = |id: u32| format!("table public.t: INSERT: id[integer]:{id}");
    let contents: Vec<&str> = seen.iter().map(|l| l.split("content:").nth(1).unwrap_or(l)).collect();
    assert!(seen[2].starts_with("message: transactional: 1 prefix: dbguard, sz: "), "{}", seen[2]);
    assert_eq!(
        contents,
        [
            row(100),
            row(1),
            message("a", "{\"r\":1}"),
            row(2),
            row(3),
            message("b", "{\"r\":1}"),
            row(6),
            message("c", "null"),
            row(7),
            message("c", "null"),
        ]
    );
}
