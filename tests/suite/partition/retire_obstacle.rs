//! What cannot be dropped or moved is not detached either; and what goes is gone by the real time.

use super::retire::{days, left, log, RUN};
use dbguard_tests::Db;

#[test]
fn a_schema_that_is_closed_or_gone() {
    let mut db = Db::new();
    let mut owner = db.connect_as("obstacle_owner");
    db.exec("CREATE SCHEMA app AUTHORIZATION obstacle_owner; CREATE SCHEMA arch; GRANT ALL ON SCHEMA arch TO obstacle_owner");
    owner.exec("SET search_path = app");
    days(&mut owner, "t", 3);
    owner.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'move', schema => 'arch')");
    db.exec("REVOKE ALL ON SCHEMA arch FROM obstacle_owner");
    db.exec(RUN);
    assert_eq!(left(&mut owner, "t"), "1,2,3");
    assert_eq!(log(&mut db), ["move | failed | t_3 | 42501"]);
    db.exec("DROP SCHEMA arch");
    db.exec(RUN);
    assert_eq!(log(&mut db), ["move | failed | t_3 | 3F000"]);
    db.exec("CREATE SCHEMA arch AUTHORIZATION obstacle_owner");
    db.exec(RUN);
    assert_eq!(db.lines("SELECT id FROM arch.t_3"), ["3"]);
}

#[test]
fn a_foreign_table() {
    let mut db = Db::new();
    days(&mut db, "t", 2);
    db.exec(
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER s FOREIGN DATA WRAPPER nothing; ALTER TABLE t DROP CONSTRAINT t_pkey",
    );
    // at once, and after it was detached
    for grace in ["", ", grace => '0'"] {
        db.exec("CREATE FOREIGN TABLE far PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2020-01-02') SERVER s");
        db.exec(&format!("SELECT dbguard.partition_retain('t', '3 days', retire => 'drop'{grace})"));
        assert!(db
            .value("SELECT string_agg(sql, ' ') FROM dbguard.partition_plan('t')")
            .contains("DROP FOREIGN TABLE public.far"));
        db.exec(RUN);
        assert_eq!(db.value("SELECT to_regclass('far')"), "<null>", "{grace}");
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE state = 'failed'"), "0");
}

/// A partition whose own constraints, policies and rules name it, and that is referred to by way of its parent,
/// is needed by nobody.
#[test]
fn what_a_partition_brings_along_is_not_in_the_way() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec(
        "CREATE TABLE r (id bigint, ts timestamptz, FOREIGN KEY (id, ts) REFERENCES t);
         ALTER TABLE t_3 ADD CHECK (id < 1000);
         CREATE POLICY own ON t_3 USING (id > 0 AND EXISTS (SELECT FROM t_3 o WHERE o.id > 0));
         CREATE INDEX ON t_3 ((id + 1)) WHERE v IS NOT NULL; CREATE STATISTICS of_it ON id, ts FROM t_3;
         CREATE FUNCTION nop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER own BEFORE INSERT ON t_3 FOR EACH ROW WHEN (new.id > 0) EXECUTE FUNCTION nop();
         CREATE PUBLICATION p FOR TABLE t_3;
         SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')",
    );
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    assert_eq!(log(&mut db).last().unwrap(), "drop | done | t_3 | <null>");
}

#[test]
fn a_partition_of_another_owner() {
    let mut db = Db::new();
    let mut owner = db.connect_as("obstacle_lord");
    db.exec("CREATE SCHEMA app AUTHORIZATION obstacle_lord");
    owner.exec("SET search_path = app");
    days(&mut owner, "t", 3);
    owner.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop', grace => '1 day')");
    db.exec("ALTER TABLE app.t_3 OWNER TO CURRENT_USER");
    db.exec(RUN);
    assert_eq!(left(&mut owner, "t"), "1,2,3");
    assert_eq!(log(&mut db), ["drop | failed | t_3 | 42501"]);
}

/// A rehearsal makes partitions, but none goes before its time.
#[test]
fn a_clock_that_is_ahead() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'drop')");
    db.exec("SELECT set_config('dbguard.partition_clock', to_char(now() + interval '10 days', 'YYYY-MM-DD'), false)");
    assert_eq!(db.value("SELECT count(*) > 3 FROM dbguard.partition_plan('t') WHERE action = 'drop'"), "t");
    db.exec(RUN);
    assert_eq!(left(&mut db, "t"), "1,2");
    db.exec("INSERT INTO t VALUES (9, now())");
    assert_eq!(db.value("SELECT count(*) FROM t WHERE id = 9"), "1");
}

/// What a run will do with what it began or left waiting is in the plan.
#[test]
fn the_plan_shows_what_waits() {
    let mut db = Db::new();
    days(&mut db, "t", 4);
    db.exec(
        "CREATE FUNCTION keep(part regclass, lower text, upper text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         SELECT dbguard.partition_retain('t', '3 days', retire => 'drop', grace => '7 days', archive => 'keep(regclass, text, text)')",
    );
    let sql = db.value("SELECT string_agg(sql, ' ') FROM dbguard.partition_plan('t')");
    let lines: Vec<&str> = sql.lines().collect();
    assert_eq!(lines.len(), 3, "{sql}");
    assert!(lines[0].starts_with("SELECT public.keep('public.t_4', '"), "{sql}");
    assert_eq!(lines[1], "ALTER TABLE public.t DETACH PARTITION public.t_4 CONCURRENTLY;");
    assert_eq!(lines[2], "-- 7 days after that: DROP TABLE public.t_4;");
    db.exec(RUN);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_plan('t')"), "0");
    db.exec("UPDATE dbguard.partition_retired SET due = now()");
    let row =
        "SELECT action, partition, lower ~ '^20.* 00:00:00[+]00$', sql FROM dbguard.partition_plan('t')";
    assert_eq!(db.lines(row), ["drop | t_4 | t | DROP TABLE public.t_4;"]);
    db.exec(RUN);
    assert_eq!(db.value("SELECT to_regclass('t_4')"), "<null>");
}

/// One that is already where it is to be moved to is detached.
#[test]
fn moved_to_where_it_is() {
    let mut db = Db::new();
    days(&mut db, "t", 3);
    db.exec("CREATE SCHEMA arch; ALTER TABLE t_3 SET SCHEMA arch");
    let error =
        db.error("SELECT dbguard.partition_retain('t', '2 days', retire => 'move', schema => 'public')");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("22023", "schema \"public\" is the schema of \"t\" itself")
    );
    db.exec("SELECT dbguard.partition_retain('t', '2 days', retire => 'move', schema => 'arch')");
    db.exec(RUN);
    assert_eq!(db.value("SELECT relispartition FROM pg_class WHERE oid = 'arch.t_3'::regclass"), "f");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_run WHERE state = 'failed'"), "0");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_retired"), "0");
}
