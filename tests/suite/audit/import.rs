//! Other tools' logs become part of ours.

use dbguard_tests::Db;

const RECORD_VERSION: &str = "
    CREATE SCHEMA audit;
    CREATE TYPE audit.operation AS ENUM ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE');
    CREATE TABLE audit.record_version (
      id bigserial PRIMARY KEY, record_id uuid, old_record_id uuid, op audit.operation NOT NULL,
      ts timestamptz NOT NULL DEFAULT now(), table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL,
      record jsonb, old_record jsonb);
    CREATE FUNCTION note(at timestamptz, op text, tab text, new jsonb, old jsonb) RETURNS void LANGUAGE sql AS
      $$INSERT INTO audit.record_version (op, ts, table_oid, table_schema, table_name, record, old_record)
        VALUES (op::audit.operation, at, 1, 'shop', tab, new, old)$$;";

fn logged_actions(image: &str) -> String {
    format!(
        "CREATE SCHEMA audit;
         CREATE TABLE audit.logged_actions (
           event_id bigserial PRIMARY KEY, schema_name text NOT NULL, table_name text NOT NULL, relid oid NOT NULL, session_user_name text,
           action_tstamp_tx timestamptz NOT NULL, action_tstamp_stm timestamptz NOT NULL, action_tstamp_clk timestamptz NOT NULL,
           transaction_id bigint, application_name text, client_addr inet, client_port int, client_query text,
           action text NOT NULL CHECK (action IN ('I', 'D', 'U', 'T')), row_data {image}, changed_fields {image}, statement_only boolean NOT NULL DEFAULT false);
         CREATE FUNCTION note(action text, tab text, row_data {image}, changed {image}, xact bigint DEFAULT 900) RETURNS void LANGUAGE sql AS
           $$INSERT INTO audit.logged_actions (schema_name, table_name, relid, session_user_name, action_tstamp_tx, action_tstamp_stm, action_tstamp_clk,
               transaction_id, application_name, client_addr, client_query, action, row_data, changed_fields, statement_only)
             VALUES ('shop', tab, 1, 'bob', '2020-01-01 10:00Z', '2020-01-01 10:00:01Z', '2020-01-01 10:00:02Z', xact, 'web', '10.0.0.1', 'UPDATE shop', action, row_data, changed, row_data IS NULL)$$;"
    )
}

