//! What is not taken over and why, who may, and whose code runs.

use super::{database, hand_over, partitions, set, CONFIG};
use dbguard_tests::Db;

#[test]
fn without_pg_partman() {
    let mut db = Db::new();
    // a table of that name is not its configuration
    db.exec("CREATE SCHEMA partman; CREATE TABLE partman.part_config (parent_table text); CREATE TABLE t (at date) PARTITION BY RANGE (at)");
    for call in ["SELECT dbguard.partition_import_partman()", "SELECT dbguard.partition_import_partman('t')"]
    {
        let e = db.error(call);
        assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55000", false), "{e:?}");
    }
    assert_eq!(db.error("SELECT dbguard.partition_import_partman(dry_run => NULL)").code, "22004");
}

#[test]
fn each_set_stands_alone_and_a_single_one_raises() {
    let Some(mut db) = database() else { return };
    set(&mut db, "good", "timestamptz", "1 day", "none");
    set(&mut db, "numbers", "bigint", "1000", "none");
    set(&mut db, "small", "int", "1 day", "seconds");
    set(&mut db, "seconds", "timestamptz", "30 seconds", "none");
    set(&mut db, "undone", "timestamptz", "1 day", "none");
    set(&mut db, "years", "timestamptz", "1 day", "none");
    db.exec(
        "CREATE TABLE inherited (id bigint, at timestamptz NOT NULL);
         INSERT INTO partman.part_config (parent_table, control, partition_type, partition_interval)
           VALUES ('public.inherited', 'at', 'partman', '1 day'), ('public.gone', 'at', 'native', '1 day');
         UPDATE partman.part_config SET undo_in_progress = true WHERE parent_table = 'public.undone';
         UPDATE partman.part_config SET retention = '1 year', retention_schema = 'nowhere' WHERE parent_table = 'public.years';
         CREATE TABLE nested (id bigint, at timestamptz NOT NULL, day timestamptz NOT NULL) PARTITION BY RANGE (at)",
    );
    hand_over(&mut db, "public.nested", "1 year", "none");
    db.exec(
        "SELECT partman.create_sub_parent('public.nested', 'at', 'native', '1 month', p_native_check := 'yes', p_premake := 2);
         CREATE TABLE plain (at date) PARTITION BY RANGE (at)",
    );
    let before = db.lines(CONFIG);
    for (table, code, word) in [
        ("numbers", "0A000", "by number"),
        ("small", "0A000", "integer"),
        ("seconds", "22023", "whole minutes"),
        ("undone", "0A000", "taking the set apart"),
        ("years", "3F000", "nowhere"),
        ("inherited", "0A000", "triggers and inheritance"),
        ("nested", "0A000", "partitions its partitions"),
        ("plain", "55000", "not a set of pg_partman"),
    ] {
        for dry in ["true", "false"] {
            let e = db.error(&format!("SELECT dbguard.partition_import_partman('{table}', {dry})"));
            assert_eq!(e.code, code, "{table}: {e:?}");
            assert!(e.message.contains(word) && (table == "years" || !e.hint.is_empty()), "{table}: {e:?}");
        }
    }
    assert_eq!(db.lines(CONFIG), before);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    db.exec("DELETE FROM partman.part_config WHERE parent_table ~ 'nested_p' AND parent_table <> (SELECT min(parent_table) FROM partman.part_config WHERE parent_table ~ 'nested_p')");
    let rows =
        db.rows("SELECT table_name, state, message, parent_table FROM dbguard.partition_import_partman()");
    let found = |table: &str| rows.iter().find(|row| row[0].starts_with(table)).unwrap();
    assert_eq!(rows.len(), 10, "{rows:?}");
    for (table, state, word) in [
        ("good", "imported", "Every 1 day"),
        ("numbers", "blocked", "by number"),
        ("inherited", "blocked", "attach the children"),
        ("gone", "skipped", "no such table"),
        ("years", "blocked", "nowhere"),
        ("nested_p", "blocked", "by the same column"),
    ] {
        let row = found(table);
        assert_eq!(row[1], state, "{row:?}");
        assert!(row[2].contains(word), "{row:?}");
    }
    assert_eq!(found("gone")[3], "<null>");
    assert_eq!(db.lines("SELECT table_name FROM dbguard.partition_set"), ["good"]);
    assert_eq!(db.value("SELECT count(*) FROM partman.part_config WHERE automatic_maintenance = 'off'"), "1");
}

