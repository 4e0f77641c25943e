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

fn hooks(db: &mut Db) {
    db.exec(
        "CREATE FUNCTION announce(text, text, bigint) RETURNS void LANGUAGE c STRICT AS 'dbguard', 'audit_announce_wrapper';
         CREATE FUNCTION say(text, text) RETURNS void LANGUAGE c AS 'dbguard', 'audit_announce_context_wrapper'",
    );
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
    hooks(&mut db);
    let channel = "c".repeat(70);
    let mut listener = db.connect();
    listener.exec(&format!("LISTEN audit; LISTEN {channel}"));
    db.exec("SELECT announce('s', 't', 1)");
    assert_eq!(heard(&mut listener), vec![]);
    db.exec("SET dbguard.audit_notify = 'audit'; BEGIN; SELECT announce('s', 'say \"hi\"', 3); SAVEPOINT a; SELECT announce('s', 'gone', 1); ROLLBACK TO a; COMMIT; BEGIN; SELECT announce('s', 'gone', 1); ROLLBACK");
    let said = heard(&mut listener);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, "audit");
    assert!(
        said[0].1.starts_with(r#"{"schema": "s", "table": "say \"hi\"", "changes": 3, "xact": "#),
        "{}",
        said[0].1
    );
    assert_eq!(db.value(&format!("SELECT $${}$$::jsonb -> 'changes'", said[0].1)), "3");
    // the longest names there are, full of what must be escaped; a channel as LISTEN would cut it
    db.exec(&format!("SET dbguard.audit_notify = '{channel}'; SELECT announce(repeat(E'\\x01', 63), repeat(E'\\x02', 63), 9)"));
    assert_eq!(heard(&mut listener)[0].0, "c".repeat(63));
    db.exec("SET dbguard.audit_notify = ''; SELECT announce('s', 't', 1)");
    assert_eq!(heard(&mut listener), vec![]);
    let mut app = db.connect_as("ship_nobody");
    app.exec("SELECT dbguard.version()");
    assert_eq!(app.error("SET dbguard.audit_notify = 'x'").code, "42501");
    assert_eq!(app.error("SET dbguard.audit_message = on").code, "42501");
}

#[test]
fn decoders_see_who_is_acting() {
    let mut db = Db::new();
    hooks(&mut db);
    let slot = format!("s_{}", db.name);
    if let Err(e) =
        db.try_exec(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"))
    {
        assert!(e.message.contains("test_decoding"), "{e:?}");
        eprintln!("skipped: this server has no test_decoding");
        return;
    }
    db.exec("CREATE TABLE t (id int); SELECT say('off', NULL); SET dbguard.audit_message = on");
    db.exec("BEGIN; SELECT say('a', '{\"r\": 1}'); INSERT INTO t VALUES (1); SELECT say('a', '{\"r\": 1}'); SELECT say('b', NULL); INSERT INTO t VALUES (2); COMMIT");
    db.exec("BEGIN; SELECT say('gone', NULL); ROLLBACK; BEGIN; SAVEPOINT x; SELECT say('c', NULL); ROLLBACK TO x; SELECT say('c', NULL); COMMIT; SELECT say('c', NULL)");
    let seen = db.lines(&format!(
        "SELECT regexp_replace(data, '\"xact\": \\d+', 'X') FROM pg_logical_slot_get_changes('{slot}', NULL, NULL)
         WHERE data LIKE 'message%' OR data LIKE 'table%'"
    ));
    db.exec(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let message = |actor: &str, context: &str| {
        let content = format!(
            r#"{{"xact": 1, "actor": "{actor}", "tenant": null, "user": "me", "application_name": null, "context": {context}}}"#
        );
        content.replace("\"xact\": 1", "X")
    };
    let contents: Vec<&str> = seen.iter().map(|l| l.split("content:").nth(1).unwrap_or(l)).collect();
    assert!(seen[0].starts_with("message: transactional: 1 prefix: dbguard, sz: "), "{}", seen[0]);
    assert_eq!(
        contents,
        [
            message("a", "{\"r\":1}").as_str(),
            "table public.t: INSERT: id[integer]:1",
            &message("b", "null"),
            "table public.t: INSERT: id[integer]:2",
            &message("c", "null"),
            &message("c", "null")
        ]
    );
}
