//! What is written in the log cannot be changed, by nobody.

use super::seal;
use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 'a')");
    seal(&mut db);
    db
}

#[test]
fn a_superuser_cannot_change_what_is_written() {
    let mut db = db();
    let month = db.value("SELECT 'dbguard.audit_change_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')");
    for (statement, what) in [
        ("UPDATE dbguard.audit_change SET key = 'x'".to_owned(), "update"),
        (format!("UPDATE {month} SET key = 'x'"), "update"),
        ("DELETE FROM dbguard.audit_change".to_owned(), "delete from"),
        (format!("DELETE FROM {month}"), "delete from"),
        ("TRUNCATE dbguard.audit_change".to_owned(), "truncate"),
        (format!("TRUNCATE {month}"), "truncate"),
        ("TRUNCATE dbguard.audit_change_default, dbguard.audit_pack_default".to_owned(), "truncate"),
        ("TRUNCATE dbguard.audit_context, dbguard.audit_pack, dbguard.audit_relation".to_owned(), "truncate"),
        ("UPDATE dbguard.audit_context SET actor = 'somebody else'".to_owned(), "update"),
        ("DELETE FROM dbguard.audit_relation".to_owned(), "delete from"),
        ("UPDATE dbguard.audit_seal SET number = 7".to_owned(), "update"),
        ("DELETE FROM dbguard.audit_seal_record".to_owned(), "delete from"),
        ("TRUNCATE dbguard.audit_redaction".to_owned(), "truncate"),
        (
            "MERGE INTO dbguard.audit_change c USING (SELECT 1) x ON true WHEN MATCHED THEN UPDATE SET key = 'x'".to_owned(),
            "update",
        ),
        ("INSERT INTO dbguard.audit_seal SELECT * FROM dbguard.audit_seal ON CONFLICT (number) DO UPDATE SET changes = 0".to_owned(), "update"),
    ] {
        let error = db.error(&statement);
        assert_eq!(error.code, "55000", "{statement}: {error:?}");
        assert!(error.message.starts_with(&format!("cannot {what} table \"audit_")), "{error:?}");
        assert!(error.hint.contains("dbguard.audit_redact"), "{error:?}");
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "1");
}

#[test]
fn partitions_made_later_are_guarded_too() {
    let mut db = db();
    let newest = "SELECT max(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                  WHERE i.inhparent = 'dbguard.audit_pack'::regclass AND c.relname LIKE 'audit\\_pack\\_p%'";
    let table = db.value(newest);
    db.exec(&format!("DROP TABLE dbguard.{table}"));
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value(newest), table);
    assert_eq!(db.error(&format!("TRUNCATE dbguard.{table}")).code, "55000");
    db.exec(&format!("INSERT INTO dbguard.{table} SELECT 1000, partition_lower, '5', 1, 1, 0, NULL, NULL, NULL, '' FROM (SELECT to_date(right('{table}', 6), 'YYYYMM') + interval '1 day') x(partition_lower)"));
    assert_eq!(db.error(&format!("DELETE FROM dbguard.{table}")).code, "55000");
    assert_eq!(
        db.lines("SELECT problem FROM dbguard.audit_verify() WHERE problem LIKE '%guarded%'"),
        Vec::<String>::new()
    );
    // a user's own partitioned table is none of the guard's business
    db.exec("CREATE TABLE mine (at timestamptz) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('mine', '1 month')");
    db.exec("INSERT INTO mine VALUES (now()); UPDATE mine SET at = at; TRUNCATE mine");
}

#[test]
fn a_table_without_its_guard_is_reported() {
    let mut db = db();
    let unguarded = "SELECT problem FROM dbguard.audit_verify() WHERE state = 'problem'";
    assert_eq!(db.lines(unguarded), Vec::<String>::new());
    db.exec("ALTER TABLE dbguard.audit_relation DISABLE TRIGGER audit_guard; DROP TRIGGER audit_guard_truncate ON dbguard.audit_pack_default");
    db.exec("ALTER TABLE dbguard.audit_seal ENABLE REPLICA TRIGGER audit_guard");
    db.exec("CREATE TABLE dbguard.by_hand PARTITION OF dbguard.audit_change FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')");
    assert_eq!(
        db.lines(unguarded),
        ["audit_pack_default", "audit_relation", "audit_seal", "by_hand"]
            .map(|t| format!("table \"{t}\" is not guarded against changes"))
    );
}

#[test]
fn nothing_lets_a_user_through() {
    let mut db = db();
    // after a redaction that succeeded, and after one that failed in the middle, the guard is up
    db.exec("SELECT dbguard.audit_redact('t', '1', '{v}', 'asked to')");
    assert_eq!(db.error("UPDATE dbguard.audit_change SET key = 'x'").code, "55000");
    db.exec("INSERT INTO t VALUES (2, 'b'); CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER z_fail BEFORE UPDATE ON dbguard.audit_change FOR EACH ROW EXECUTE FUNCTION fail()");
    assert_eq!(db.error("SELECT dbguard.audit_redact('t', '2', '{v}', 'asked to')").message, "no");
    assert_eq!(db.error("UPDATE dbguard.audit_change SET key = 'x'").code, "55000");
    db.exec("DO $$ BEGIN PERFORM dbguard.audit_redact('t', '2', '{v}', 'asked to'); EXCEPTION WHEN OTHERS THEN NULL; END $$");
    assert_eq!(db.error("UPDATE dbguard.audit_change SET key = 'x'").code, "55000");
    // the function itself is a trigger's, and attached elsewhere it only refuses
    assert_eq!(db.error("SELECT dbguard._audit_guard()").code, "39P01");
}