#[test]
fn a_set_below_one_of_another_column_is_taken_over() {
    let Some(mut db) = database() else { return };
    db.exec(
        "CREATE TABLE tenants (tenant bigint, at timestamptz NOT NULL) PARTITION BY RANGE (tenant);
         CREATE TABLE first PARTITION OF tenants FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (at)",
    );
    hand_over(&mut db, "public.first", "1 day", "none");
    assert_eq!(
        db.lines("SELECT table_name, state FROM dbguard.partition_import_partman()"),
        ["first | imported"]
    );
    db.exec("UPDATE dbguard.partition_set SET ahead = 5");
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("INSERT INTO tenants VALUES (1, now() + interval '5 days')");
    assert_eq!(db.value("SELECT count(*) FROM tenants WHERE tableoid <> 'first_default'::regclass"), "1");
}

#[test]
fn the_owner_may_and_must_be_able_to_stop_pg_partman() {
    let Some(mut db) = database() else { return };
    let mut app = db.connect_as("partman_app");
    db.exec("GRANT CREATE ON SCHEMA public TO partman_app");
    set(&mut db, "t", "timestamptz", "1 day", "none");
    set(&mut db, "other", "timestamptz", "1 day", "none");
    assert_eq!(app.error("SELECT dbguard.partition_import_partman('t')").code, "42501");
    db.exec(
        "ALTER TABLE t OWNER TO partman_app;
         DO $$ DECLARE p regclass; BEGIN
           FOR p IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 't'::regclass LOOP
             EXECUTE 'ALTER TABLE ' || p || ' OWNER TO partman_app'; END LOOP; END $$",
    );
    // the server's own words for what cannot even be read
    let e = app.error("SELECT dbguard.partition_import_partman('t')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("42501", "permission denied for schema partman"));
    db.exec("GRANT USAGE ON SCHEMA partman TO partman_app; GRANT SELECT ON ALL TABLES IN SCHEMA partman TO partman_app");
    let before = (partitions(&mut db, "t"), db.lines(CONFIG));
    for dry in ["true", "false"] {
        let e = app.error(&format!("SELECT dbguard.partition_import_partman('t', {dry})"));
        assert_eq!(e.code, "42501");
        assert!(
            e.hint.contains("UPDATE partman.part_config SET automatic_maintenance = 'off', retention = NULL WHERE parent_table = 'public.t';"),
            "{e:?}"
        );
    }
    let blocked = app.lines("SELECT table_name, state FROM dbguard.partition_import_partman()");
    assert_eq!(blocked, ["other | blocked", "t | blocked"]);
    assert_eq!((partitions(&mut db, "t"), db.lines(CONFIG)), before);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_set"), "0");
    db.exec("GRANT UPDATE ON partman.part_config TO partman_app");
    // a policy that hides the row is no success
    db.exec("ALTER TABLE partman.part_config ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON partman.part_config FOR SELECT USING (true)");
    let e = app.error("SELECT dbguard.partition_import_partman('t')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55000", false), "{e:?}");
    db.exec("ALTER TABLE partman.part_config DISABLE ROW LEVEL SECURITY");
    assert_eq!(
        app.lines("SELECT table_name, state FROM dbguard.partition_import_partman()"),
        ["other | blocked", "t | imported"]
    );
    assert_eq!(db.lines("SELECT table_name FROM dbguard.partition_set"), ["t"]);
}

#[test]
fn nobody_elses_code_runs_as_a_superuser() {
    let Some(mut db) = database() else { return };
    db.connect_as("partman_keeper");
    db.exec("GRANT CREATE ON SCHEMA public, partman TO partman_keeper; GRANT USAGE ON SCHEMA partman TO partman_keeper");
    set(&mut db, "t", "timestamptz", "1 day", "none");
    db.exec(
        "ALTER TABLE partman.part_config OWNER TO partman_keeper; GRANT SELECT ON partman.part_config_sub TO partman_keeper;
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA partman TO partman_keeper;
         CREATE TABLE seen (who text); GRANT ALL ON seen TO PUBLIC; SET ROLE partman_keeper;
         CREATE FUNCTION partman.note() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE UPDATE ON partman.part_config FOR EACH ROW EXECUTE FUNCTION partman.note();
         CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON partman.part_config DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION partman.note();
         RESET ROLE",
    );
    let e = db.error("SELECT dbguard.partition_import_partman('t')");
    assert_eq!((e.code.as_str(), e.hint.is_empty()), ("55000", false), "{e:?}");
    db.exec("DROP TRIGGER later ON partman.part_config; SELECT dbguard.partition_import_partman('t')");
    assert_eq!(db.lines("SELECT who FROM seen"), ["partman_keeper"]);
}

