//! Privileges that the statements of the cut-over need: told before anything is changed.

use dbguard_tests::Db;

/// Tables of three roles: the table's, the table's it refers to, and that of one that refers to it.
const TABLES: &str = "
    CREATE SCHEMA other; CREATE SCHEMA mine;
    GRANT USAGE, CREATE ON SCHEMA mine TO cr_owner, cr_line, cr_viewer; GRANT USAGE, CREATE ON SCHEMA other TO cr_owner, cr_line, cr_viewer;
    SET ROLE cr_line;
    CREATE TABLE other.customer (id int PRIMARY KEY);
    GRANT REFERENCES ON other.customer TO cr_owner;
    CREATE FUNCTION other.fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    SET ROLE cr_owner;
    CREATE TABLE mine.t (id int, at timestamptz, customer int CONSTRAINT of_customer REFERENCES other.customer, PRIMARY KEY (id, at));
    GRANT REFERENCES (id, at), SELECT ON mine.t TO cr_line; GRANT SELECT ON mine.t TO cr_viewer;
    CREATE TRIGGER fires AFTER INSERT ON mine.t FOR EACH ROW EXECUTE FUNCTION other.fires();
    SET ROLE cr_line;
    CREATE TABLE other.line (id int, at timestamptz, CONSTRAINT refers FOREIGN KEY (id, at) REFERENCES mine.t);
    SET ROLE cr_viewer;
    CREATE VIEW mine.v AS SELECT t.id FROM mine.t, other.customer c;
    RESET ROLE";

#[test]
fn each_missing_privilege_is_a_row_of_the_plan() {
    let mut db = Db::new();
    for role in ["cr_owner", "cr_line", "cr_viewer"] {
        db.connect_as(role);
    }
    db.exec("CREATE ROLE cr_between");
    db.exec(TABLES.replace("SELECT t.id FROM mine.t, other.customer c", "SELECT id FROM mine.t").as_str());
    let plan =
        "SELECT message FROM dbguard.partition_convert_plan('mine.t', 'at', '1 day') WHERE kind = 'blocked'";
    assert_eq!(db.lines(plan), Vec::<String>::new());
    db.exec(
        "DROP VIEW mine.v; GRANT SELECT ON other.customer TO cr_viewer; SET ROLE cr_viewer;
             CREATE VIEW mine.v AS SELECT t.id FROM mine.t, other.customer c; RESET ROLE",
    );
    assert_eq!(db.lines(plan), Vec::<String>::new());
    for (revoke, message) in [
        ("REVOKE REFERENCES ON other.customer FROM cr_owner", "the table's owner may not refer to other.customer any more, as foreign key \"of_customer\" does: GRANT REFERENCES ON other.customer TO cr_owner first"),
        ("REVOKE REFERENCES (at) ON mine.t FROM cr_line", "the owner of other.line may not refer to mine.t any more, as foreign key \"refers\" does: GRANT REFERENCES ON mine.t TO cr_line first"),
        ("REVOKE USAGE ON SCHEMA mine FROM cr_line", "the owner of other.line may not use schema mine any more, as foreign key \"refers\" does: GRANT USAGE ON SCHEMA mine TO cr_line first"),
        ("REVOKE USAGE ON SCHEMA other FROM cr_owner", "the table's owner may not use schema other any more, as foreign key \"of_customer\" does: GRANT USAGE ON SCHEMA other TO cr_owner first"),
        ("REVOKE USAGE ON SCHEMA other FROM cr_owner", "the table's owner may not use schema other any more, as trigger \"fires\" does: GRANT USAGE ON SCHEMA other TO cr_owner first"),
        ("REVOKE USAGE ON SCHEMA other FROM cr_viewer", "the owner of view mine.v may not use schema other any more: GRANT USAGE ON SCHEMA other TO cr_viewer first"),
        ("GRANT SELECT ON mine.t TO cr_between WITH GRANT OPTION; SET ROLE cr_between; GRANT SELECT ON mine.t TO PUBLIC; RESET ROLE", "privileges on the table were granted by cr_between"),
    ] {
        db.exec(&format!("BEGIN; GRANT USAGE ON SCHEMA mine TO cr_between; {revoke}"));
        let blocked = db.lines(plan);
        assert!(blocked.iter().any(|line| line.starts_with(message)), "{revoke}: {blocked:#?}");
        db.exec("ROLLBACK");
    }
    // a policy that reads what the owner may not name any more
    db.exec("BEGIN; CREATE POLICY p ON mine.t USING (id IN (SELECT c.id FROM other.customer c)); REVOKE USAGE ON SCHEMA other FROM cr_owner");
    let blocked = db.lines(plan);
    assert!(
        blocked.iter().any(|line| line.contains("cannot be made: permission denied for schema other")),
        "{blocked:#?}"
    );
    db.exec("ROLLBACK");
    db.exec("CALL dbguard.partition_convert('mine.t', 'at', '1 day')");
    db.exec("REVOKE REFERENCES ON mine.t FROM cr_line; REVOKE REFERENCES (id, at) ON mine.t FROM cr_line");
    let e = db.error("CALL dbguard.partition_unconvert('mine.t')");
    assert!(e.code == "55000" && e.message.contains("may not refer to mine.t any more"), "{e:?}");
    db.exec("GRANT REFERENCES ON mine.t TO cr_line");
    db.exec("CALL dbguard.partition_unconvert('mine.t')");
    db.exec("DROP OWNED BY cr_between; DROP ROLE cr_between");
}
