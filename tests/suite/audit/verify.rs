//! Each way to tamper with the log is found, and told for what it is.

use super::packs::put_pack;
use super::seal;
use dbguard_tests::Db;

/// Everything that is not well.
const PROBLEMS: &str = "SELECT seal, problem, id, \"table\", key FROM dbguard.audit_verify() WHERE state IN ('problem', 'broken') ORDER BY seal NULLS LAST, id NULLS LAST, problem";

/// Two seals, by two actors, and the guard switched off.
pub fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t');
         SET dbguard.actor = 'u-1'; INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    );
    assert_eq!(seal(&mut db), ["1 | 3"]);
    db.exec("SET dbguard.actor = 'u-2'; UPDATE t SET v = 'd' WHERE id = 2; DELETE FROM t WHERE id = 3");
    assert_eq!(seal(&mut db), ["2 | 2"]);
    db.exec("INSERT INTO t VALUES (4, 'unsealed')");
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    db.unguard();
    db
}

/// The problems but for the guard, which is off, with the id of the row `key` for `#key`.
#[track_caller]
fn found(db: &mut Db) -> Vec<String> {
    let ids = db.rows("SELECT id, key || '/' || left(op, 1) FROM original");
    let mut lines = db.lines(PROBLEMS);
    lines.retain(|line| !line.contains("is not guarded"));
    let name = |word: &str| {
        let id = word.parse::<i64>().ok().map(|_| word.to_owned());
        let known = id.and_then(|id| ids.iter().find(|row| row[0] == id).map(|row| row[1].clone()));
        known.unwrap_or_else(|| word.to_owned())
    };
    lines.iter().map(|line| line.split(' ').map(name).collect::<Vec<_>>().join(" ")).collect()
}

#[track_caller]
fn tamper(db: &mut Db, statement: &str, expected: &[&str]) {
    db.exec(
        "DROP TABLE IF EXISTS original; CREATE TABLE original AS SELECT id, key, op FROM dbguard.audit_log",
    );
    db.exec(&format!("BEGIN; {statement}"));
    assert_eq!(found(db), expected, "{statement}");
    db.exec("ROLLBACK");
    assert_eq!(found(db), Vec::<String>::new());
}

const ID: &str = "(SELECT id FROM original WHERE key = '2' AND op = 'INSERT')";

#[test]
fn records() {
    let mut db = db();
    let broken = "1 | <null> | <null> | <null> | <null>";
    for change in [
        "new = new || '{\"v\": \"x\"}'",
        "op = 'D'",
        "tenant = ''",
        "old = '{}'",
        "old_key = '2'",
        "new = NULL",
        "context = context + 1",
        "at = at + interval '1 microsecond'",
    ] {
        tamper(
            &mut db,
            &format!("UPDATE dbguard.audit_change SET {change} WHERE id = {ID}"),
            &["1 | change was changed | 2/I | public.t | 2", broken],
        );
    }
    tamper(
        &mut db,
        &format!("UPDATE dbguard.audit_change SET key = '7' WHERE id = {ID}"),
        &["1 | change was changed | 2/I | public.t | 7", broken],
    );
    tamper(
        &mut db,
        &format!("DELETE FROM dbguard.audit_change WHERE id = {ID}"),
        &["1 | change was removed | 2/I | <null> | <null>", broken],
    );
    tamper(
        &mut db,
        &format!("INSERT INTO dbguard.audit_change SELECT 1, at, xact, context, relation, op, tenant, key, old_key, old, new FROM dbguard.audit_change WHERE id = {ID}"),
        &["1 | change was inserted | 1 | public.t | 2", broken],
    );
    // a second one with an id that is there
    tamper(
        &mut db,
        &format!("INSERT INTO dbguard.audit_change SELECT id, at, xact, context, relation, op, tenant, 'forged', old_key, old, new FROM dbguard.audit_change WHERE id = {ID}"),
        &["1 | change was inserted | 2/I | public.t | forged", broken],
    );
    tamper(
        &mut db,
        "UPDATE dbguard.audit_change c SET id = o.id FROM original o WHERE c.op = 'I' AND o.op = 'INSERT' AND (c.key, o.key) IN (('1', '2'), ('2', '1'))",
        &["1 | change was sealed under id 2/I | 1/I | public.t | 2", "1 | change was sealed under id 1/I | 2/I | public.t | 1", broken],
    );
    tamper(
        &mut db,
        &format!("UPDATE dbguard.audit_change SET id = 2 WHERE id = {ID}"),
        &["1 | change was sealed under id 2/I | 2 | public.t | 2", broken],
    );
    // moved into another seal's transactions
    tamper(
        &mut db,
        &format!("UPDATE dbguard.audit_change SET xact = (SELECT max(xact::text::bigint)::text::xid8 FROM dbguard.audit_change WHERE op = 'D') WHERE id = {ID}"),
        &["1 | change was removed | 2/I | <null> | <null>", broken, "2 | change was inserted | 2/I | public.t | 2", "2 | change was put among older ones | 2/I | public.t | 2", "2 | <null> | <null> | <null> | <null>"],
    );
    // what is not sealed is not protected
    tamper(&mut db, "DELETE FROM dbguard.audit_change WHERE key = '4'", &[]);
    tamper(&mut db, "UPDATE dbguard.audit_change SET key = key", &[]);
}