#[test]
fn record_version_becomes_history() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA shop; CREATE TABLE shop.\"Or ders\" (id bigint PRIMARY KEY, v text, n numeric)");
    db.exec(RECORD_VERSION);
    db.exec(
        r#"SELECT note('2020-01-01Z', 'INSERT', 'Or ders', '{"id": 1, "v": "a", "n": 1.5}', NULL);
           SELECT note('2020-01-02Z', 'UPDATE', 'Or ders', '{"id": 1, "v": "b", "n": 1.5}', '{"id": 1, "v": "a", "n": 1.5}');
           SELECT note('2020-01-02Z', 'UPDATE', 'Or ders', '{"id": 1, "v": "b", "n": 1.5}', '{"id": 1, "v": "b", "n": 1.5}');
           SELECT note('2020-01-03Z', 'UPDATE', 'Or ders', '{"id": 2, "v": "b", "n": null}', '{"id": 1, "v": "b", "n": 1.5}');
           SELECT note('2020-01-04Z', 'DELETE', 'Or ders', NULL, '{"id": 2, "v": "b", "n": null}');
           SELECT note('2020-01-05Z', 'TRUNCATE', 'Or ders', NULL, NULL);
           SELECT note('2020-01-05Z', 'INSERT', 'Or ders', NULL, NULL);
           SELECT note('2020-01-06Z', 'INSERT', 'gone', '{"id": 1}', NULL);
           SELECT note('2020-01-06Z', 'UPDATE', 'gone', '{"id": 1, "x": 2}', '{"id": 1, "x": 1}')"#,
    );
    let shown = [
        "shop.\"Or ders\" | 5 | 2020-01-01 00:00:00+00 | 2020-01-05 00:00:00+00 | 2 | left out: 1 without the row, or of an unknown kind; left out: 1 that changed nothing",
        "shop.gone | 2 | 2020-01-06 00:00:00+00 | 2020-01-06 00:00:00+00 | 0 | the table does not exist; no primary key: changes are found by their columns' values",
    ];
    db.exec("SET TimeZone = 'UTC'");
    // a dry run shows the same and leaves nothing behind
    assert_eq!(
        db.lines("SELECT * FROM dbguard.audit_import('audit.record_version', dry_run => true)"),
        shown
    );
    assert_eq!(db.value("SELECT to_regclass('dbguard.audit_log')"), "<null>");
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_import('audit.record_version')"), shown);
    assert_eq!(
        db.lines("SELECT op, key, old_key, old, new, at::date FROM dbguard.audit_log WHERE table_name = 'Or ders' ORDER BY id"),
        [
            r#"INSERT | 1 | <null> | <null> | {"n": 1.5, "v": "a", "id": 1} | 2020-01-01"#,
            r#"UPDATE | 1 | <null> | {"v": "a"} | {"v": "b"} | 2020-01-02"#,
            r#"UPDATE | 2 | 1 | {"n": 1.5, "id": 1} | {"n": null, "id": 2} | 2020-01-03"#,
            r#"DELETE | 2 | <null> | {"n": null, "v": "b", "id": 2} | <null> | 2020-01-04"#,
            r#"TRUNCATE | <null> | <null> | <null> | <null> | 2020-01-05"#,
        ]
    );
    assert_eq!(
        db.lines("SELECT op, key, old, new FROM dbguard.audit_log WHERE table_name = 'gone' ORDER BY id"),
        [r#"INSERT | <null> | <null> | {"id": 1}"#, r#"UPDATE | <null> | {"x": 1, "id": 1} | {"x": 2}"#]
    );
    assert_eq!(
        db.lines("SELECT DISTINCT xact, session_user_name, context, id < 0 FROM dbguard.audit_log"),
        [r#"0 | unknown | {"imported_from": "audit.record_version"} | t"#]
    );
    // what is audited from now on goes on where the other tool stopped
    db.exec(
        "SELECT dbguard.audit_enable('shop.\"Or ders\"'); INSERT INTO shop.\"Or ders\" VALUES (2, 'again')",
    );
    assert_eq!(
        db.lines("SELECT op FROM dbguard.audit_history('shop.\"Or ders\"', '2')"),
        ["INSERT", "UPDATE", "UPDATE", "DELETE", "INSERT"]
    );
    assert_eq!(
        db.value("SELECT count(DISTINCT lineage) FROM dbguard.audit_log WHERE table_name = 'Or ders'"),
        "1"
    );
}

#[test]
fn a_second_import_goes_on_after_the_first() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY)");
    db.exec(RECORD_VERSION);
    let import =
        "SELECT \"table\", changes, left_out, note FROM dbguard.audit_import('audit.record_version')";
    assert_eq!(db.lines(import), Vec::<String>::new());
    db.exec("SELECT note('2020-01-01Z', 'INSERT', 't', '{\"id\": 1}', NULL)");
    assert_eq!(db.lines(import), ["shop.t | 1 | 0 | <null>"]);
    assert_eq!(db.lines(import), Vec::<String>::new());
    db.exec("SELECT note('2020-01-02Z', 'DELETE', 't', NULL, '{\"id\": 1}')");
    assert_eq!(db.lines(import), ["shop.t | 1 | 0 | <null>"]);
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_history('shop.t', '1')"), ["INSERT", "DELETE"]);
    // another source must not mix in
    db.exec("CREATE TABLE audit.copy AS SELECT * FROM audit.record_version");
    assert_eq!(
        db.lines("SELECT changes, left_out, note FROM dbguard.audit_import('audit.copy')"),
        ["0 | 2 | changes of this table were imported from audit.record_version already"]
    );
}

