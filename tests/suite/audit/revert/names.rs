//! An error of the server comes through with the names that programs read.

use super::revert;
use dbguard_tests::Db;

/// What PL/pgSQL is told of the error of a statement: constraint, table, schema, column and data type.
fn told(db: &mut Db, statement: &str) -> Vec<String> {
    db.exec(&format!(
        "CREATE TEMP TABLE IF NOT EXISTS told (code text, con text, tab text, sch text, col text, typ text); TRUNCATE told;
         DO $do$ DECLARE r told; BEGIN
           {statement};
         EXCEPTION WHEN OTHERS THEN
           GET STACKED DIAGNOSTICS r.code = RETURNED_SQLSTATE, r.con = CONSTRAINT_NAME, r.tab = TABLE_NAME, r.sch = SCHEMA_NAME,
             r.col = COLUMN_NAME, r.typ = PG_DATATYPE_NAME;
           INSERT INTO told SELECT r.*;
         END $do$"
    ));
    db.lines("TABLE told")
}

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id int PRIMARY KEY, v text, w int);
         SELECT dbguard.audit_enable('shop.t');
         INSERT INTO shop.t VALUES (1, 'old', NULL); UPDATE shop.t SET v = 'new', w = 1",
    );
    db
}

const UNDO: &str =
    "PERFORM dbguard.audit_revert(relation => 'shop.t', since => (SELECT max(at) FROM dbguard.audit_log))";

#[test]
fn of_a_constraint() {
    let mut db = db();
    db.exec("ALTER TABLE shop.t ADD CONSTRAINT not_old CHECK (v <> 'old')");
    assert_eq!(told(&mut db, UNDO), ["23514 | not_old | t | shop |  | "]);
    let e = db.client().simple_query(&UNDO.replace("PERFORM", "SELECT")).unwrap_err();
    let e = e.as_db_error().unwrap();
    assert_eq!((e.constraint(), e.table(), e.schema()), (Some("not_old"), Some("t"), Some("shop")));
    assert_eq!(db.lines("TABLE shop.t"), ["1 | new | 1"]);
}

#[test]
fn of_a_column_and_of_a_type() {
    let mut db = db();
    db.exec("ALTER TABLE shop.t ALTER w SET NOT NULL");
    assert_eq!(told(&mut db, UNDO), ["23502 |  | t | shop | w | "]);
    let raise =
        "RAISE EXCEPTION USING MESSAGE = 'no', DATATYPE = 'kind', CONSTRAINT = 'of_ours', COLUMN = 'v';";
    db.exec(&format!(
        "ALTER TABLE shop.t ALTER w DROP NOT NULL;
         CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {raise} END $$;
         CREATE TRIGGER no BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION no()"
    ));
    assert_eq!(told(&mut db, UNDO), ["P0001 | of_ours |  |  | v | kind"]);
}

/// Where neither order is possible, the error is that of the first, with what came of the second.
#[test]
fn of_an_error_with_more_to_say() {
    let mut db = db();
    db.exec(
        "CREATE UNIQUE INDEX one_v ON shop.t (v); INSERT INTO shop.t VALUES (2, 'other'); UPDATE shop.t SET v = 'old' WHERE id = 2",
    );
    let undo = "PERFORM dbguard.audit_revert(relation => 'shop.t', key => '1', since =>
         (SELECT max(at) FROM dbguard.audit_log WHERE key = '1'))";
    assert_eq!(told(&mut db, undo), ["23505 | one_v | t | shop |  | "]);
}

/// An error has its own names, not those of one that was survived.
#[test]
fn of_no_other_error() {
    let mut db = db();
    db.exec(
        "ALTER TABLE shop.t ADD CONSTRAINT not_old CHECK (v <> 'old');
         CREATE FUNCTION survives() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           BEGIN INSERT INTO shop.t VALUES (NEW.id); EXCEPTION WHEN unique_violation THEN NULL; END;
           IF NEW.v = 'old' THEN RAISE 'no'; END IF;
           RETURN NEW; END $$;
         CREATE TRIGGER survives BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION survives()",
    );
    assert_eq!(told(&mut db, UNDO), ["P0001 |  |  |  |  | "]);
    assert_eq!(told(&mut db, "PERFORM dbguard.audit_revert()"), ["22023 |  |  |  |  | "]);
    assert_eq!(told(&mut db, "RAISE 'mine'"), ["P0001 |  |  |  |  | "]);
    // raised again by who caught it, after another
    db.exec(
        "CREATE OR REPLACE FUNCTION survives() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION USING MESSAGE = 'first', COLUMN = 'first';
         EXCEPTION WHEN OTHERS THEN
           BEGIN INSERT INTO shop.t VALUES (NEW.id); EXCEPTION WHEN unique_violation THEN NULL; END;
           RAISE; END $$",
    );
    assert_eq!(told(&mut db, UNDO), ["P0001 |  |  |  |  | "]);
    db.exec("DROP TRIGGER survives ON shop.t; ALTER TABLE shop.t DROP CONSTRAINT not_old");
    assert_eq!(revert(&mut db, "relation => 'shop.t', since => (SELECT max(at) FROM dbguard.audit_log)"), 1);
}
