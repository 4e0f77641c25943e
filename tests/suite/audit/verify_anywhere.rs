//! audit_verify on a large log, in a restored one, cancelled, where nothing can be written.

use super::seal;
use super::verify::db;
use dbguard_tests::Db;

#[test]
fn many_problems_are_counted() {
    let mut db = db();
    // what is there already goes into a seal of its own
    seal(&mut db);
    db.exec("INSERT INTO t SELECT generate_series(100, 2600), 'x'");
    seal(&mut db);
    db.exec("UPDATE dbguard.audit_change SET tenant = 'x' WHERE key::int >= 100");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE problem = 'change was changed'"),
        "1000"
    );
    assert_eq!(
        db.lines("SELECT seal, problem FROM dbguard.audit_verify() WHERE problem LIKE 'and %'"),
        ["4 | and 1501 more such problems"]
    );
}

#[test]
fn a_sealed_log_restored_elsewhere_goes_on() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (5, 'not sealed when dumped')");
    let cluster = db.cluster();
    let file = cluster.dir().join(format!("{}.seal.sql", db.name));
    let file = file.to_str().unwrap();
    let dump = cluster.run("pg_dump", &["-f", file, &db.name]);
    assert!(dump.status.success() && dump.stderr.is_empty(), "{}", String::from_utf8_lossy(&dump.stderr));
    let mut copy = Db::empty_in(cluster);
    let restore = cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file]);
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    const ALL: &str = "SELECT seal, state, changes, problem FROM dbguard.audit_verify() WHERE problem IS NULL OR problem NOT LIKE '%guarded%'";
    assert_eq!(
        copy.lines(ALL),
        ["1 | ok | 3 | <null>", "2 | ok | 2 | <null>", "<null> | unsealed | 2 | <null>"]
    );
    // the rest of the old home is closed, and what is made here is of this one
    copy.exec("INSERT INTO t VALUES (6, 'here')");
    let mut sealed = seal(&mut copy);
    if sealed.len() == 1 {
        sealed.extend(seal(&mut copy));
    }
    assert_eq!(sealed, ["3 | 2", "4 | 1"]);
    assert_eq!(copy.lines("SELECT number, closed, home = (SELECT home FROM dbguard.audit_seal WHERE number = 1) FROM dbguard.audit_seal ORDER BY 1"), ["1 | f | t", "2 | f | t", "3 | t | t", "4 | f | f"]);
    assert_eq!(
        copy.lines(ALL),
        [
            "1 | ok | 3 | <null>",
            "2 | ok | 2 | <null>",
            "3 | ok | 2 | <null>",
            "4 | ok | 1 | <null>",
            "<null> | unsealed | 0 | <null>"
        ]
    );
    // nothing can be added to the old home any more
    copy.unguard();
    copy.exec("BEGIN; INSERT INTO dbguard.audit_change SELECT 7, at, '9000000000000', context, relation, op, tenant, 'forged', old_key, old, new FROM dbguard.audit_change WHERE key = '5'");
    assert_eq!(
        copy.lines("SELECT seal, problem, key FROM dbguard.audit_verify() WHERE problem LIKE 'change%'"),
        ["<null> | change was inserted | forged", "<null> | change was put among older ones | forged"]
    );
    copy.exec("ROLLBACK; BEGIN; UPDATE dbguard.audit_change SET new = '{}' WHERE key = '1' AND op = 'I'");
    assert_eq!(
        copy.lines("SELECT seal, problem, key FROM dbguard.audit_verify() WHERE problem LIKE 'change%'"),
        ["1 | change was changed | 1"]
    );
    copy.exec("ROLLBACK");
}

#[test]
fn a_cancelled_check_stops() {
    let mut db = db();
    db.exec("INSERT INTO t SELECT generate_series(100, 30000), 'x'");
    db.exec("SET statement_timeout = '20ms'");
    // as long as an older transaction of another test runs, there is nothing to seal, and so nothing to cancel
    let cut = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        db.try_exec("SELECT dbguard.audit_seal()").err()
    });
    assert_eq!(cut.map(|e| e.code).as_deref(), Some("57014"));
    db.exec("RESET statement_timeout");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_seal"), "2");
    seal(&mut db);
    db.exec("SET statement_timeout = '20ms'");
    assert_eq!(db.error("SELECT dbguard.audit_verify()").code, "57014");
}

#[test]
fn it_can_be_checked_where_nothing_can_be_written() {
    let mut db = db();
    super::settle(&mut db);
    db.exec("BEGIN READ ONLY");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE state = 'ok'"), "2");
    assert_eq!(db.error("SELECT dbguard.audit_seal()").code, "25006");
}