#[test]
fn what_this_log_has_seen_itself_is_left_out() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY, secret text, hidden text)");
    db.exec(RECORD_VERSION);
    db.exec(
        r#"SELECT note('2020-01-01Z', 'INSERT', 't', '{"id": 1, "secret": "s", "hidden": "h"}', NULL);
           SELECT note('2020-01-02Z', 'UPDATE', 't', '{"id": 1, "secret": "s2", "hidden": "h"}', '{"id": 1, "secret": "s", "hidden": "h"}');
           SELECT note('2020-01-03Z', 'UPDATE', 't', '{"id": 1, "secret": "s2", "hidden": "h2"}', '{"id": 1, "secret": "s2", "hidden": "h"}');
           SELECT note('2020-01-03Z', 'UPDATE', 't', '{"id": 1, "secret": null, "hidden": "h2"}', '{"id": 1, "secret": "s2", "hidden": "h"}');
           SELECT dbguard.audit_enable('shop.t', redact => '{secret}', exclude => '{hidden}')"#,
    );
    db.exec(
        r#"BEGIN; INSERT INTO shop.t VALUES (5, 'x', 'y'); SELECT note(now(), 'INSERT', 't', '{"id": 5}', NULL); COMMIT;
           SELECT note(now(), 'DELETE', 't', NULL, '{"id": 5}')"#,
    );
    assert_eq!(
        db.lines("SELECT changes, left_out, note FROM dbguard.audit_import('audit.record_version')"),
        ["3 | 3 | left out: 2 since this log audits the table itself; left out: 1 that changed nothing"]
    );
    // and what must not be seen is not seen
    assert_eq!(
        db.lines("SELECT op, key, old, new FROM dbguard.audit_log ORDER BY id"),
        [
            r#"INSERT | 1 | <null> | {"id": 1, "secret": "[redacted]"}"#,
            r#"UPDATE | 1 | {"secret": "[redacted]"} | {"secret": "[redacted]"}"#,
            r#"UPDATE | 1 | {"secret": "[redacted]"} | {"secret": null}"#,
            r#"INSERT | 5 | <null> | {"id": 5, "secret": "[redacted]"}"#,
        ]
    );
}

