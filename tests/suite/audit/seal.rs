//! Every committed change is in exactly one seal, whatever goes on beside.

use super::seal;
use dbguard_tests::Db;

const SEAL: &str = "SELECT seal, changes FROM dbguard.audit_seal()";
/// Per seal: how many changes, and whether all is well.
const VERIFY: &str = "SELECT seal, state, changes, problem FROM dbguard.audit_verify()";

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t')");
    db
}

#[test]
fn a_seal_takes_what_is_new() {
    let mut db = db();
    assert_eq!(db.lines(SEAL), Vec::<String>::new());
    assert_eq!(db.value("SELECT dbguard.audit_seal_export() IS NULL"), "t");
    assert_eq!(db.lines(VERIFY), ["<null> | unsealed | 0 | <null>"]);
    db.exec("INSERT INTO t SELECT generate_series(1, 2500), 'x'; UPDATE t SET v = 'y' WHERE id = 7");
    assert_eq!(seal(&mut db), ["1 | 2501"]);
    assert_eq!(db.lines(SEAL), Vec::<String>::new());
    db.exec("DELETE FROM t WHERE id = 7");
    assert_eq!(db.lines(VERIFY), ["1 | ok | 2501 | <null>", "<null> | unsealed | 1 | <null>"]);
    assert_eq!(seal(&mut db), ["2 | 1"]);
    assert_eq!(
        db.lines(VERIFY),
        ["1 | ok | 2501 | <null>", "2 | ok | 1 | <null>", "<null> | unsealed | 0 | <null>"]
    );
    assert_eq!(db.lines("SELECT seal, state FROM dbguard.audit_verify(2)"), ["2 | ok", "<null> | unsealed"]);
    let head = db.value("SELECT dbguard.audit_seal_export()");
    assert_eq!(
        db.lines(&format!("SELECT seal, state, problem FROM dbguard.audit_verify(head => '{head}') WHERE problem IS NOT NULL")),
        ["2 | ok | the given head is in the chain"]
    );
    assert_eq!(
        db.lines("SELECT e ->> 'number', e ->> 'changes', e ->> 'hash' = encode(s.hash, 'hex'), (e ->> 'sealed_at')::timestamptz = s.sealed_at,
                         e ->> 'to_xact' = s.to_xact::text, e ->> 'home' = s.home
                  FROM dbguard.audit_seal_export() e, dbguard.audit_seal s WHERE s.number = 2"),
        ["2 | 1 | t | t | t | t"]
    );
}

#[test]
fn a_transaction_that_ends_late_is_sealed_late() {
    let mut db = db();
    let mut long = db.connect();
    long.exec("BEGIN; INSERT INTO t VALUES (1, 'began first')");
    db.exec("INSERT INTO t VALUES (2, 'committed while the other was open')");
    let mut prepared = db.connect();
    let gid = db.name.clone();
    prepared.exec(&format!("BEGIN; INSERT INTO t VALUES (3, 'prepared'); PREPARE TRANSACTION '{gid}'"));
    // not even the one that has ended, as its number is higher than that of one that has not
    assert_eq!(db.lines(SEAL), Vec::<String>::new());
    assert_eq!(db.lines(VERIFY), ["<null> | unsealed | 1 | <null>"]);
    let mut rolled_back = db.connect();
    rolled_back.exec("BEGIN; INSERT INTO t VALUES (4, 'rolled back'); ROLLBACK");
    long.exec("SAVEPOINT a; INSERT INTO t VALUES (5, 'undone'); ROLLBACK TO a; INSERT INTO t VALUES (6, 'after'); COMMIT");
    // up to the prepared one
    assert_eq!(seal(&mut db), ["1 | 3"]);
    assert_eq!(db.lines(SEAL), Vec::<String>::new());
    db.exec(&format!("COMMIT PREPARED '{gid}'"));
    assert_eq!(seal(&mut db), ["2 | 1"]);
    assert_eq!(
        db.lines(VERIFY),
        ["1 | ok | 3 | <null>", "2 | ok | 1 | <null>", "<null> | unsealed | 0 | <null>"]
    );
}

#[test]
fn a_seal_does_not_take_its_own_transactions_changes() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 'before')");
    db.exec("BEGIN; INSERT INTO t VALUES (2, 'mine')");
    assert_eq!(seal(&mut db), ["1 | 1"]);
    assert_eq!(db.lines(SEAL), Vec::<String>::new());
    db.exec("ROLLBACK");
    // rolled back with all else
    assert_eq!(seal(&mut db), ["1 | 1"]);
}

fn seal_all(db: &mut Db) {
    while db.value("SELECT changes FROM dbguard.audit_verify() WHERE state = 'unsealed'") != "0" {
        seal(db);
    }
}

