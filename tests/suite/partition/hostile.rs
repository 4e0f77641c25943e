//! An owner whose code runs inside our work gets nothing by it: no other's rights, and no word in what is done
//! after it.

use super::retire::{days, RUN};
use super::retire_meanwhile::until_patient;
use dbguard_tests::Db;

/// A schema of an ordinary role, in which names of the server mean something else: what is cast to `name` there
/// makes a superuser's session give all rights away. `sp()` puts it in front. The functions say that they are
/// immutable, so that the server runs them when it looks at a constraint.
const OWN_NAMES: &str = "
    CREATE FUNCTION bad.give() RETURNS bool LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN
        EXECUTE 'ALTER ROLE hostile_owner SUPERUSER';
      END IF;
      RETURN true;
    END $$;
    CREATE DOMAIN bad.name AS pg_catalog.name CHECK (bad.give());
    CREATE DOMAIN bad.text AS pg_catalog.text CHECK (bad.give());
    CREATE FUNCTION bad.pg_backend_pid() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM bad.give(); RETURN 1; END';
    CREATE FUNCTION bad.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
      'BEGIN PERFORM bad.give(); RETURN pg_catalog.now(); END';
    CREATE FUNCTION bad.sp() RETURNS bool LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM set_config('search_path', 'bad, pg_catalog', false), set_config('statement_timeout', '7777ms', false),
              set_config('default_transaction_read_only', 'on', false);
      BEGIN
        PERFORM set_config('role', 'none', false), bad.give();
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
      RETURN true;
    END $$;
    CREATE FUNCTION bad.check(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN bad.sp(); END'";

const SETTINGS: &str = "SELECT current_setting('search_path'), current_setting('statement_timeout'),
    current_setting('default_transaction_read_only'), current_user";

fn hostile<'a>(db: &mut Db<'a>) -> Db<'a> {
    let mut owner = db.connect_as("hostile_owner");
    db.exec("CREATE SCHEMA bad AUTHORIZATION hostile_owner");
    owner.exec(OWN_NAMES);
    owner
}

fn is_superuser(db: &mut Db) -> String {
    db.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'hostile_owner'")
}

#[test]
fn code_in_a_constraint_does_not_choose_what_our_next_statements_mean() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    owner.exec("CREATE TABLE bad.a (ts timestamptz NOT NULL, CHECK (bad.check(1))) PARTITION BY RANGE (ts)");
    let before = owner.lines(SETTINGS);
    owner.exec("SELECT dbguard.partition_enable('bad.a', '1 day')");
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(owner.lines(SETTINGS), before);
    // a superuser's run
    db.exec("UPDATE dbguard.partition_set SET ahead = 20");
    let before = db.lines(SETTINGS);
    db.exec(RUN);
    assert_eq!(db.lines(SETTINGS), before);
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(db.value("SELECT count(*) >= 21 FROM pg_inherits WHERE inhparent = 'bad.a'::regclass"), "t");
}

#[test]
fn code_in_an_archive_function_does_not_either() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    days(&mut owner, "bad.b", 4);
    owner.exec(
        "CREATE FUNCTION bad.archive(regclass, pg_catalog.text, pg_catalog.text) RETURNS bool LANGUAGE plpgsql AS
           'BEGIN RETURN bad.sp(); END';
         SELECT dbguard.partition_retain('bad.b', '2 days', retire => 'drop',
                                         archive => 'bad.archive(regclass, pg_catalog.text, pg_catalog.text)')",
    );
    let before = db.lines(SETTINGS);
    db.exec(RUN);
    assert_eq!(db.lines(SETTINGS), before);
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(db.value("SELECT to_regclass('bad.b_4') IS NULL"), "t");
}

