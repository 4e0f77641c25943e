//! The audit log shows a soft delete as what it is.

use dbguard_tests::Db;

fn db(bulk: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE p (id int PRIMARY KEY, v text, deleted_at timestamptz);
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz);
         SELECT dbguard.audit_enable('p', bulk => '{bulk}'), dbguard.audit_enable('c', bulk => '{bulk}');
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow');
         INSERT INTO p SELECT g, 'v' FROM generate_series(1, 100) g; INSERT INTO c SELECT g, 1 + g % 2 FROM generate_series(1, 6) g"
    ));
    db
}

const LOG: &str =
    "SELECT op, table_name, count(*) FROM dbguard.audit_log GROUP BY 1, 2 ORDER BY min(at), min(id)";

#[test]
fn deleted_and_brought_back() {
    for bulk in ["rows", "pack"] {
        let mut db = db(bulk);
        db.exec("SET dbguard.actor = 'ann'; DELETE FROM p WHERE id <= 2; SET dbguard.actor = 'bob'; SELECT dbguard.soft_delete_restore('p', '1')");
        assert_eq!(
            db.lines(LOG),
            [
                "INSERT | p | 100",
                "INSERT | c | 6",
                "SOFT DELETE | p | 2",
                "SOFT DELETE | c | 6",
                "RESTORE | p | 1",
                "RESTORE | c | 3"
            ],
            "{bulk}"
        );
        assert_eq!(
            db.lines("SELECT op, actor, old, new ->> 'deleted_at' IS NULL FROM dbguard.audit_history('p', '1')")[1..],
            ["SOFT DELETE | ann | {\"deleted_at\": null} | f".to_owned(),
             format!("RESTORE | bob | {} | t", db.value("SELECT jsonb_build_object('deleted_at', (SELECT new -> 'deleted_at' FROM dbguard.audit_log WHERE op = 'SOFT DELETE' AND table_name = 'p' AND key = '1'))"))]
        );
        assert_eq!(
            db.lines("SELECT op, column_name FROM dbguard.audit_diff('p', '1') WHERE op <> 'INSERT'"),
            ["SOFT DELETE | deleted_at", "RESTORE | deleted_at"]
        );
        // at any time it can be seen how it was
        let between = db.value("SELECT min(at) FROM dbguard.audit_log WHERE op = 'SOFT DELETE'");
        assert_eq!(
            db.value(&format!("SELECT count(*) FILTER (WHERE deleted_at IS NULL) FROM dbguard.audit_as_of(NULL::p, '{between}')")),
            "98"
        );
        assert_eq!(db.value(&format!("SELECT deleted_at IS NULL FROM dbguard.audit_as_of(NULL::p, '{between}'::timestamptz - interval '1 us', '2')")), "t");
        db.exec("SELECT dbguard.audit_seal()");
        assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE problem IS NOT NULL"), "0");
    }
}

#[test]
fn taken_back_by_a_revert() {
    for bulk in ["rows", "pack"] {
        let mut db = db(bulk);
        db.exec("BEGIN; DELETE FROM p WHERE id = 2; UPDATE p SET v = 'w' WHERE id = 3; COMMIT");
        let xact = db.value("SELECT max(xact::text::int8) FROM dbguard.audit_log");
        db.exec(&format!("SELECT dbguard.audit_revert(xact => '{xact}')"));
        assert_eq!(db.value("SELECT count(*) FROM p WHERE deleted_at IS NOT NULL OR v = 'w'"), "0");
        assert_eq!(db.value("SELECT count(*) FROM c WHERE deleted_at IS NOT NULL"), "0", "{bulk}");
    }
}

#[test]
fn what_changes_beside_it_and_other_columns() {
    let mut db = db("rows");
    db.exec(
        "UPDATE p SET v = 'x', deleted_at = now() WHERE id = 10; UPDATE p SET deleted_at = '2020-01-01' WHERE id = 10; UPDATE p SET id = 1000, deleted_at = NULL WHERE id = 10;
         SELECT dbguard.soft_delete_disable('p'); UPDATE p SET deleted_at = now() WHERE id = 5; DELETE FROM p WHERE id = 6",
    );
    assert_eq!(
        db.lines("SELECT op, key, old_key FROM dbguard.audit_log WHERE table_name = 'p' AND op <> 'INSERT' ORDER BY id"),
        ["SOFT DELETE | 10 | <null>", "UPDATE | 10 | <null>", "RESTORE | 1000 | 10", "UPDATE | 5 | <null>", "DELETE | 6 | <null>"]
    );
    assert_eq!(
        db.lines("SELECT op FROM dbguard.audit_history('p', '1000')"),
        ["INSERT", "SOFT DELETE", "UPDATE", "RESTORE"]
    );
}
