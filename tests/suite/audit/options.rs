//! What can be chosen for a table, and where it shows.

use dbguard_tests::Db;

const STATUS: &str = "SELECT state, captures, statements, excludes, redacts, redacts_with, tenant_column, keeps, problem FROM dbguard.audit_status()";
const LOG: &str = "SELECT op, key FROM dbguard.audit_log ORDER BY id";

#[test]
fn all_options_stay_until_another_is_given() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, org text, card text, big text)");
    let enable = "SELECT action, state, captures, statements, excludes, redacts, redacts_with, tenant_column, keeps, key_columns FROM dbguard.audit_enable";
    assert_eq!(
        db.lines(&format!("{enable}('t')")),
        ["enabled | enabled | changed | {INSERT,UPDATE,DELETE,TRUNCATE} | {} | {} | mask | <null> | rows | {id}"]
    );
    let all = "changed | always | full | {UPDATE,DELETE} | {big} | {card} | mask | org | pack | {id}";
    assert_eq!(
        db.lines(&format!(
            "{enable}('t', 'full', '{{big}}', '{{card}}', '{{delete,UPDATE}}', 'org', 'mask', 'pack', true)"
        )),
        [all]
    );
    assert_eq!(db.lines(&format!("{enable}('t')")), [all.replacen("changed", "unchanged", 1)]);
    assert_eq!(
        db.lines(STATUS),
        ["always | full | {UPDATE,DELETE} | {big} | {card} | mask | org | pack | <null>"]
    );
    // back to the beginning
    assert_eq!(
        db.lines(&format!("{enable}('t', 'changed', '{{}}', '{{}}', '{{INSERT,UPDATE,DELETE,TRUNCATE}}', '', 'mask', 'rows', false)")),
        ["changed | enabled | changed | {INSERT,UPDATE,DELETE,TRUNCATE} | {} | {} | mask | <null> | rows | {id}"]
    );
    assert_eq!(
        db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^_dbguard' AND encode(tgargs, 'escape') ~ '^capture=changed.000home=[^=]+$'"),
        "2"
    );
}

#[test]
fn only_the_chosen_operations_are_logged() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t', operations => '{UPDATE,DELETE}');
         INSERT INTO t VALUES (1, 1), (2, 2); UPDATE t SET v = 3 WHERE id = 1; DELETE FROM t WHERE id = 2; TRUNCATE t",
    );
    assert_eq!(db.lines(LOG), ["UPDATE | 1", "DELETE | 2"]);
    assert_eq!(
        db.value("SELECT string_agg(tgname, ',') FROM pg_trigger WHERE tgname ~ '^_dbguard'"),
        "_dbguard_audit"
    );
    // only TRUNCATE: without a row trigger the table is audited all the same
    db.exec("SELECT dbguard.audit_enable('t', operations => '{TRUNCATE}'); INSERT INTO t VALUES (3, 3); TRUNCATE t");
    assert_eq!(db.lines(LOG)[2..], ["TRUNCATE | <null>"]);
    assert_eq!(
        db.lines(STATUS),
        ["enabled | changed | {TRUNCATE} | {} | {} | mask | <null> | rows | <null>"]
    );
    assert_eq!(
        db.value("SELECT string_agg(tgname, ',') FROM pg_trigger WHERE tgname ~ '^_dbguard'"),
        "_dbguard_audit_truncate"
    );
    db.exec("SELECT dbguard.audit_enable('t', operations => '{INSERT}'); INSERT INTO t VALUES (4, 4); DELETE FROM t");
    assert_eq!(db.lines(LOG)[3..], ["INSERT | 4"]);
    db.exec("DROP TRIGGER _dbguard_audit ON t");
    assert_eq!(db.lines(STATUS), Vec::<String>::new());
    db.exec("SELECT dbguard.audit_enable('t', operations => '{INSERT,TRUNCATE}'); DROP TRIGGER _dbguard_audit ON t");
    assert_eq!(
        db.value("SELECT problem FROM dbguard.audit_status()"),
        "INSERT is not audited: its trigger is missing"
    );
    assert_eq!(db.value("SELECT dbguard.audit_disable('t')"), "t");
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^_dbguard'"), "0");
}

#[test]
fn always_fires_on_replicas() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
         SELECT dbguard.audit_enable('t');
         SET session_replication_role = replica; INSERT INTO t VALUES (1); RESET session_replication_role;
         SELECT dbguard.audit_enable('t', always => true);
         CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
         SET session_replication_role = replica; INSERT INTO t VALUES (2), (102); TRUNCATE t2; TRUNCATE t; RESET session_replication_role",
    );
    assert_eq!(
        db.lines("SELECT op, key, new ->> 'partition' FROM dbguard.audit_log ORDER BY id"),
        [
            "INSERT | 2 | <null>",
            "INSERT | 102 | <null>",
            "TRUNCATE | <null> | public.t2",
            "TRUNCATE | <null> | <null>"
        ]
    );
    assert_eq!(db.value("SELECT state FROM dbguard.audit_status()"), "always");
    db.exec(
        "SELECT dbguard.audit_enable('t', always => false);
         SET session_replication_role = replica; DELETE FROM t; TRUNCATE t; TRUNCATE t1; RESET session_replication_role",
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "4");
}

