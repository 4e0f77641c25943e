//! Partitions made, attached, detached, emptied; what of them is not covered.

use dbguard_tests::Db;

const LOG: &str = "SELECT op, table_name, key, new ->> 'partition' FROM dbguard.audit_log ORDER BY id";
const PROBLEM: &str = "SELECT \"table\", problem FROM dbguard.audit_status()";

#[test]
fn truncate_of_one_partition_is_logged() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA \"S x\";
         CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         SELECT dbguard.audit_enable('p');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (k);
         CREATE TABLE \"S x\".deep PARTITION OF p2 DEFAULT;
         CREATE TABLE late (id int, k int);
         ALTER TABLE p ATTACH PARTITION late FOR VALUES FROM (20) TO (30)",
    );
    db.exec("TRUNCATE p1; TRUNCATE \"S x\".deep; TRUNCATE late; TRUNCATE p2");
    assert_eq!(
        db.lines(LOG),
        [
            "TRUNCATE | p | <null> | public.p1",
            "TRUNCATE | p | <null> | S x.deep",
            "TRUNCATE | p | <null> | public.late",
            "TRUNCATE | p | <null> | S x.deep",
        ]
    );
    // with the table it is one record; what was emptied before in the same transaction is told as well
    db.unguard();
    db.exec(
        "TRUNCATE dbguard.audit_change; BEGIN; TRUNCATE p; INSERT INTO p VALUES (1, 1); TRUNCATE p1; COMMIT",
    );
    assert_eq!(
        db.lines("SELECT op, new FROM dbguard.audit_log WHERE op = 'TRUNCATE' ORDER BY id"),
        ["TRUNCATE | <null>", "TRUNCATE | {\"partition\": \"public.p1\"}"]
    );
    // within one function call, too
    db.exec(
        "TRUNCATE dbguard.audit_change;
         DO $$ BEGIN TRUNCATE p; TRUNCATE p1; BEGIN TRUNCATE p; RAISE 'x'; EXCEPTION WHEN OTHERS THEN END; TRUNCATE late; END $$",
    );
    assert_eq!(
        db.lines(LOG),
        [
            "TRUNCATE | p | <null> | <null>",
            "TRUNCATE | p | <null> | public.p1",
            "TRUNCATE | p | <null> | public.late"
        ]
    );
    assert_eq!(db.lines(PROBLEM), ["p | <null>"]);
    // and none where none is wanted
    db.exec("SELECT dbguard.audit_enable('p', operations => '{INSERT}'); CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (40) TO (50)");
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname = '_dbguard_audit_truncate'"), "0");
    db.exec("SELECT dbguard.audit_enable('p', operations => '{INSERT,TRUNCATE}')");
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname = '_dbguard_audit_truncate'"), "5");
    assert_eq!(db.value("SELECT action FROM dbguard.audit_enable('p')"), "unchanged");
    db.exec("SELECT dbguard.audit_disable('p')");
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'dbguard'"), "0");
}