/// DETACH CONCURRENTLY would run the check outside of what can be taken back.
#[test]
fn a_constraint_with_code_is_detached_from_within_a_fence() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    days(&mut owner, "bad.c", 4);
    owner.exec("ALTER TABLE bad.c ADD CHECK (bad.check(1))");
    owner.exec("RESET ALL");
    owner.exec("SELECT dbguard.partition_retain('bad.c', '2 days', retire => 'detach')");
    let plan = db.lines("SELECT sql FROM dbguard.partition_plan('bad.c') WHERE action = 'detach'");
    assert!(!plan.is_empty() && plan.iter().all(|sql| !sql.contains("CONCURRENTLY")), "{plan:?}");
    let before = db.lines(SETTINGS);
    db.exec(RUN);
    assert_eq!(db.lines(SETTINGS), before);
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(super::retire::left(&mut db, "bad.c"), "1,2");
}

/// Also where the lock is had without the look: the statement itself is fenced in.
#[test]
fn a_function_that_turns_hostile_meanwhile_gets_nothing() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    days(&mut owner, "bad.d", 4);
    owner.exec("ALTER TABLE bad.d ADD CHECK (bad.check(1))");
    owner.exec("RESET ALL");
    owner.exec("SELECT dbguard.partition_retain('bad.d', '2 days', retire => 'detach')");
    // as if it had been built in when it was looked at
    db.exec(
        "SET allow_system_table_mods = on;
         DELETE FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid = 'bad.check(int)'::regprocedure",
    );
    db.try_exec(RUN).ok();
    assert_eq!(is_superuser(&mut db), "f");
}

/// Whoever may make triggers on a table has nothing of its owner's rights.
#[test]
fn a_trigger_that_notes_changes_writes_to_nothing_of_others() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    db.exec(
        "CREATE TABLE victim (id int); GRANT TRIGGER, INSERT ON victim TO hostile_owner;
         CREATE TABLE other (id int); CREATE TABLE mine_dbguard_noted (id int)",
    );
    owner.exec(
        "CREATE FUNCTION bad.when_fired() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM bad.give(); RETURN NEW; END';
         CREATE TABLE bad.x_dbguard_noted (k int);
         CREATE TRIGGER fired BEFORE INSERT ON bad.x_dbguard_noted FOR EACH ROW EXECUTE FUNCTION bad.when_fired();
         CREATE TRIGGER a AFTER INSERT ON victim FOR EACH ROW
           EXECUTE FUNCTION dbguard.partition_capture('bad', 'x_dbguard_noted', '1');
         CREATE TRIGGER b AFTER INSERT ON victim FOR EACH ROW
           EXECUTE FUNCTION dbguard.partition_capture('public', 'other', '1');
         INSERT INTO victim VALUES (1)",
    );
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(
        db.value("SELECT (SELECT count(*) FROM bad.x_dbguard_noted) + (SELECT count(*) FROM other)"),
        "0"
    );
}

/// The owner of a schema may drop what another role has in it, and make a table of that name.
#[test]
fn a_table_put_in_the_place_of_another_is_left_alone() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    db.exec(
        "CREATE TABLE bad.g (ts timestamptz NOT NULL) PARTITION BY RANGE (ts);
         SELECT dbguard.partition_enable('bad.g', '1 day', ahead => 1);
         UPDATE dbguard.partition_set SET ahead = 5",
    );
    owner.exec("BEGIN; DROP TABLE bad.g");
    let mut runner = db.connect();
    let run = std::thread::spawn(move || runner.exec(RUN));
    until_patient(&mut db);
    owner.exec(
        "CREATE TABLE bad.g (ts timestamptz NOT NULL, CHECK (bad.check(1))) PARTITION BY RANGE (ts); COMMIT",
    );
    run.join().unwrap();
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'bad.g'::regclass"), "0");
}