#[test]
fn bad_options_are_refused() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, org text, card text); SELECT dbguard.audit_enable('t', exclude => '{card}')");
    let cases = [
        (
            "operations => '{INSERT,MERGE}'",
            "22023",
            "unrecognized value for argument \"operations\": \"MERGE\"",
        ),
        ("operations => '{}'", "22023", "argument \"operations\" must not be empty"),
        ("operations => '{INSERT,NULL}'", "22004", "argument \"operations\" must not be null"),
        ("redact_with => 'rot13'", "22023", "unrecognized value for argument \"redact_with\": \"rot13\""),
        ("redact_with => 'hash'", "55000", "there is no key to hash redacted values with"),
        ("bulk => 'zip'", "22023", "unrecognized value for argument \"bulk\": \"zip\""),
        ("tenant => 'nowhere'", "42703", "column \"nowhere\" of relation \"t\" does not exist"),
        ("tenant => 'card'", "22023", "column \"card\" is the tenant column and cannot be excluded"),
        (
            "tenant => 'org', exclude => '{org}'",
            "22023",
            "column \"org\" is the tenant column and cannot be excluded",
        ),
        (
            "tenant => 'org', redact => '{org}'",
            "22023",
            "column \"org\" is the tenant column and cannot be redacted",
        ),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("SELECT dbguard.audit_enable('t', {args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{args}");
    }
    // given one after the other, too
    db.exec("SELECT dbguard.audit_enable('t', tenant => 'org')");
    let error = db.error("SELECT dbguard.audit_enable('t', redact => '{org}')");
    assert_eq!(error.message, "column \"org\" is the tenant column and cannot be redacted");
    assert_ne!(error.hint, "");
    assert_eq!(
        db.lines(STATUS),
        ["enabled | changed | {INSERT,UPDATE,DELETE,TRUNCATE} | {card} | {} | mask | org | rows | <null>"]
    );
}

#[test]
fn hashes_need_a_key_that_only_a_superuser_sets_and_sees() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, card text)");
    db.connect_as("options_owner");
    db.exec("ALTER TABLE t OWNER TO options_owner");
    let error = db.error("SELECT dbguard.audit_enable('t', redact => '{card}', redact_with => 'hash')");
    assert_eq!(error.code, "55000");
    assert!(error.hint.contains("dbguard.redact_key"), "{error:?}");
    let name = db.name.clone();
    db.exec(&format!("ALTER DATABASE {name} SET dbguard.redact_key = 'k3y'"));
    let mut owner = db.connect_as("options_owner");
    owner.exec("SELECT dbguard.audit_enable('t', redact => '{card}', redact_with => 'hash')");
    assert_eq!(owner.error("SHOW dbguard.redact_key").code, "42501");
    assert_eq!(owner.error("SET dbguard.redact_key = 'mine'").code, "42501");
    assert_eq!(owner.value("SELECT count(*) FROM pg_settings WHERE name = 'dbguard.redact_key'"), "0");
    // that the key is gone does not keep other options from being changed
    db.exec("SELECT dbguard.audit_enable('t', capture => 'full')");
    assert_eq!(db.value("SELECT redacts_with FROM dbguard.audit_status()"), "hash");
}

#[test]
fn the_tenant_column_keeps_its_place_under_a_new_name() {
    let mut db = Db::new();
    let tenant = "SELECT tenant_column, problem FROM dbguard.audit_status()";
    let long = "é".repeat(31);
    db.exec("CREATE TABLE t (id int PRIMARY KEY, \"Org = 1\" text, b text); SELECT dbguard.audit_enable('t', tenant => 'Org = 1')");
    db.exec(&format!(
        "ALTER TABLE t RENAME \"Org = 1\" TO \"{long}\"; ALTER TABLE t RENAME b TO \"Org = 1\""
    ));
    assert_eq!(db.lines(tenant), [format!("{long} | <null>")]);
    // and it is the new name that a dump carries
    let carried = format!(
        "SELECT count(*) FROM pg_trigger WHERE position(convert_to('tenant=2:{long}', 'UTF8') IN tgargs) > 0"
    );
    assert_eq!(db.value(&carried), "2");
    db.exec(&format!("ALTER TABLE t DROP COLUMN \"{long}\""));
    assert_eq!(
        db.lines(tenant),
        [format!("{long} | tenant column \"{long}\" does not exist: the tenant logged is what setting dbguard.tenant says")]
    );
    db.exec("INSERT INTO t VALUES (1); SELECT dbguard.audit_enable('t', tenant => '')");
    assert_eq!(db.lines(tenant), ["<null> | <null>"]);
}

/// After a restore that skipped our event trigger, the number of the tenant column is not another's.
#[test]
fn a_tenant_that_is_lost_stays_lost() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, other text, org text); SELECT dbguard.audit_enable('t');
         ALTER EVENT TRIGGER dbguard_audit_follow_columns DISABLE;
         CREATE OR REPLACE TRIGGER _dbguard_audit AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW
           EXECUTE FUNCTION dbguard.audit_row('capture=changed', 'tenant=2:tenant_id', 'home=elsewhere');
         ALTER EVENT TRIGGER dbguard_audit_follow_columns ENABLE ALWAYS;
         ALTER TABLE t ADD COLUMN c int; ALTER TABLE t ADD COLUMN d int",
    );
    let problem = db.value("SELECT problem FROM dbguard.audit_status()");
    assert!(problem.starts_with("tenant column \"tenant_id\" does not exist"), "{problem}");
    assert_eq!(db.value("SELECT tenant_column FROM dbguard.audit_status()"), "tenant_id");
}