#[test]
fn by_an_owner_who_is_nobody_special() {
    let mut db = Db::new();
    let mut owner = db.connect_as("leaves_owner");
    db.exec("GRANT CREATE ON SCHEMA public TO leaves_owner");
    owner.exec(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         SELECT dbguard.audit_enable('p');
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         TRUNCATE p2; ALTER TABLE p DETACH PARTITION p2; TRUNCATE p2; SELECT dbguard.audit_disable('p')",
    );
    assert_eq!(db.lines(LOG), ["TRUNCATE | p | <null> | public.p2"]);
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'dbguard'"), "0");
    // a table that comes to somebody else, in either way
    db.connect_as("leaves_heir");
    db.exec("GRANT CREATE ON SCHEMA public TO leaves_heir; SELECT dbguard.audit_enable('p'); ALTER TABLE p OWNER TO leaves_heir");
    let mut heir = db.connect_as("leaves_heir");
    heir.exec("CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30); INSERT INTO p VALUES (20)");
    db.connect_as("leaves_last");
    db.exec("GRANT CREATE ON SCHEMA public TO leaves_last; REASSIGN OWNED BY leaves_heir TO leaves_last");
    let mut last = db.connect_as("leaves_last");
    // of that the server tells nobody
    assert_eq!(
        db.lines(PROBLEM),
        ["p | role \"leaves_last\" owns the table since, and cannot make partitions of it: call dbguard.audit_enable"]
    );
    last.exec("SELECT dbguard.audit_enable('p')");
    last.exec("CREATE TABLE p4 (id int PRIMARY KEY); ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM (30) TO (40); INSERT INTO p VALUES (30)");
    assert_eq!(db.lines(LOG)[1..], ["INSERT | p | 20 | <null>", "INSERT | p | 30 | <null>"]);
    assert_eq!(db.lines(PROBLEM), ["p | <null>"]);
    // which lets nobody else attach the trigger
    db.connect_as("leaves_nobody");
    assert_eq!(
        db.value("SELECT has_function_privilege('leaves_nobody', 'dbguard.audit_row()', 'EXECUTE')"),
        "f"
    );
}

/// Partitions that dbguard makes are made as the table's owner.
#[test]
fn maintenance_makes_partitions_of_an_audited_table() {
    let mut db = Db::new();
    let mut owner = db.connect_as("leaves_keeper");
    db.exec("GRANT CREATE ON SCHEMA public TO leaves_keeper");
    owner.exec(
        "CREATE TABLE e (at timestamptz NOT NULL, id int) PARTITION BY RANGE (at);
         SELECT dbguard.audit_enable('e'); SELECT dbguard.partition_enable('e', '1 day')",
    );
    assert_eq!(owner.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'e'::regclass"), "5");
    assert_eq!(owner.value("SELECT count(*) FROM pg_trigger WHERE tgname = '_dbguard_audit_truncate'"), "6");
    owner.exec("INSERT INTO e VALUES (now(), 1)");
    assert_eq!(db.lines(PROBLEM), ["e | <null>"]);
}

#[test]
fn a_detached_partition_is_a_table_of_its_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         SELECT dbguard.audit_enable('p');
         ALTER TABLE p DETACH PARTITION p1",
    );
    db.exec("ALTER TABLE p DETACH PARTITION p2 CONCURRENTLY");
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('p1'::regclass, 'p2'::regclass)"),
        "0"
    );
    assert_eq!(
        db.lines("SELECT \"table\", covered, reason FROM dbguard.audit_coverage()"),
        ["p | t | <null>", "p1 | f | audit is not enabled", "p2 | f | audit is not enabled"]
    );
    // one that was left its trigger does no harm
    db.exec(
        "ALTER EVENT TRIGGER dbguard_audit_follow_partitions DISABLE;
         CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (30) TO (40)",
    );
    assert_eq!(
        db.lines(PROBLEM),
        ["p | TRUNCATE of partition \"public.p3\" is not audited: its trigger is missing or disabled"]
    );
    db.exec("SELECT dbguard.audit_enable('p'); ALTER TABLE p DETACH PARTITION p3; TRUNCATE p3");
    assert_eq!(db.lines(LOG), Vec::<String>::new());
    assert_eq!(db.lines(PROBLEM), ["p | <null>"]);
    db.exec("SELECT dbguard.audit_enable('p3'); TRUNCATE p3");
    assert_eq!(db.lines(LOG), ["TRUNCATE | p3 | <null> | <null>"]);
}

