//! Who may do what, whose the partitions are, and whose code runs.

use dbguard_tests::Db;

fn app(db: &mut Db) {
    db.connect_as("part_app");
    db.connect_as("part_reader");
    db.exec("CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO part_app; GRANT USAGE ON SCHEMA app TO PUBLIC");
}

#[test]
fn partitions_belong_to_the_tables_owner_with_its_privileges() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    owner.exec(
        "CREATE TABLE app.t (at date, secret text) PARTITION BY RANGE (at);
         ALTER TABLE app.t REPLICA IDENTITY FULL;
         GRANT SELECT, INSERT ON app.t TO part_reader;
         GRANT UPDATE ON app.t TO part_reader WITH GRANT OPTION;
         GRANT SELECT ON app.t TO PUBLIC;
         GRANT UPDATE (secret), REFERENCES (secret) ON app.t TO part_reader;
         ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO part_reader",
    );
    db.exec("ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO part_reader");
    owner.exec("SELECT dbguard.partition_enable('app.t', '1 day', 1)");
    db.exec("UPDATE dbguard.partition_set SET ahead = 3");
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("SET search_path = app");
    let per_partition = "FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'";
    assert_eq!(db.value(&format!("SELECT count(*) {per_partition}")), "4");
    assert_eq!(
        db.lines(&format!("SELECT DISTINCT relowner::regrole, relreplident {per_partition}")),
        ["part_app | f"]
    );
    let acl = "(SELECT array_agg(a ORDER BY a::text) FROM unnest(c.relacl) a)::text";
    assert_eq!(
        db.lines(&format!("SELECT DISTINCT {acl} {per_partition}")),
        db.lines(&format!("SELECT {acl} FROM pg_class c WHERE c.oid = 'app.t'::regclass"))
    );
    let columns = "SELECT DISTINCT attacl::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE attname = 'secret'";
    assert_eq!(db.lines(columns).len(), 1);
}

#[test]
fn an_owner_who_gave_up_a_right_does_not_get_it_back() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    owner.exec(
        "CREATE TABLE app.t (at date) PARTITION BY RANGE (at);
         REVOKE UPDATE, DELETE ON app.t FROM part_app;
         SELECT dbguard.partition_enable('app.t', '1 day', 1)",
    );
    assert_eq!(
        db.lines("SELECT DISTINCT c.relacl::text FROM pg_class c WHERE relnamespace = 'app'::regnamespace")
            .len(),
        1
    );
}

#[test]
fn only_the_owner_enables_and_disables() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    let mut reader = db.connect_as("part_reader");
    owner.exec("CREATE TABLE app.t (at date) PARTITION BY RANGE (at)");
    assert_eq!(reader.error("SELECT dbguard.partition_enable('app.t', '1 day')").code, "42501");
    owner.exec("SELECT dbguard.partition_enable('app.t', '1 day', 1)");
    assert_eq!(reader.error("SELECT dbguard.partition_disable('app.t')").code, "42501");
    for table in ["partition_set", "partition_run"] {
        assert_eq!(reader.error(&format!("DELETE FROM dbguard.{table}")).code, "42501");
        assert_eq!(owner.error(&format!("UPDATE dbguard.{table} SET schema_name = 'x'")).code, "42501");
        reader.exec(&format!("SELECT * FROM dbguard.{table}"));
    }
    assert_eq!(reader.error("SELECT nextval('dbguard.partition_run_number')").code, "42501");
    assert_eq!(reader.value("SELECT state FROM dbguard.partition_status()"), "ok");
}

#[test]
fn a_role_that_may_only_run_maintenance() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    let mut runner = db.connect_as("part_runner");
    owner.exec(
        "CREATE TABLE app.t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('app.t', '1 day', 1)",
    );
    db.exec("UPDATE dbguard.partition_set SET ahead = 2");
    assert_eq!(runner.error("CALL dbguard.partition_maintain()").code, "42501");
    db.exec("GRANT EXECUTE ON PROCEDURE dbguard.partition_maintain() TO part_runner");
    runner.exec("CALL dbguard.partition_maintain()");
    assert_eq!(runner.value("SELECT current_user || session_user"), "part_runnerpart_runner");
    assert_eq!(
        db.lines(
            "SELECT DISTINCT relowner::regrole::text, count(*) FROM pg_class WHERE relispartition GROUP BY 1"
        ),
        ["part_app | 3"]
    );
}

/// What the owner put into the table (defaults, checks, index expressions) runs, if at all, with the
/// rights that the statements have: those of the owner.
#[test]
fn every_statement_of_a_superusers_run_has_the_owners_rights() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    owner.exec("CREATE TABLE app.t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('app.t', '1 day', 1)");
    db.exec(
        "UPDATE dbguard.partition_set SET ahead = 3;
         CREATE TABLE public.ddl (who text, super text, tag text); GRANT INSERT ON public.ddl TO PUBLIC;
         CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO public.ddl SELECT current_user, rolsuper::text, tg_tag FROM pg_catalog.pg_roles WHERE rolname = current_user;
         END $$;
         CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION public.note()",
    );
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
    assert_eq!(
        db.lines("SELECT who, super, tag, count(*) FROM public.ddl WHERE tag <> 'CREATE EVENT TRIGGER' GROUP BY 1, 2, 3 ORDER BY 3"),
        ["part_app | false | ALTER TABLE | 2", "part_app | false | CREATE TABLE | 2"]
    );
}