#[test]
fn who_and_which_table() {
    let mut db = db();
    let context = db.value("SELECT id FROM dbguard.audit_context WHERE actor = 'u-1'");
    for (change, actor) in [
        ("actor = 'u-9'", "u-9"),
        ("current_user_name = 'x'", "u-1"),
        ("context = '1'", "u-1"),
        ("client_addr = '10.0.0.1'", "u-1"),
    ] {
        tamper(
            &mut db,
            &format!("UPDATE dbguard.audit_context SET {change} WHERE id = {context}"),
            &[
                &format!("1 | context was changed | {context} | <null> | {actor}"),
                "1 | <null> | <null> | <null> | <null>",
            ],
        );
    }
    tamper(
        &mut db,
        &format!("DELETE FROM dbguard.audit_context WHERE id = {context}"),
        &[
            &format!("1 | context was removed | {context} | <null> | <null>"),
            "1 | <null> | <null> | <null> | <null>",
        ],
    );
    // told once, though both seals have it
    for (change, name) in [
        ("table_name = 'other'", "public.other"),
        ("key_columns = '{v}'", "public.t"),
        ("lineage = 7", "public.t"),
        ("column_numbers = '{\"id\": 2, \"v\": 1}'", "public.t"),
        ("column_numbers = NULL", "public.t"),
        ("starts = NOT starts", "public.t"),
    ] {
        tamper(
            &mut db,
            &format!("UPDATE dbguard.audit_relation SET {change}"),
            &[
                &format!("1 | table's entry was changed | 1 | {name} | <null>"),
                "1 | <null> | <null> | <null> | <null>",
            ],
        );
    }
    tamper(
        &mut db,
        "DELETE FROM dbguard.audit_relation",
        &["1 | table's entry was removed | 1 | <null> | <null>", "1 | <null> | <null> | <null> | <null>"],
    );
    // moved to another home its changes are still looked for
    tamper(
        &mut db,
        "UPDATE dbguard.audit_relation SET home = '1/2/3'",
        &["1 | table's entry was changed | 1 | public.t | <null>", "1 | <null> | <null> | <null> | <null>"],
    );
}