#[test]
fn what_is_audited_twice_is_refused() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, card text) PARTITION BY RANGE (id);
         CREATE TABLE own (id int PRIMARY KEY, card text);
         SELECT dbguard.audit_enable('own', redact => '{card}')",
    );
    let attach = "ALTER TABLE p ATTACH PARTITION own FOR VALUES FROM (0) TO (10)";
    // to a table that is not audited it keeps its own; the table then cannot be audited
    db.exec(attach);
    db.exec("INSERT INTO p VALUES (1, 'secret')");
    assert_eq!(
        db.lines("SELECT table_name, new FROM dbguard.audit_log"),
        ["own | {\"id\": 1, \"card\": \"[redacted]\"}"]
    );
    let error = db.error("SELECT dbguard.audit_enable('p')");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55000", "partition \"own\" is audited on its own")
    );
    assert!(error.hint.contains("audit_disable"), "{error:?}");
    assert_eq!(
        db.lines("SELECT \"table\", covered, audited_by, reason FROM dbguard.audit_coverage()"),
        ["own | t | own | <null>", "p | f | <null> | audit is not enabled"]
    );
    db.exec("ALTER TABLE p DETACH PARTITION own; SELECT dbguard.audit_enable('p')");
    // the server itself refuses a second trigger of the name; under another name we do
    assert_eq!(db.error(attach).code, "42710");
    db.exec("ALTER TRIGGER _dbguard_audit ON own RENAME TO zz");
    let error = db.error(attach);
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("55000", "partition \"own\" is audited on its own")
    );
    db.exec("SELECT dbguard.audit_enable('own', operations => '{TRUNCATE}')");
    assert_eq!(db.error(attach).code, "55000");
    db.exec("SELECT dbguard.audit_disable('own')");
    db.exec(attach);
    db.exec("UPDATE own SET card = 'x'");
    assert_eq!(
        db.lines("SELECT op, table_name FROM dbguard.audit_log ORDER BY id DESC LIMIT 1"),
        ["UPDATE | p"]
    );
}

#[test]
fn status_names_uncovered_partitions() {
    let mut db = Db::new();
    db.exec("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)");
    for i in 0..6 {
        db.exec(&format!("CREATE TABLE p{i} PARTITION OF p FOR VALUES FROM ({i}) TO ({i} + 1)"));
    }
    db.exec("SELECT dbguard.audit_enable('p'); ALTER TABLE p1 DISABLE TRIGGER _dbguard_audit");
    assert_eq!(
        db.lines(PROBLEM),
        ["p | partition \"public.p1\" is not audited as its table is: its trigger is disabled"]
    );
    assert_eq!(
        db.lines(
            "SELECT \"table\", audited_by, reason FROM dbguard.audit_coverage('public') WHERE NOT covered"
        ),
        ["p1 | p | its trigger is disabled"]
    );
    db.exec(
        "SELECT dbguard.audit_enable('p', always => true); SELECT dbguard.audit_enable('p', always => false)",
    );
    assert_eq!(db.lines(PROBLEM), ["p | <null>"]);
    db.exec("DROP TRIGGER _dbguard_audit_truncate ON p2");
    assert_eq!(
        db.value("SELECT reason FROM dbguard.audit_coverage() WHERE NOT covered"),
        "its trigger of TRUNCATE is missing"
    );
    for i in 0..6 {
        db.exec(&format!("ALTER TABLE p{i} DISABLE TRIGGER USER"));
    }
    let problem = db.value("SELECT problem FROM dbguard.audit_status()");
    assert_eq!(problem.lines().count(), 4, "{problem}");
    assert!(problem.ends_with("\n3 more partitions are not audited as they should be"), "{problem}");
}

#[test]
fn a_foreign_partition_is_noted() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
         CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE FOREIGN TABLE far PARTITION OF p FOR VALUES FROM (10) TO (20) SERVER s;
         SELECT dbguard.audit_enable('p'); TRUNCATE p1",
    );
    assert_eq!(
        db.lines("SELECT problem, note FROM dbguard.audit_status()"),
        ["<null> | partition \"public.far\" is a foreign table: what is written to it on its own server is not seen"]
    );
    db.exec("CREATE FOREIGN TABLE alone (id int) SERVER s");
    assert_eq!(
        db.lines("SELECT \"table\", reason FROM dbguard.audit_coverage() WHERE NOT covered"),
        ["alone | a foreign table cannot be audited here"]
    );
}
