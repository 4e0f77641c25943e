//! standard_columns: who may call it, what it refuses, and whom it lets wait.

use dbguard_tests::Db;

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut db = Db::new();
    let wide: Vec<String> = (0..1598).map(|i| format!("c{i} bool")).collect();
    db.exec(&format!(
        "CREATE TABLE t (id int); CREATE VIEW v AS SELECT 1 AS x; CREATE TABLE wide ({})",
        wide.join(", ")
    ));
    let cases = [
        ("NULL", "22004", "argument \"relation\" must not be null"),
        ("'v'", "42809", "\"v\" is a view"),
        ("'pg_class'", "42809", "\"pg_class\" is a system catalog"),
        ("'t', '{id,version}'", "22023", "\"version\" is no standard column"),
        ("'t', '{NULL}'", "22023", "argument \"columns\" must not contain nulls"),
        ("'t', id_type => 'serial'", "22023", "invalid value for argument \"id_type\": \"serial\""),
        ("'t', tenant_type => 'date'", "22023", "invalid value for argument \"tenant_type\": \"date\""),
        ("'t', existing => NULL", "22004", "argument \"existing\" must not be null"),
        ("'wide'", "54011", "table \"wide\" cannot have 4 more columns"),
    ];
    for function in ["standard_columns", "standard_columns_plan"] {
        for (args, code, message) in cases {
            let e = db.error(&format!("SELECT dbguard.{function}({args})"));
            assert_eq!((e.code.as_str(), e.message.as_str()), (code, message), "{args}");
            assert!(code == "22004" || !e.hint.is_empty(), "{args}");
        }
        let mut other = db.connect_as("standard_other");
        assert_eq!(other.error(&format!("SELECT dbguard.{function}('t')")).code, "42501");
    }
    assert_eq!(db.value("SELECT max(attnum) FROM pg_attribute WHERE attrelid = 't'::regclass"), "1");
}

#[test]
fn nobody_waits_for_long() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (v text); INSERT INTO t VALUES ('a')");
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT * FROM t");
    let e = db.error("SELECT dbguard.standard_columns('t')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55P03", "could not lock the table within a second"));
    assert_eq!(db.value("SELECT max(attnum) FROM pg_attribute WHERE attrelid = 't'::regclass"), "1");
    assert_eq!(db.value("SHOW lock_timeout"), "0");
    // the plan is in nobody's way, nor is anybody in its
    assert_ne!(db.lines("SELECT dbguard.standard_columns_plan('t')"), Vec::<String>::new());
    reader.exec("COMMIT");
    db.exec("SELECT dbguard.standard_columns('t')");
}

/// Neither an index nor a policy of an ordinary role's runs as the superuser who calls, nor hides a row.
#[test]
fn code_of_the_owner_runs_as_the_owner() {
    let mut db = Db::new();
    let mut owner = db.connect_as("standard_owner");
    db.exec("CREATE SCHEMA s AUTHORIZATION standard_owner; CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO standard_owner");
    owner.exec(
        "CREATE TABLE evil.seen (who text);
         CREATE FUNCTION s.spy(i int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO evil.seen VALUES (current_user); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
         CREATE TABLE s.t (id int, created_at timestamptz); INSERT INTO s.t VALUES (1, NULL), (2, now());
         CREATE INDEX ON s.t (created_at) WHERE s.spy(1);
         ALTER TABLE s.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY p ON s.t USING (s.spy(id) AND id = 2); TRUNCATE evil.seen",
    );
    for session in [&mut db, &mut owner] {
        // the row without a time is seen
        let why = "SELECT why FROM dbguard.standard_columns('s.t', '{created_at}') WHERE action = 'advice'";
        assert_eq!(
            session.value(why),
            "rows have none: give them one and call again, or leave them so by existing => 'null'"
        );
        session.exec("ALTER TABLE s.t ALTER created_at DROP DEFAULT");
    }
    assert_eq!(
        db.lines("SELECT DISTINCT who FROM evil.seen WHERE who <> 'standard_owner'"),
        Vec::<String>::new()
    );
}