#[test]
fn seals_and_their_digests() {
    let mut db = db();
    let broken = "1 | <null> | <null> | <null> | <null>";
    for change in ["changes = 4", "sealed_at = now()", "home = home || '0'", "closed = true"] {
        let expected =
            db.lines(&format!("BEGIN; UPDATE dbguard.audit_seal SET {change} WHERE number = 1; {PROBLEMS}"));
        assert!(
            expected.contains(&"1 | seal was changed | <null> | <null> | <null>".to_owned()),
            "{expected:?}"
        );
        db.exec("ROLLBACK");
    }
    tamper(
        &mut db,
        "UPDATE dbguard.audit_seal SET hash = sha256(hash) WHERE number = 1",
        &[
            "1 | seal was changed | <null> | <null> | <null>",
            broken,
            "2 | seal does not follow the one before it | <null> | <null> | <null>",
            "2 | <null> | <null> | <null> | <null>",
        ],
    );
    tamper(
        &mut db,
        "DELETE FROM dbguard.audit_seal WHERE number = 1",
        &["1 | seal is missing | <null> | <null> | <null>"],
    );
    // the last one, with its digests left behind
    tamper(
        &mut db,
        "DELETE FROM dbguard.audit_seal WHERE number = 2",
        &["2 | seal is missing | <null> | <null> | <null>"],
    );
    tamper(
        &mut db,
        "DELETE FROM dbguard.audit_seal",
        &["1 | seals 1 to 2 are missing | <null> | <null> | <null>"],
    );
    let found = db.lines(&format!("BEGIN; UPDATE dbguard.audit_seal_record SET data = set_byte(data, 12, 255 - get_byte(data, 12)) WHERE seal = 1 AND kind = 'C'; {PROBLEMS}"));
    assert!(
        found.contains(&"1 | digests of the seal were changed | <null> | <null> | <null>".to_owned()),
        "{found:?}"
    );
    assert!(found.iter().any(|line| line.contains("change was changed")), "{found:?}");
    db.exec("ROLLBACK; BEGIN; UPDATE dbguard.audit_seal_record SET data = substr(data, 1, 10) WHERE seal = 1 AND kind = 'C'");
    let found = db.lines(PROBLEMS);
    assert!(
        found.contains(
            &"1 | digests of the seal cannot be read (changes) | <null> | <null> | <null>".to_owned()
        ),
        "{found:?}"
    );
    db.exec("ROLLBACK; BEGIN; DELETE FROM dbguard.audit_seal_record WHERE seal = 1");
    let found = db.lines(PROBLEMS);
    assert!(
        found.contains(&"1 | digests of the seal were changed | <null> | <null> | <null>".to_owned()),
        "{found:?}"
    );
    assert_eq!(found.iter().filter(|line| line.contains("change was inserted")).count(), 3, "{found:?}");
    db.exec("ROLLBACK");
    // sealing goes on after a seal was taken away, and the hole stays
    db.exec("DELETE FROM dbguard.audit_seal WHERE number = 2");
    seal(&mut db);
    let found = db.lines(PROBLEMS);
    assert!(found.contains(&"2 | seal is missing | <null> | <null> | <null>".to_owned()), "{found:?}");
    assert_eq!(db.value("SELECT max(number) FROM dbguard.audit_seal"), "3");
}

