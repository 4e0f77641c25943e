//! What is captured of each kind of statement.

use dbguard_tests::Db;

const LOG: &str = "SELECT op, key, old, new FROM dbguard.audit_log ORDER BY id";

fn db(options: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b int, c text);
         SELECT dbguard.audit_enable('t'{options})"
    ));
    db
}

#[test]
fn an_update_logs_the_columns_that_changed() {
    let mut db = db("");
    db.exec("INSERT INTO t VALUES (1, 'x', 5, NULL); UPDATE t SET a = 'x', b = 6, c = 'y'; DELETE FROM t");
    assert_eq!(
        db.lines(LOG),
        [
            r#"INSERT | 1 | <null> | {"a": "x", "b": 5, "c": null, "id": 1}"#,
            r#"UPDATE | 1 | {"b": 5, "c": null} | {"b": 6, "c": "y"}"#,
            r#"DELETE | 1 | {"a": "x", "b": 6, "c": "y", "id": 1} | <null>"#,
        ]
    );
}

#[test]
fn capture_full_logs_whole_rows() {
    let mut db = db(", capture => 'full'");
    db.exec("INSERT INTO t VALUES (1, 'x', 5, NULL); UPDATE t SET b = 6");
    assert_eq!(
        db.lines(LOG)[1],
        r#"UPDATE | 1 | {"a": "x", "b": 5, "c": null, "id": 1} | {"a": "x", "b": 6, "c": null, "id": 1}"#
    );
}

#[test]
fn an_update_without_effect_logs_nothing() {
    let mut db = db("");
    db.unguard();
    db.exec("INSERT INTO t VALUES (1, 'x', 5, NULL); TRUNCATE dbguard.audit_change");
    db.exec("UPDATE t SET a = a, b = 5, c = NULL");
    assert_eq!(db.lines(LOG), Vec::<String>::new());
}

#[test]
fn excluded_columns_are_never_seen() {
    let mut db = db(", exclude => '{a}'");
    db.exec("INSERT INTO t VALUES (1, 'secret', 5, NULL); UPDATE t SET a = 'other'; UPDATE t SET a = 'third', b = 7; DELETE FROM t");
    assert_eq!(
        db.lines(LOG),
        [
            r#"INSERT | 1 | <null> | {"b": 5, "c": null, "id": 1}"#,
            r#"UPDATE | 1 | {"b": 5} | {"b": 7}"#,
            r#"DELETE | 1 | {"b": 7, "c": null, "id": 1} | <null>"#,
        ]
    );
}

#[test]
fn redacted_columns_show_the_change_and_not_the_value() {
    let mut db = db(", redact => '{a,c}'");
    db.exec("INSERT INTO t VALUES (1, 'secret', 5, NULL); UPDATE t SET a = 'other'; DELETE FROM t");
    assert_eq!(
        db.lines(LOG),
        [
            r#"INSERT | 1 | <null> | {"a": "[redacted]", "b": 5, "c": null, "id": 1}"#,
            r#"UPDATE | 1 | {"a": "[redacted]"} | {"a": "[redacted]"}"#,
            r#"DELETE | 1 | {"a": "[redacted]", "b": 5, "c": null, "id": 1} | <null>"#,
        ]
    );
    let leaked = db.value("SELECT count(*) FROM dbguard.audit_change c WHERE c::text ~ 'secret|other'");
    assert_eq!(leaked, "0");
}

#[test]
fn truncate_is_one_entry() {
    let mut db = db("");
    db.exec("INSERT INTO t VALUES (1), (2); TRUNCATE t");
    assert_eq!(db.lines(LOG)[2..], ["TRUNCATE | <null> | <null> | <null>"]);
}

#[test]
fn copy_merge_and_on_conflict() {
    let mut db = db("");
    let mut copy = db.client().copy_in("COPY t (id, a) FROM STDIN").unwrap();
    std::io::Write::write_all(&mut copy, b"1\tone\n2\ttwo\n").unwrap();
    copy.finish().unwrap();
    db.exec(
        "INSERT INTO t VALUES (2, 'x'), (3, 'three') ON CONFLICT (id) DO UPDATE SET a = excluded.a;
         INSERT INTO t VALUES (1, 'ignored') ON CONFLICT DO NOTHING;
         MERGE INTO t USING (VALUES (1, 'uno'), (3, NULL), (4, 'four')) s(id, a) ON t.id = s.id
           WHEN MATCHED AND s.a IS NULL THEN DELETE
           WHEN MATCHED THEN UPDATE SET a = s.a
           WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.a)",
    );
    let ops = "SELECT string_agg(op || ' ' || key, ', ' ORDER BY id) FROM dbguard.audit_log";
    // the order of MERGE's actions is the server's; here it is that of the source
    assert_eq!(db.value(ops), "INSERT 1, INSERT 2, UPDATE 2, INSERT 3, UPDATE 1, DELETE 3, INSERT 4");
}

#[test]
fn cascades_are_logged_row_by_row() {
    let mut db = db("");
    db.exec(
        "CREATE TABLE child (id int PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
         SELECT dbguard.audit_enable('child');
         INSERT INTO t VALUES (1), (2);
         INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
         UPDATE t SET id = 5 WHERE id = 1;
         DELETE FROM t WHERE id = 5",
    );
    assert_eq!(
        db.lines("SELECT op, key, old FROM dbguard.audit_log WHERE table_name = 'child' AND op <> 'INSERT' ORDER BY id"),
        [
            r#"UPDATE | 10 | {"t_id": 1}"#,
            r#"UPDATE | 11 | {"t_id": 1}"#,
            r#"DELETE | 10 | {"id": 10, "t_id": 5}"#,
            r#"DELETE | 11 | {"id": 11, "t_id": 5}"#,
        ]
    );
}

#[test]
fn what_a_before_trigger_makes_is_what_is_logged() {
    let mut db = db("");
    db.exec(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := upper(NEW.a); RETURN NEW; END $$;
         CREATE TRIGGER zz BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shout();
         INSERT INTO t VALUES (1, 'x')",
    );
    assert_eq!(db.value("SELECT new ->> 'a' FROM dbguard.audit_log"), "X");
}

#[test]
fn an_unchanged_toasted_value_is_not_logged() {
    let mut db = db("");
    db.exec(
        "ALTER TABLE t ALTER c SET STORAGE EXTERNAL;
         INSERT INTO t VALUES (1, 'x', 5, repeat('long', 5000));
         UPDATE t SET b = 6;
         UPDATE t SET c = repeat('long', 5000);
         UPDATE t SET c = repeat('gone', 5000)",
    );
    let changed = "SELECT string_agg(k, ',' ORDER BY id, k) FROM dbguard.audit_log, jsonb_object_keys(new) k WHERE op = 'UPDATE'";
    assert_eq!(db.value(changed), "b,c");
}