#[test]
fn hostile_names_in_the_path_are_not_called() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE public.t (at date) PARTITION BY RANGE (at);
         CREATE SCHEMA evil;
         CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
         CREATE FUNCTION evil.pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
         CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
         CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = oid, RIGHTARG = oid);
         CREATE TABLE evil.pg_class (oid oid, relname name);
         CREATE TEMP TABLE t (x int);
         CREATE TEMP TABLE pg_inherits (x int);
         SET search_path = pg_temp, evil, pg_catalog, public;
         SELECT dbguard.partition_enable('public.t', '1 day', 1)",
    );
    db.exec("UPDATE dbguard.partition_set SET ahead = 3");
    db.exec("CALL dbguard.partition_maintain()");
    db.exec("SELECT * FROM dbguard.partition_plan()");
    assert_eq!(db.value("SELECT state || partitions FROM dbguard.partition_status()"), "ok4");
    db.exec("SELECT dbguard.partition_disable('public.t')");
}

#[test]
fn replica_identity_by_index_is_taken_over() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
         CREATE UNIQUE INDEX t_identity ON t (id, at);
         ALTER TABLE t REPLICA IDENTITY USING INDEX t_identity;
         SELECT dbguard.partition_enable('t', '1 day', 2)",
    );
    assert_eq!(
        db.lines(
            "SELECT relreplident, count(*) FROM pg_class WHERE relispartition AND relkind = 'r' GROUP BY 1"
        ),
        ["i | 3"]
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_index WHERE indisreplident"), "4");
}

#[test]
fn an_owner_who_may_not_create_in_the_schema_is_told() {
    let mut db = Db::new();
    app(&mut db);
    let mut owner = db.connect_as("part_app");
    owner.exec("CREATE TABLE app.t (at date) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('app.t', '1 day', 1)");
    db.exec("REVOKE CREATE ON SCHEMA app FROM part_app; UPDATE dbguard.partition_set SET ahead = 2");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(
        db.lines(
            "SELECT state, sqlstate, message FROM dbguard.partition_run WHERE run = 2 AND action = 'make'"
        ),
        ["failed | 42501 | permission denied for schema app"]
    );
}

#[test]
fn a_partition_is_no_way_round_row_level_security() {
    let mut db = Db::new();
    db.connect_as("partition_tenant");
    db.exec(
        "CREATE TABLE docs (at timestamptz NOT NULL, tenant int, secret text) PARTITION BY RANGE (at);
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY; ALTER TABLE docs FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON docs USING (tenant = current_setting('app.t')::int);
         GRANT SELECT, INSERT ON docs TO partition_tenant; GRANT UPDATE (secret) ON docs TO partition_tenant",
    );
    let partition =
        db.rows("SELECT partition FROM dbguard.partition_enable('docs', '1 month')")[0][0].clone();
    db.exec("INSERT INTO docs VALUES (now(), 1, 'a'), (now(), 2, 'b')");
    let mut tenant = db.connect_as("partition_tenant");
    tenant.exec("SET app.t = '1'");
    assert_eq!(tenant.value("SELECT count(*) FROM docs"), "1");
    for statement in ["SELECT * FROM", "INSERT INTO", "UPDATE"] {
        let rest = match statement {
            "INSERT INTO" => " VALUES (now(), 2, 'forged')",
            "UPDATE" => " SET secret = 'x'",
            _ => "",
        };
        assert_eq!(tenant.error(&format!("{statement} {partition}{rest}")).code, "42501", "{statement}");
    }
}

#[test]
fn an_outsider_cannot_hold_up_maintenance() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 day', 2)");
    let dropped = db.value("SELECT max(inhrelid)::regclass FROM pg_inherits WHERE inhparent = 't'::regclass");
    db.exec(&format!("DROP TABLE {dropped}"));
    let mut outsider = db.connect_as("partition_outsider");
    outsider.exec("SELECT pg_advisory_lock(1684170608, 't'::regclass::oid::int)");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
}

#[test]
fn a_set_does_not_pass_to_a_new_table_of_the_same_name() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at); SELECT dbguard.partition_enable('t', '1 hour', 2); DROP TABLE t");
    db.exec("CREATE TABLE t (at timestamptz) PARTITION BY RANGE (at)");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass"), "0");
    assert_eq!(db.lines("SELECT * FROM dbguard.partition_status()"), Vec::<String>::new());
    // and may be enabled anew
    db.exec("SELECT dbguard.partition_enable('t', '1 day', 2)");
}
