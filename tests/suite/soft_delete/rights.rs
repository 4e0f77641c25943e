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

/// Nobody chooses for another that his rows go for good.
#[test]
fn the_setting_of_somebody_else() {
    let mut db = Db::new();
    let (mut alice, mut bob) = (db.connect_as("soft_alice"), db.connect_as("soft_bob"));
    db.exec("CREATE SCHEMA a AUTHORIZATION soft_alice; CREATE SCHEMA b AUTHORIZATION soft_bob; GRANT USAGE ON SCHEMA a TO soft_bob");
    alice.exec(
        "CREATE TABLE a.t (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO a.t VALUES (1), (2), (3), (4);
         CREATE FUNCTION a.del(i int) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM a.t WHERE id = i'; GRANT REFERENCES, SELECT ON a.t TO soft_bob",
    );
    bob.exec(
        "CREATE TABLE b.c (t int REFERENCES a.t ON DELETE CASCADE, deleted_at timestamptz); CREATE TABLE b.more (t int, deleted_at timestamptz);
         INSERT INTO b.c VALUES (2), (3), (4); INSERT INTO b.more VALUES (2), (3), (4);
         CREATE FUNCTION b.also() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM b.more WHERE t = OLD.t; RETURN COALESCE(NEW, OLD); END';
         CREATE TRIGGER also BEFORE UPDATE OR DELETE ON b.c FOR EACH ROW EXECUTE FUNCTION b.also();
         SELECT dbguard.soft_delete_enable('b.c'), dbguard.soft_delete_enable('b.more')",
    );
    alice.exec("SELECT dbguard.soft_delete_enable('a.t', children => 'follow')");
    // by a function of hers
    assert_eq!(bob.error("SET dbguard.hard_delete = on; SELECT a.del(1)").code, "42501");
    bob.exec("RESET dbguard.hard_delete; SELECT a.del(1)");
    assert_eq!(db.value("SELECT count(*) FROM a.t WHERE deleted_at IS NOT NULL"), "1");
    // by his own triggers, when she deletes, softly and really: his row that refers has to go, the others have not
    alice.exec("SET dbguard.hard_delete = on; UPDATE a.t SET deleted_at = now() WHERE id = 2; DELETE FROM a.t WHERE id = 3");
    assert_eq!(db.lines("SELECT t, deleted_at IS NULL FROM b.c ORDER BY t"), ["2 | f", "4 | t"]);
    assert_eq!(db.lines("SELECT t, deleted_at IS NULL FROM b.more ORDER BY t"), ["2 | f", "3 | f", "4 | t"]);
    // what is live is not to go along
    let e = alice.error("SET dbguard.hard_delete = deleted; UPDATE a.t SET deleted_at = now() WHERE id = 4; UPDATE b.c SET deleted_at = NULL");
    assert_eq!(e.code, "42501");
    db.exec("SET session_replication_role = replica; UPDATE a.t SET deleted_at = now() WHERE id = 4; RESET session_replication_role");
    assert_eq!(alice.error("SET dbguard.hard_delete = deleted; DELETE FROM a.t WHERE id = 4").code, "55000");
    db.exec("DROP OWNED BY soft_alice, soft_bob CASCADE");
}

#[test]
fn a_superuser_is_told_how_to_restore_past_a_deferred_trigger() {
    let mut db = Db::new();
    let mut owner = db.connect_as("soft_deferring");
    db.exec("CREATE SCHEMA d AUTHORIZATION soft_deferring");
    owner.exec(
        "CREATE TABLE d.t (id int PRIMARY KEY, deleted_at timestamptz); INSERT INTO d.t VALUES (1);
         CREATE FUNCTION d.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER f AFTER UPDATE ON d.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION d.f();
         SELECT dbguard.soft_delete_enable('d.t'); DELETE FROM d.t",
    );
    assert!(db
        .error("SELECT dbguard.soft_delete_restore('d.t', '1')")
        .hint
        .contains("SET ROLE to the owner"));
    db.exec("SET ROLE soft_deferring; SELECT dbguard.soft_delete_restore('d.t', '1')");
    assert_eq!(db.value("SELECT deleted_at IS NULL FROM d.t"), "t");
    db.exec("RESET ROLE; DROP OWNED BY soft_deferring CASCADE");
}
