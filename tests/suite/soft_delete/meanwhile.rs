//! Two sessions at once.

use dbguard_tests::Db;

fn while_it_waits(db: &mut Db, holder: Db, sql: &str, release: &str) -> Result<u64, String> {
    db.while_it_waits(holder, sql, release).map_err(|e| e.code)
}

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, v int DEFAULT 0, deleted_at timestamptz);
         CREATE TABLE c (p int REFERENCES p, deleted_at timestamptz); INSERT INTO p VALUES (1), (2);
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow')",
    );
    db
}

#[test]
fn both_delete_one_row() {
    for (release, counted) in [("COMMIT", 0), ("ROLLBACK", 1)] {
        let mut db = db();
        let mut holder = db.connect();
        holder.exec("BEGIN; DELETE FROM p WHERE id = 1");
        assert_eq!(while_it_waits(&mut db, holder, "DELETE FROM p WHERE id = 1", release), Ok(counted));
        assert_eq!(db.value("SELECT count(*) FROM p WHERE deleted_at IS NOT NULL"), "1");
    }
}

#[test]
fn the_row_changes_meanwhile() {
    let mut db = db();
    let mut holder = db.connect();
    holder.exec("BEGIN; UPDATE p SET v = 7 WHERE id = 1");
    assert_eq!(while_it_waits(&mut db, holder, "DELETE FROM p WHERE id = 1", "COMMIT"), Ok(1));
    assert_eq!(db.value("SELECT v FROM p WHERE deleted_at IS NOT NULL"), "7");
    // no longer what was to be deleted
    let mut holder = db.connect();
    holder.exec("BEGIN; UPDATE p SET v = 8 WHERE id = 2");
    assert_eq!(while_it_waits(&mut db, holder, "DELETE FROM p WHERE v = 0", "COMMIT"), Ok(0));
    assert_eq!(db.value("SELECT count(*) FROM p WHERE deleted_at IS NULL"), "1");
}

#[test]
fn repeatable_read_is_told() {
    let mut db = db();
    let mut other = db.connect();
    other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM p");
    db.exec("UPDATE p SET v = 1 WHERE id = 1");
    assert_eq!(other.error("DELETE FROM p WHERE id = 1").code, "40001");
}

/// A child that is being inserted keeps its parent from being deleted.
#[test]
fn a_child_is_born_meanwhile() {
    for (release, told) in [("COMMIT", Err("23503".to_owned())), ("ROLLBACK", Ok(1))] {
        let mut db = db();
        let mut holder = db.connect();
        holder.exec("BEGIN; INSERT INTO c VALUES (1)");
        assert_eq!(while_it_waits(&mut db, holder, "DELETE FROM p WHERE id = 1", release), told);
    }
}

/// A foreign key made in another session counts at once, also in one that has deleted before.
#[test]
fn a_foreign_key_is_made_meanwhile() {
    let mut db = db();
    let mut other = db.connect();
    other.exec("DELETE FROM p WHERE id = 1");
    db.exec("CREATE TABLE late (p int REFERENCES p ON DELETE RESTRICT); INSERT INTO late VALUES (2)");
    assert_eq!(other.error("DELETE FROM p WHERE id = 2").code, "23503");
    // under an old snapshot, too
    db.exec("DROP TABLE late");
    other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    db.exec("CREATE TABLE late (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz); SELECT dbguard.soft_delete_enable('late')");
    other.exec("DELETE FROM p WHERE id = 2; INSERT INTO p VALUES (3); COMMIT");
    db.exec("INSERT INTO late VALUES (3)");
    other.exec("DELETE FROM p WHERE id = 3");
    assert_eq!(db.value("SELECT deleted_at IS NOT NULL FROM late"), "t");
}

/// A row that somebody holds is left to the next run.
#[test]
fn purge_waits_for_nobody() {
    let mut db = db();
    db.exec("DELETE FROM p");
    let mut holder = db.connect();
    holder.exec("BEGIN; SELECT FROM p WHERE id = 1 FOR UPDATE");
    db.exec("CALL dbguard.soft_delete_purge('p', '0')");
    assert_eq!(db.value("SELECT string_agg(id::text, ',') FROM p"), "1");
    holder.exec("COMMIT");
    db.exec("CALL dbguard.soft_delete_purge('p', '0')");
    assert_eq!(db.value("SELECT count(*) FROM p"), "0");
}

/// A child that comes back while its parent is being purged keeps both.
#[test]
fn a_child_comes_back_meanwhile() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz); CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz);
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow');
         INSERT INTO p VALUES (1, '2020-01-01'); INSERT INTO c VALUES (1, '2020-01-01')",
    );
    let mut holder = db.connect();
    holder.exec("BEGIN; UPDATE c SET deleted_at = NULL");
    let purge = "CALL dbguard.soft_delete_purge('p', '1 day')";
    assert_eq!(while_it_waits(&mut db, holder, purge, "COMMIT"), Err("55000".to_owned()));
    assert_eq!(
        db.value("SELECT (SELECT count(*) FROM p) + (SELECT count(*) FROM c WHERE deleted_at IS NULL)"),
        "2"
    );
}

/// Nor can one be inserted while an UPDATE of the column deletes its parent.
#[test]
fn a_child_is_born_while_an_update_deletes() {
    for on_delete in ["NO ACTION", "CASCADE"] {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz); CREATE TABLE c (p int REFERENCES p ON DELETE {on_delete}, deleted_at timestamptz);
             INSERT INTO p VALUES (1), (2); SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow')"
        ));
        let mut holder = db.connect();
        holder.exec("BEGIN; INSERT INTO c VALUES (1)");
        let told = while_it_waits(&mut db, holder, "UPDATE p SET deleted_at = now() WHERE id = 1", "COMMIT");
        let expected = if on_delete == "CASCADE" { Ok(1) } else { Err("23503".to_owned()) };
        assert_eq!(told, expected, "{on_delete}");
        let orphans = "SELECT count(*) FROM p JOIN c ON c.p = p.id WHERE p.deleted_at IS NOT NULL AND c.deleted_at IS NULL";
        assert_eq!(db.value(orphans), "0", "{on_delete}");
        // the other way round: who inserts waits, and finds the row deleted, but there
        let mut holder = db.connect();
        holder.exec("BEGIN; UPDATE p SET deleted_at = now() WHERE id = 2");
        assert_eq!(while_it_waits(&mut db, holder, "INSERT INTO c VALUES (2)", "COMMIT"), Ok(1));
    }
}

/// A child that an old snapshot does not see is not left behind.
#[test]
fn a_child_that_is_not_seen() {
    for (on_delete, code) in [("NO ACTION", "23503"), ("CASCADE", "40001")] {
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let mut db = Db::new();
            db.exec(&format!(
                "CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz); CREATE TABLE c (p int REFERENCES p ON DELETE {on_delete}, deleted_at timestamptz);
                 INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (2); SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow')"
            ));
            let mut other = db.connect();
            other.exec(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM c"));
            db.exec("INSERT INTO c VALUES (1)");
            assert_eq!(other.error("DELETE FROM p WHERE id = 1").code, code, "{level}");
            if on_delete == "CASCADE" {
                other.exec(&format!("ROLLBACK; BEGIN ISOLATION LEVEL {level}; DELETE FROM p; COMMIT"));
                assert_eq!(db.value("SELECT count(*) FROM c WHERE deleted_at IS NOT NULL"), "2", "{level}");
            }
        }
    }
}