/// A query of the server's looks for rows that refer to the partition, and plans with its indexes.
#[test]
fn a_table_that_is_referred_to_is_detached_from_within_a_fence() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    days(&mut owner, "bad.e", 4);
    owner.exec("CREATE TABLE bad.r (id bigint, ts timestamptz, FOREIGN KEY (id, ts) REFERENCES bad.e)");
    owner.exec("CREATE INDEX ON bad.e_4 (id) WHERE bad.check(1)");
    owner.exec("RESET ALL");
    owner.exec("SELECT dbguard.partition_retain('bad.e', '2 days', retire => 'detach')");
    let before = db.lines(SETTINGS);
    db.exec(RUN);
    assert_eq!(db.lines(SETTINGS), before);
    assert_eq!(is_superuser(&mut db), "f");
    assert_eq!(super::retire::left(&mut db, "bad.e"), "1,2");
}

/// While triggers of foreign keys rest, code of the owner could delete what others refer to.
#[test]
fn rows_are_not_moved_on_the_way_where_code_would_run() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    owner.exec(
        "CREATE FUNCTION bad.ok(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
         CREATE TABLE bad.f (id int, ts timestamptz NOT NULL, PRIMARY KEY (id, ts), CHECK (bad.ok(id))) PARTITION BY RANGE (ts);
         CREATE TABLE bad.f_def PARTITION OF bad.f DEFAULT;
         INSERT INTO bad.f VALUES (1, now() + interval '1 day')",
    );
    owner.exec("SELECT dbguard.partition_enable('bad.f', '1 day')");
    assert_eq!(owner.value("SELECT count(*) FROM bad.f_def"), "1");
    owner.exec("CALL dbguard.partition_drain('bad.f')");
    assert_eq!(owner.value("SELECT count(*) FROM bad.f_def"), "0");
    assert_eq!(owner.value("SELECT count(*) FROM bad.f"), "1");
}

/// Rows are moved in many transactions. What was made for them may be dropped in between.
#[test]
fn a_table_put_in_the_place_of_one_that_rows_are_copied_to_is_left_alone() {
    let mut db = Db::new();
    let mut owner = hostile(&mut db);
    let mut watch = db.connect();
    db.exec("SET dbguard.partition_drain_rows = 0");
    owner.exec(
        "CREATE FUNCTION bad.when_fired() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN PERFORM bad.give(); RETURN NEW; END'",
    );
    for (work, hostile) in [
        (
            "h_dbguard_filling",
            "CREATE TABLE bad.h_dbguard_filling (id int, ts timestamptz);
             CREATE TRIGGER fired BEFORE INSERT OR UPDATE OR DELETE ON bad.h_dbguard_filling
               EXECUTE FUNCTION bad.when_fired()",
        ),
        (
            "h_dbguard_noted",
            "CREATE VIEW bad.h_dbguard_noted AS SELECT 1 AS id, now() AS ts WHERE bad.give()",
        ),
    ] {
        db.exec(
            "CREATE TABLE bad.h (id int, ts timestamptz NOT NULL, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts);
             CREATE TABLE bad.h_def PARTITION OF bad.h DEFAULT;
             INSERT INTO bad.h SELECT 1, now() + i * interval '1 day' FROM generate_series(0, 3) i;
             SELECT dbguard.partition_enable('bad.h', '1 day', ahead => 2)",
        );
        db.exec("BEGIN; UPDATE bad.h_def SET id = 2");
        let mut runner = db.connect();
        runner.exec("SET dbguard.partition_drain_rows = 0");
        let run = std::thread::spawn(move || runner.error("CALL dbguard.partition_drain('bad.h')"));
        until_patient(&mut watch);
        owner.exec(&format!("DROP TABLE bad.{work}; {hostile}"));
        db.exec("COMMIT");
        let error = run.join().unwrap();
        assert_eq!(is_superuser(&mut db), "f", "{work}");
        assert!(error.message.contains("was changed by another session meanwhile"), "{work}: {error:?}");
        assert_eq!(db.value("SELECT count(*) FROM bad.h WHERE id = 2"), "4");
        db.exec("DROP TABLE bad.h; DROP TABLE IF EXISTS bad.h_dbguard_filling; DROP VIEW IF EXISTS bad.h_dbguard_noted");
    }
}