#[test]
fn logged_actions_of_hstore_become_typed_values() {
    let mut db = Db::new();
    if !db.offers(&["hstore"]) {
        return;
    }
    db.exec("CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; SET search_path = public, ext");
    db.exec(&logged_actions("ext.hstore"));
    db.exec(
        r#"CREATE SCHEMA shop; CREATE DOMAIN price AS numeric CHECK (VALUE > 0); CREATE TYPE mood AS ENUM ('ok');
           CREATE TABLE shop.t (id int, day date, v text, n price, b bool, j jsonb, a int[], at timestamptz, m mood, PRIMARY KEY (id, day));
           SELECT note('I', 't', 'id=>1, day=>2020-01-01, v=>7, n=>1.50, b=>t, j=>"{\"x\": 1}", a=>"{1,2}", at=>"2020-01-01 00:00:00+00", m=>ok, old_column=>3', NULL);
           SELECT note('U', 't', 'id=>1, day=>2020-01-01, v=>7, n=>1.50, b=>t', 'n=>2.5, b=>NULL');
           SELECT note('U', 't', 'id=>1, day=>2020-01-01, v=>7', 'id=>2', 901);
           SELECT note('D', 't', 'id=>2, day=>2020-01-01', NULL, 902);
           SELECT note('T', 't', NULL, NULL, 903); SELECT note('U', 't', NULL, NULL, 904)"#,
    );
    db.exec("SET TimeZone = 'UTC'; SET search_path = public");
    assert_eq!(
        db.lines("SELECT changes, left_out, note FROM dbguard.audit_import('audit.logged_actions')"),
        ["5 | 1 | left out: 1 without the row, or of an unknown kind"]
    );
    let key = |id: u32| format!("{{\"id\": {id}, \"day\": \"2020-01-01\"}}");
    assert_eq!(
        db.lines("SELECT op, key, old_key, old, new, xact FROM dbguard.audit_log ORDER BY id"),
        [
            format!(
                "INSERT | {} | <null> | <null> | {} | 900",
                key(1),
                r#"{"a": [1, 2], "b": true, "j": {"x": 1}, "m": "ok", "n": 1.50, "v": "7", "at": "2020-01-01T00:00:00+00:00", "id": 1, "day": "2020-01-01", "old_column": "3"}"#
            ),
            format!(
                "UPDATE | {} | <null> | {} | 900",
                key(1),
                r#"{"b": true, "n": 1.50} | {"b": null, "n": 2.5}"#
            ),
            format!("UPDATE | {} | {} | {} | 901", key(2), key(1), r#"{"id": 1} | {"id": 2}"#),
            format!("DELETE | {} | <null> | {} | <null> | 902", key(2), r#"{"id": 2, "day": "2020-01-01"}"#),
            "TRUNCATE | <null> | <null> | <null> | <null> | 903".to_owned(),
        ]
    );
    assert_eq!(
        db.lines("SELECT DISTINCT session_user_name, current_user_name, application_name, client_addr, query, at, context FROM dbguard.audit_log"),
        ["bob | bob | web | 10.0.0.1 | UPDATE shop | 2020-01-01 10:00:01+00 | {\"imported_from\": \"audit.logged_actions\"}"]
    );
    // a context a statement, not one a change
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_context"), "4");
    assert_eq!(
        db.lines("SELECT op FROM dbguard.audit_history('shop.t', '{\"id\": 2, \"day\": \"2020-01-01\"}')"),
        ["INSERT", "UPDATE", "UPDATE", "DELETE"]
    );
}

#[test]
fn logged_actions_of_jsonb_and_a_transaction_over_several_tables() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA shop; CREATE TABLE shop.a (id uuid PRIMARY KEY); CREATE TABLE shop.b (id int PRIMARY KEY)");
    db.exec(&logged_actions("jsonb"));
    db.exec(
        r#"SELECT note('I', 'b', '{"id": 1}', NULL); SELECT note('I', 'a', '{"id": "0a000000-0000-0000-0000-000000000000"}', NULL);
           SELECT note('U', 'b', '{"id": 1}', '{"id": 2}')"#,
    );
    assert_eq!(
        db.lines("SELECT \"table\", changes, note FROM dbguard.audit_import('audit.logged_actions')"),
        ["shop.a | 1 | <null>", "shop.b | 2 | <null>"]
    );
    assert_eq!(
        db.lines("SELECT table_name, op, key FROM dbguard.audit_log ORDER BY id"),
        ["b | INSERT | 1", "a | INSERT | 0a000000-0000-0000-0000-000000000000", "b | UPDATE | 2"]
    );
}

#[test]
fn values_that_no_longer_fit_stay_text() {
    let mut db = Db::new();
    if !db.offers(&["hstore"]) {
        return;
    }
    db.exec("CREATE EXTENSION hstore; CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY, v int)");
    db.exec(&logged_actions("hstore"));
    db.exec("SELECT note('I', 't', 'id=>1, v=>one', NULL); SELECT note('D', 't', 'id=>1, v=>2', NULL)");
    assert_eq!(
        db.lines("SELECT changes, note FROM dbguard.audit_import('audit.logged_actions')"),
        ["2 | values do not fit the table as it is now (invalid input syntax for type integer: \"one\"): kept as text"]
    );
    assert_eq!(
        db.lines("SELECT key, coalesce(old, new) FROM dbguard.audit_log ORDER BY id"),
        [r#"1 | {"v": "one", "id": "1"}"#, r#"1 | {"v": "2", "id": "1"}"#]
    );
}

#[test]
fn bad_sources_and_missing_rights() {
    let mut db = Db::new();
    db.exec(RECORD_VERSION);
    db.exec("CREATE TABLE other (id bigint, record jsonb); CREATE VIEW v AS SELECT * FROM audit.record_version; SELECT dbguard.audit_init()");
    for (source, code) in
        [("NULL", "22004"), ("'other'", "42809"), ("'v'", "42809"), ("'other', NULL", "22004")]
    {
        assert_eq!(db.error(&format!("SELECT dbguard.audit_import({source})")).code, code, "{source}");
    }
    let error = db.error("SELECT dbguard.audit_import('other')");
    assert!(error.detail.contains("record_version it lacks op, ts, table_schema, table_name, old_record; for logged_actions it lacks event_id"), "{}", error.detail);
    let mut app = db.connect_as("import_nobody");
    db.exec("GRANT USAGE ON SCHEMA audit TO import_nobody; GRANT SELECT ON audit.record_version TO import_nobody; SELECT note(now(), 'INSERT', 't', '{}', NULL)");
    assert_eq!(app.error("SELECT dbguard.audit_import('audit.record_version')").code, "42501");
    // EXECUTE alone is not enough either: the caller's own rights write the log
    db.exec("GRANT EXECUTE ON FUNCTION dbguard.audit_import TO import_nobody");
    assert_eq!(app.error("SELECT dbguard.audit_import('audit.record_version')").code, "42501");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "0");
}

#[test]
fn nobodys_code_runs_with_the_importers_rights() {
    let mut db = Db::new();
    let mut app = db.connect_as("import_app");
    if !db.offers(&["hstore"]) {
        return;
    }
    db.exec("CREATE EXTENSION hstore; CREATE SCHEMA shop AUTHORIZATION import_app");
    db.exec(&logged_actions("hstore"));
    app.exec(
        "CREATE TABLE shop.called (who text);
         CREATE FUNCTION shop.evil(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN INSERT INTO shop.called VALUES (current_user); RETURN true; END';
         CREATE DOMAIN shop.d AS int CHECK (shop.evil(VALUE)); CREATE TABLE shop.t (id shop.d PRIMARY KEY, v shop.d)",
    );
    db.exec(
        "SELECT note('I', 't', 'id=>1, v=>2', NULL); SELECT dbguard.audit_import('audit.logged_actions')",
    );
    assert_eq!(db.lines("SELECT key, new FROM dbguard.audit_log"), [r#"1 | {"v": 2, "id": 1}"#]);
    assert_eq!(db.value("SELECT count(*) FROM shop.called"), "0");
}

#[test]
fn what_is_imported_after_a_seal_is_sealed_by_the_next() {
    let mut db = Db::new();
    db.exec("CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY, v text)");
    db.exec(RECORD_VERSION);
    db.exec("SELECT dbguard.audit_enable('shop.t'); INSERT INTO shop.t VALUES (7, 'own')");
    assert_eq!(super::seal(&mut db), ["1 | 1"]);
    const STATES: &str =
        "SELECT state, changes, problem FROM dbguard.audit_verify() ORDER BY seal NULLS LAST";
    let import = |db: &mut Db, id: i32| {
        db.exec(&format!(
            r#"SELECT note('2020-01-0{id}Z', 'INSERT', 't', '{{"id": {id}, "v": "a"}}', NULL);
               SELECT note('2020-01-0{id}Z', 'INSERT', 'gone/1', '{{"id": {id}}}', NULL);
               SELECT * FROM dbguard.audit_import('audit.record_version')"#
        ))
    };
    import(&mut db, 1);
    assert_eq!(db.lines(STATES), ["ok | 1 | <null>", "unsealed | 2 | <null>"]);
    assert_eq!(super::seal(&mut db), ["2 | 2"]);
    assert_eq!(db.lines(STATES), ["ok | 1 | <null>", "ok | 2 | <null>", "unsealed | 0 | <null>"]);
    import(&mut db, 2);
    assert_eq!(super::seal(&mut db), ["3 | 2"]);
    assert_eq!(db.lines(STATES)[2..], ["ok | 2 | <null>", "unsealed | 0 | <null>"]);
    assert_eq!(
        db.lines("SELECT table_name, count(DISTINCT lineage), count(*) FROM dbguard.audit_log GROUP BY 1 ORDER BY 1"),
        ["gone/1 | 1 | 2", "t | 1 | 3"]
    );
    // and it is known again when the table is called otherwise
    db.exec("ALTER TABLE shop.t RENAME TO u; INSERT INTO shop.u VALUES (8, 'x')");
    assert_eq!(db.lines("SELECT op FROM dbguard.audit_history('shop.u', '1')"), ["INSERT"]);
    db.unguard();
    db.exec("UPDATE dbguard.audit_change SET new = '{}' WHERE id < 0 AND key = '1'");
    assert!(
        db.lines(STATES).contains(&"problem | <null> | change was changed".to_owned()),
        "{:?}",
        db.lines(STATES)
    );
}
