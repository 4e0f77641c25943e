//! Who may delete, softly and really; and what an attacker puts in the way.

use dbguard_tests::Db;

#[test]
fn the_right_to_delete_is_enough() {
    let mut db = Db::new();
    let mut clerk = db.connect_as("soft_clerk");
    db.exec(
        "CREATE TABLE p (id int PRIMARY KEY, who text, deleted_at timestamptz);
         CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz);
         INSERT INTO p VALUES (1, 'soft_clerk'), (2, 'x'); INSERT INTO c VALUES (1), (2);
         SELECT dbguard.soft_delete_enable('c'), dbguard.soft_delete_enable('p', children => 'follow');
         GRANT SELECT (id), DELETE ON p TO soft_clerk;
         ALTER TABLE p ENABLE ROW LEVEL SECURITY;
         CREATE POLICY live ON p FOR SELECT USING (deleted_at IS NULL); CREATE POLICY own ON p FOR DELETE USING (who = current_user);
         CREATE TABLE seen (who text); GRANT INSERT ON seen TO PUBLIC;
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (current_user); RETURN NULL; END';
         CREATE TRIGGER see AFTER UPDATE ON p FOR EACH ROW EXECUTE FUNCTION see()",
    );
    // the row is hidden from him once it is deleted: a plain UPDATE would be refused for that
    assert_eq!(clerk.client().execute("DELETE FROM p", &[]).unwrap(), 1);
    assert_eq!(db.lines("SELECT id FROM p WHERE deleted_at IS NOT NULL"), ["1"]);
    assert_eq!(db.lines("SELECT p FROM c WHERE deleted_at IS NOT NULL"), ["1"]);
    // his triggers still know who he is
    assert_eq!(db.lines("SELECT who FROM seen"), ["soft_clerk"]);
    assert_eq!(clerk.error("UPDATE p SET deleted_at = NULL").code, "42501");
    // not his to delete really
    let e = clerk.error("SET dbguard.hard_delete = on; DELETE FROM p");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("42501", "must be owner of table p"));
    db.exec("REVOKE DELETE ON p FROM soft_clerk");
    assert_eq!(
        clerk.error("RESET dbguard.hard_delete; DELETE FROM p").message,
        "permission denied for table p"
    );
    db.exec("DROP OWNED BY soft_clerk");
}

/// The children follow with the rights of their owner, in the caller's path: as a foreign key does it.
#[test]
fn a_hostile_path_and_a_child_of_somebody_else() {
    let mut db = Db::new();
    let mut mallory = db.connect_as("soft_mallory");
    db.exec("CREATE SCHEMA m AUTHORIZATION soft_mallory; CREATE TABLE p (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO p VALUES (1), (2); GRANT REFERENCES, SELECT ON p TO soft_mallory");
    mallory.exec(
        "CREATE TABLE m.seen (who text); CREATE TABLE m.c (p int REFERENCES p ON DELETE CASCADE, deleted_at timestamptz); INSERT INTO m.c VALUES (1), (2);
         SELECT dbguard.soft_delete_enable('m.c');
         CREATE FUNCTION m.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO m.seen VALUES (current_user);
           BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN INSERT INTO m.seen VALUES (SQLERRM); END;
           PERFORM set_config('dbguard.hard_delete', 'on', false); RETURN new; END $$;
         CREATE TRIGGER f BEFORE UPDATE ON m.c FOR EACH ROW EXECUTE FUNCTION m.f();
         CREATE FUNCTION m.eq(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES ('operator ' || current_user); RETURN true; END $$;
         CREATE OPERATOR m.= (LEFTARG = int, RIGHTARG = int, FUNCTION = m.eq);
         CREATE FUNCTION m.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN INSERT INTO m.seen VALUES ('now ' || current_user); RETURN '2000-01-01'; END $$;
         CREATE TABLE m.pg_constraint (a int); CREATE TABLE m.pg_class (a int)",
    );
    db.exec(
        "SET search_path = m, pg_catalog, public; SELECT dbguard.soft_delete_enable('public.p', children => 'follow', live_view => 'live');
         DELETE FROM public.p WHERE id OPERATOR(pg_catalog.=) 1",
    );
    db.exec(
        "DELETE FROM public.live WHERE id OPERATOR(pg_catalog.=) 2;
         SELECT dbguard.soft_delete_status(), dbguard.soft_delete_plan('public.p');
         SELECT dbguard.soft_delete_restore('public.p', '2')",
    );
    db.exec("CALL dbguard.soft_delete_purge('public.p', '0')");
    assert_eq!(db.value("SELECT pg_catalog.current_setting('dbguard.hard_delete')"), "off");
    assert_eq!(
        db.lines("SELECT DISTINCT who FROM m.seen ORDER BY who"),
        ["cannot set parameter \"role\" within security-definer function", "soft_mallory"]
    );
    assert_eq!(db.lines("SELECT id, deleted_at IS NULL FROM public.p"), ["2 | t"]);
    db.exec("RESET search_path; DROP SCHEMA m CASCADE; DROP OWNED BY soft_mallory; DROP ROLE soft_mallory");
}