#[test]
fn only_a_head_kept_outside_tells_of_a_chain_cut_or_made_anew() {
    let mut db = db();
    let head = db.value("SELECT dbguard.audit_seal_export()");
    let with_head = format!("SELECT seal, problem FROM dbguard.audit_verify(head => '{head}') WHERE state = 'problem' AND problem NOT LIKE '%guarded%'");
    assert_eq!(db.lines(&with_head), Vec::<String>::new());
    // the last seal and the changes in it are gone as if they had never been
    db.exec("CREATE TABLE original AS SELECT id, key, op FROM dbguard.audit_log");
    db.exec("BEGIN;
             DELETE FROM dbguard.audit_change WHERE op IN ('U', 'D');
             DELETE FROM dbguard.audit_seal WHERE number = 2; DELETE FROM dbguard.audit_seal_record WHERE seal = 2");
    assert_eq!(found(&mut db), Vec::<String>::new());
    assert_eq!(
        db.lines(&with_head),
        ["2 | seal of the given head is missing: the chain was cut or made anew"]
    );
    db.exec("ROLLBACK");
    // history rewritten and sealed anew
    db.exec("DELETE FROM dbguard.audit_change WHERE op = 'D'; DELETE FROM dbguard.audit_seal; DELETE FROM dbguard.audit_seal_record");
    seal(&mut db);
    db.exec("INSERT INTO t VALUES (5, 'x')");
    seal(&mut db);
    assert_eq!(found(&mut db), Vec::<String>::new());
    assert_eq!(db.lines(&with_head), ["2 | seal is not the one of the given head: the chain was made anew"]);
    for bad in ["{}", "{\"number\": \"2\", \"hash\": \"\"}", "[]", "null"] {
        let error = db.error(&format!("SELECT dbguard.audit_verify(head => '{bad}')"));
        assert_eq!(error.code, "22023", "{bad}");
        assert!(error.hint.contains("audit_seal_export"), "{error:?}");
    }
}

#[test]
fn packs() {
    let mut db = db();
    let records: Vec<(u8, String, String)> =
        (0..300).map(|i| (b'I', format!("p{i}"), format!("{{\"v\": \"value {i}\", \"id\": {i}}}"))).collect();
    let records: Vec<_> = records.iter().map(|(op, k, v)| (*op, k.as_str(), None, v.as_str())).collect();
    put_pack(&mut db, 500_000_000, &records);
    assert_eq!(
        db.value("SELECT new FROM dbguard.audit_log WHERE key = 'p7'"),
        r#"{"v": "value 7", "id": 7}"#
    );
    assert_eq!(db.value("SELECT changes FROM dbguard.audit_verify() WHERE state = 'unsealed'"), "301");
    assert_eq!(seal(&mut db), ["3 | 301"]);
    let flip = |at: &str| {
        format!("UPDATE dbguard.audit_pack SET data = set_byte(data, {at}, 255 - get_byte(data, {at}))")
    };
    for at in ["0", "3", "20", "length(data) - 1"] {
        tamper(
            &mut db,
            &flip(at),
            &[
                "3 | pack is damaged, its 300 changes cannot be read | 500000000 | public.t | <null>"
                    .replace("500000000", "p0/I")
                    .as_str(),
                "3 | <null> | <null> | <null> | <null>",
            ],
        );
    }
    // a pack that was put together again with another value in it
    let mut changed = records.clone();
    changed[7].3 = r#"{"v": "forged", "id": 7}"#;
    db.exec("BEGIN; DELETE FROM dbguard.audit_pack");
    put_pack(&mut db, 500_000_000, &changed);
    db.exec("UPDATE dbguard.audit_pack SET (at, xact, context) = (SELECT at, xact, context FROM dbguard.audit_change ORDER BY id DESC LIMIT 1)");
    assert_eq!(
        found(&mut db),
        ["3 | change was changed | p7/I | public.t | p7", "3 | <null> | <null> | <null> | <null>"]
    );
    db.exec("ROLLBACK");
    // packing never matters: the same changes one by one are the same
    tamper(
        &mut db,
        "INSERT INTO dbguard.audit_change SELECT id, at, xact, context, relation, op, tenant, key, old_key, old, new FROM dbguard.audit_record WHERE pack IS NOT NULL; DELETE FROM dbguard.audit_pack",
        &[],
    );
}

#[test]
fn what_was_dropped_with_its_partition_is_told_apart() {
    let mut db = db();
    let month = db.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')");
    db.exec(&format!("DROP TABLE dbguard.audit_change_p{month}, dbguard.audit_pack_p{month}, dbguard.audit_context_p{month}"));
    assert_eq!(
        db.lines("SELECT seal, state, changes, problem FROM dbguard.audit_verify() WHERE state <> 'problem'"),
        [
            "1 | dropped | 3 | 3 dropped with their partition",
            "2 | dropped | 2 | 2 dropped with their partition",
            "<null> | unsealed | 0 | <null>"
        ]
    );
    // their digests are of no use to anybody: their hashes are enough for the chain
    let bytes = "SELECT sum(pg_column_size(data)) FROM dbguard.audit_seal_record WHERE kind IN ('C', 'W')";
    assert_ne!(db.value(bytes), "<null>");
    let trim = "SELECT action, message FROM dbguard.audit_maintain";
    let told = ["trim | digests of 2 seals whose changes were dropped"];
    assert_eq!(db.lines(&format!("{trim}(true)")), told);
    assert_ne!(db.value(bytes), "<null>");
    assert_eq!(db.lines(&format!("{trim}()")), told);
    assert_eq!(db.value(bytes), "<null>");
    assert_eq!(db.lines(&format!("{trim}()")), Vec::<String>::new());
    assert_eq!(
        db.lines("SELECT seal, state, changes, problem FROM dbguard.audit_verify() WHERE state <> 'problem'"),
        [
            "1 | dropped | 3 | 3 dropped with their partition",
            "2 | dropped | 2 | 2 dropped with their partition",
            "<null> | unsealed | 0 | <null>"
        ]
    );
    // what is left of them still cannot be changed unnoticed
    for forgery in [
        "UPDATE dbguard.audit_seal_record SET hash = sha256('x') WHERE seal = 1 AND kind = 'C'",
        "DELETE FROM dbguard.audit_seal_record WHERE seal = 1 AND kind = 'C'",
        "UPDATE dbguard.audit_seal_record SET data = 'x' WHERE seal = 1 AND kind = 'C'",
    ] {
        db.exec("BEGIN");
        db.exec(forgery);
        assert_eq!(
            db.lines(
                "SELECT seal FROM dbguard.audit_verify() WHERE problem = 'digests of the seal were changed'"
            ),
            ["1"],
            "{forgery}"
        );
        db.exec("ROLLBACK");
    }
}

#[test]
fn digests_cannot_go_while_their_changes_should_be_there() {
    let mut db = db();
    tamper(
        &mut db,
        "UPDATE dbguard.audit_seal_record SET data = NULL WHERE seal = 2 AND kind = 'C';
         DELETE FROM dbguard.audit_change WHERE op IN ('U', 'D')",
        &[
            "2 | digests of the seal are missing | <null> | <null> | <null>",
            "2 | <null> | <null> | <null> | <null>",
        ],
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_maintain() WHERE action = 'trim'"), "0");
}
