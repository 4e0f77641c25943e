//! The bounds of a pack say which keys are looked for in it: they are in no digest, and wrong ones
//! would hide its changes, so they are checked against what is in it.

use super::seal;
use dbguard_tests::Db;

const PROBLEMS: &str = "SELECT seal, state, problem, id, \"table\" FROM dbguard.audit_verify()
    WHERE state NOT IN ('ok', 'unsealed') AND problem NOT LIKE '%guarded%' ORDER BY id";

/// A pack of a table with keys, one of a table without, both sealed; and the guard switched off.
fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE n (v text);
         SELECT dbguard.audit_enable('t', bulk => 'pack'), dbguard.audit_enable('n', bulk => 'pack');
         INSERT INTO t SELECT i, 'é' || i FROM generate_series(5, 304) i;
         UPDATE t SET id = id + 1000;
         INSERT INTO n SELECT i FROM generate_series(1, 100) i",
    );
    seal(&mut db);
    assert_eq!(
        db.lines("SELECT changes, lowest_key, highest_key FROM dbguard.audit_pack ORDER BY id"),
        ["300 | b5 | d304", "300 | b5 | e1304", "100 | <null> | <null>"]
    );
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    db.unguard();
    db
}

#[test]
fn wrong_bounds_are_found() {
    let mut db = db();
    let packs = db.rows("SELECT id, relation::text FROM dbguard.audit_pack ORDER BY id");
    for (pack, name, change) in [
        (0, "t", "lowest_key = 'zzz', highest_key = 'zzz'"),
        (0, "t", "lowest_key = NULL"),
        (0, "t", "highest_key = NULL"),
        (0, "t", "lowest_key = 'b6'"),
        (1, "t", "highest_key = 'd304'"),
        // wider ones hide nothing, but somebody wrote them
        (1, "t", "lowest_key = ''"),
        (2, "n", "lowest_key = '', highest_key = 'z'"),
    ] {
        let id = &packs[pack][0];
        db.exec(&format!("BEGIN; UPDATE dbguard.audit_pack SET {change} WHERE id = {id}"));
        assert_eq!(
            db.lines(PROBLEMS),
            [format!("1 | problem | pack has wrong bounds | {id} | public.{name}")],
            "{change}"
        );
        assert_eq!(
            db.value("SELECT state FROM dbguard.audit_verify() WHERE seal = 1 AND state <> 'problem'"),
            "broken"
        );
        db.exec("ROLLBACK");
    }
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    // of one that cannot be read that is all there is to say
    db.exec(&format!("UPDATE dbguard.audit_pack SET data = set_byte(data, 50, 255 - get_byte(data, 50)), lowest_key = 'zzz' WHERE id = {}", packs[0][0]));
    assert_eq!(
        db.lines(&format!("SELECT problem FROM ({PROBLEMS}) p")),
        ["pack is damaged, its 300 changes cannot be read"]
    );
}

#[test]
fn redaction_keeps_them() {
    let mut db = db();
    db.exec("SELECT dbguard.audit_redact('t', '1007', '{v}', 'asked for')");
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
}
