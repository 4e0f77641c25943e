//! An audited table is converted, and back: nothing is missing from the log, nothing redacted shows.

use dbguard_tests::Db;

#[test]
fn audit_goes_on() {
    let mut db = Db::new();
    let mut owner = db.connect_as("conv_audited");
    db.exec("CREATE SCHEMA aud AUTHORIZATION conv_audited");
    owner.exec(
        "CREATE TABLE aud.t (gone int, id int, secret text, at timestamptz, hidden text, v text, PRIMARY KEY (id, at));
         ALTER TABLE aud.t DROP COLUMN gone;
         SELECT dbguard.audit_enable('aud.t', redact => '{secret}', exclude => '{hidden}');
         INSERT INTO aud.t VALUES (1, 's1', '2026-01-01', 'h', 'a')",
    );
    let status = "SELECT \"table\", state, captures, statements, excludes, redacts, redacts_with, problem, note FROM dbguard.audit_status()";
    let before = owner.lines(status);
    let count = "SELECT count(*) FROM dbguard.audit_changes('aud.t')";
    let changes = |db: &mut Db| db.value(count);
    assert_eq!(changes(&mut db), "1");
    for (n, call) in [
        "CALL dbguard.partition_convert('aud.t', 'at', '1 month')",
        "CALL dbguard.partition_unconvert('aud.t')",
    ]
    .iter()
    .enumerate()
    {
        owner.exec(call);
        assert_eq!(owner.lines(status), before, "{call}");
        owner.exec(&format!("UPDATE aud.t SET v = 'v{n}', secret = 's2{n}', hidden = 'h2{n}'"));
        assert_eq!(changes(&mut db), (2 + n).to_string(), "{call}");
    }
    owner.exec("TRUNCATE aud.t");
    let log = db.lines("SELECT c::text FROM dbguard.audit_log c");
    assert!(
        !log.is_empty()
            && !log.iter().any(|line| line.contains("s1") || line.contains("s2") || line.contains("h2")),
        "{log:?}"
    );
    assert_eq!(db.value("SELECT count(DISTINCT lineage) FROM dbguard.audit_relation"), "1");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_relation WHERE starts"), "1");
}