#[test]
fn a_superusers_import_runs_nothing_of_the_tables_owner() {
    let Some(mut db) = database() else { return };
    let mut app = db.connect_as("partman_planter");
    db.exec("GRANT CREATE ON SCHEMA public TO partman_planter; CREATE TABLE seen (who text); GRANT ALL ON seen TO PUBLIC");
    app.exec(
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NEW; END $$;
         CREATE FUNCTION public.checked(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN true; END $$;
         CREATE TABLE t (at timestamptz NOT NULL, n int DEFAULT 1 CHECK (checked(n))) PARTITION BY RANGE (at);
         CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()",
    );
    hand_over(&mut db, "public.t", "1 day", "none");
    db.exec("ALTER TABLE t_default OWNER TO partman_planter; ALTER TABLE t DETACH PARTITION t_default; DROP TABLE t_default");
    let last = db.value("SELECT max(inhrelid)::regclass FROM pg_inherits WHERE inhparent = 't'::regclass");
    db.exec(&format!("DROP TABLE {last}"));
    assert_eq!(db.value("SELECT state FROM dbguard.partition_import_partman('t')"), "imported");
    let new = "SELECT relowner::regrole FROM pg_class WHERE oid = (SELECT max(inhrelid) FROM pg_inherits WHERE inhparent = 't'::regclass)";
    assert_eq!(db.value(new), "partman_planter");
    assert_eq!(db.lines("SELECT who FROM seen WHERE who = 'postgres'"), Vec::<String>::new());
}

#[test]
fn an_attackers_search_path_changes_nothing() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    db.exec(
        "CREATE SCHEMA evil; CREATE TABLE evil.part_config (parent_table text); CREATE TABLE evil.part_config_sub (sub_parent text);
         CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('parent_table', 1 / 0) $$;
         CREATE FUNCTION evil.hashtext(text) RETURNS int LANGUAGE sql AS $$ SELECT 1 / 0 $$;
         CREATE FUNCTION evil.unequal(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT 1 / 0 > 0 $$;
         CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.unequal)",
    );
    db.exec("SET search_path = evil, public, pg_catalog");
    assert_eq!(
        db.value("SELECT state FROM dbguard.partition_import_partman('public.t'::regclass)"),
        "imported"
    );
}

#[test]
fn partitions_of_another_owner_are_told() {
    let Some(mut db) = database() else { return };
    db.connect_as("partman_other");
    set(&mut db, "t", "timestamptz", "1 day", "none");
    let message = db.value("SELECT message FROM dbguard.partition_import_partman('t', dry_run => true)");
    assert!(!message.contains("another role"), "{message}");
    db.exec("ALTER TABLE t OWNER TO partman_other; UPDATE partman.part_config SET retention = '1 day', retention_keep_table = false");
    let message = db.value("SELECT message FROM dbguard.partition_import_partman('t')");
    assert!(message.contains("another role than the table: 10. They cannot be dropped"), "{message}");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines("SELECT DISTINCT action, state, sqlstate FROM dbguard.partition_run WHERE action <> 'run' ORDER BY 1, 2"),
        ["drop | failed | 42501"]
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "10");
    // as the page says: with the right owner the next run does it
    db.exec(
        "DO $$ DECLARE p regclass; BEGIN
           FOR p IN SELECT oid FROM pg_class WHERE relname ~ '^t_p' AND relkind = 'r' LOOP
             EXECUTE 'ALTER TABLE ' || p || ' OWNER TO partman_other'; END LOOP; END $$",
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.partition_run WHERE action = 'drop' AND state = 'done'"),
        "3"
    );
}

#[test]
fn rows_in_the_default_keep_their_range_from_being_made_and_no_other() {
    let Some(mut db) = database() else { return };
    set(&mut db, "t", "timestamptz", "1 day", "none");
    // as where there are too many to be moved on the way
    db.exec(
        "SET dbguard.partition_drain_rows = 0;
         INSERT INTO t SELECT n, now() + n * interval '1 day' FROM generate_series(0, 6) n WHERE n <> 5;
         UPDATE partman.part_config SET premake = 6, ignore_default_data = true",
    );
    let message = db.value("SELECT message FROM dbguard.partition_import_partman('t')");
    assert!(
        message.contains("could not be made: updated partition constraint for default partition"),
        "{message}"
    );
    assert_eq!(db.lines("SELECT state, missing FROM dbguard.partition_status()"), ["due | 1"]);
    assert_eq!(db.value("SELECT count(*) FROM t"), "6");
}