#[test]
fn writers_and_sealers_at_once_lose_nothing() {
    let mut db = db();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stop = &stop;
    std::thread::scope(|scope| {
        let mut writers = vec![];
        for writer in 0..3 {
            let mut session = db.connect();
            writers.push(scope.spawn(move || {
                for i in 0..60 {
                    let id = writer * 1000 + i;
                    let end = if i % 5 == 0 { "ROLLBACK" } else { "COMMIT" };
                    session.exec(&format!(
                        "BEGIN; INSERT INTO t VALUES ({id}, 'a'); SAVEPOINT s; UPDATE t SET v = 'b' WHERE id = {id};
                         ROLLBACK TO s; UPDATE t SET v = 'c' WHERE id = {id}; {end}"
                    ));
                }
            }));
        }
        for _ in 0..2 {
            let mut session = db.connect();
            scope.spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    session.lines(SEAL);
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // what is left, and one link more for certain: others may have held the sealers up all the time
    seal_all(&mut db);
    db.exec("INSERT INTO t VALUES (9999, 'last')");
    seal_all(&mut db);
    let changes = (3 * 48 * 2 + 1).to_string();
    assert_eq!(db.value("SELECT sum(changes) FROM dbguard.audit_seal"), changes);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), changes);
    assert_eq!(
        db.lines("SELECT * FROM dbguard.audit_verify() WHERE state NOT IN ('ok', 'unsealed')"),
        Vec::<String>::new()
    );
    assert!(db.value("SELECT count(*) FROM dbguard.audit_seal").parse::<i32>().unwrap() > 1);
    assert_eq!(db.value("SELECT count(*) = max(number) AND count(DISTINCT previous) = count(*) - 1 FROM dbguard.audit_seal"), "t");
}

#[test]
fn two_seals_at_once_are_one_after_the_other() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 'a')");
    let mut first = db.connect();
    first.exec("BEGIN");
    assert_eq!(seal(&mut first), ["1 | 1"]);
    db.exec("INSERT INTO t VALUES (2, 'a')");
    let mut second = db.connect();
    second.exec("SET lock_timeout = '100ms'");
    assert_eq!(second.error(SEAL).code, "55P03");
    // one whose snapshot is older than the other's seal does not fork the chain
    let mut old = db.connect();
    old.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t");
    first.exec("COMMIT");
    assert_eq!(old.error(SEAL).code, "40001");
    old.exec("ROLLBACK");
    assert_eq!(seal(&mut second), ["2 | 1"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE state = 'ok'"), "2");
}

#[test]
fn a_table_of_any_kind_is_sealed() {
    let mut db = Db::new();
    let long = "n".repeat(63);
    db.exec(&format!(
        "CREATE TABLE \"{long}\" (\"a b\" int, \"{long}\" text, PRIMARY KEY (\"a b\", \"{long}\"));
         CREATE TABLE keyless (v text, n numeric, j jsonb);
         CREATE TABLE parts (id int PRIMARY KEY, d text) PARTITION BY RANGE (id);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
         SELECT dbguard.audit_enable('\"{long}\"'), dbguard.audit_enable('keyless'), dbguard.audit_enable('parts');
         SET dbguard.actor = ''; SET dbguard.tenant = 't-1'; SET dbguard.context = '{{\"a\": [1, null]}}';
         INSERT INTO \"{long}\" VALUES (1, ''), (2, 'it''s, \"5:x\"'); UPDATE \"{long}\" SET \"a b\" = 3 WHERE \"a b\" = 2;
         INSERT INTO keyless VALUES (NULL, 1.00, '{{}}'), ('é', 'NaN', 'null'); DELETE FROM keyless WHERE n = 1;
         INSERT INTO parts VALUES (1, 'x'); TRUNCATE keyless"
    ));
    assert_eq!(seal(&mut db), ["1 | 8"]);
    // whatever the settings of who looks
    db.exec("SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET extra_float_digits = -5; SET bytea_output = 'escape'; SET intervalstyle = 'iso_8601'");
    assert_eq!(db.lines(VERIFY), ["1 | ok | 8 | <null>", "<null> | unsealed | 0 | <null>"]);
}

#[test]
fn sealing_is_for_the_logs_owner() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 'a')");
    let mut app = db.connect_as("seal_app");
    for call in [
        "dbguard.audit_seal()",
        "dbguard.audit_verify()",
        "dbguard.audit_seal_export()",
        "dbguard.audit_redact('t', '1', '{v}', 'x')",
    ] {
        assert_eq!(app.error(&format!("SELECT {call}")).code, "42501", "{call}");
    }
    // an auditor who may read may check
    db.exec("GRANT SELECT ON ALL TABLES IN SCHEMA dbguard TO seal_app");
    seal(&mut db);
    assert_eq!(app.lines("SELECT seal, state FROM dbguard.audit_verify()"), ["1 | ok", "<null> | unsealed"]);
    assert_eq!(app.value("SELECT dbguard.audit_seal_export() ->> 'number'"), "1");
    // rows that he may not see are not "removed"
    db.exec("ALTER TABLE dbguard.audit_change ENABLE ROW LEVEL SECURITY");
    assert_eq!(app.error("SELECT dbguard.audit_verify()").code, "42501");
    let mut empty = Db::new();
    for call in ["audit_seal()", "audit_verify()", "audit_seal_export()"] {
        let error = empty.error(&format!("SELECT dbguard.{call}"));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("55000", "there is no audit log yet"),
            "{call}"
        );
    }
}
