//! tenant_check finds what leaks, and says so where nothing does.

use dbguard_tests::Db;

const CHECK: &str = "SELECT \"table\", \"check\", severity, finding FROM dbguard.tenant_check()";

const TWO: &str = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL, n int NOT NULL DEFAULT 1 / 0);
    INSERT INTO t (tenant_id, n) VALUES (1, 1), (2, 2); SELECT dbguard.tenant_enable('t');";

#[test]
fn what_stands_is_told() {
    let mut db = Db::new();
    db.exec(TWO);
    db.exec(
        "CREATE TABLE empty (tenant_id uuid, a int REFERENCES t); CREATE TABLE one (tenant_id text, b text); INSERT INTO one VALUES ('x', 'y');
         CREATE TABLE p (id int, tenant_id varchar(4)) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         INSERT INTO p VALUES (1, 'a'), (1, 'b');
         SELECT dbguard.tenant_enable('empty'), dbguard.tenant_enable('one'), dbguard.tenant_enable('p')",
    );
    let before = db.lines("SELECT * FROM t ORDER BY 1");
    let proof = "rows of two tenants: neither reads, writes, moves nor deletes what is the other's";
    let mut ok = db.lines(&format!("{CHECK} WHERE severity IN ('ok', 'error', 'skipped')"));
    ok.sort();
    assert_eq!(
        ok,
        [
            "empty | proof | ok | no rows: writing for another tenant was refused; there was nothing to read, move or delete".to_owned(),
            "one | proof | ok | rows of one tenant: another neither reads, writes nor deletes them; moving was not tried".to_owned(),
            format!("p | proof | ok | {proof}"),
            format!("p1 | proof | ok | {proof}"),
            format!("t | proof | ok | {proof}"),
        ]
    );
    // nothing of it stays: no role, no row, no number drawn
    assert_eq!(db.value("SELECT count(*) FROM pg_roles WHERE rolname = 'dbguard_tenant_check'"), "0");
    assert_eq!(db.lines("SELECT * FROM t ORDER BY 1"), before);
    assert_eq!(db.value("SELECT last_value FROM t_id_seq"), "2");
    assert_eq!(db.value("SELECT count(*) FROM pg_class WHERE relname = 't' AND relacl IS NOT NULL"), "0");
}

/// Each hole is found by trying: the policy reads as ours does, so only the attempts can tell.
#[test]
fn every_hole_is_found() {
    for (hole, checks) in [
        // a setting's function that always answers: policies of everybody's
        ("CREATE OR REPLACE FUNCTION dbguard.tenant_int(setting text) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
         &["no tenant", "read", "insert", "update", "delete"][..]),
    ] {
        let mut db = Db::new();
        db.exec(TWO);
        db.exec(hole);
        let found: Vec<String> = db.lines("SELECT DISTINCT \"check\" FROM dbguard.tenant_check() WHERE severity = 'error' ORDER BY 1");
        for check in checks {
            assert!(found.iter().any(|f| f == check), "{check} in {found:?}");
        }
        assert_eq!(db.value("SELECT count(*) FROM dbguard.tenant_check() WHERE severity = 'ok'"), "0");
    }
}

#[test]
fn what_the_catalogs_give_away() {
    let mut db = Db::new();
    db.connect_as("tenant_login");
    db.exec(TWO);
    db.exec(
        "CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int, t_id int REFERENCES t, email text UNIQUE, UNIQUE (tenant_id, t_id));
         SELECT dbguard.tenant_enable('orders', force => false); ALTER TABLE orders OWNER TO tenant_login;
         CREATE TABLE forgotten (id int, tenant_id int); CREATE TABLE unrelated (id int);
         CREATE TABLE lines (id int PRIMARY KEY, t_id int REFERENCES t, up int REFERENCES lines) PARTITION BY LIST (id); CREATE TABLE lines1 PARTITION OF lines DEFAULT;
         CREATE TABLE sublines (line int REFERENCES lines); CREATE TABLE theirs (t_id int REFERENCES t); ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
         CREATE VIEW leak AS SELECT * FROM t; GRANT SELECT ON leak TO PUBLIC; CREATE VIEW fine WITH (security_invoker) AS SELECT * FROM t;
         CREATE VIEW through AS SELECT * FROM fine; CREATE MATERIALIZED VIEW stored AS SELECT * FROM t;
         CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT count(*) FROM t; END;
         GRANT TRUNCATE ON t TO PUBLIC; GRANT SELECT, TRIGGER, REFERENCES ON t TO tenant_login;
         CREATE VIEW tenant_view AS SELECT * FROM t; ALTER VIEW tenant_view OWNER TO tenant_login; CREATE VIEW shouted WITH (security_invoker = 'TRUE') AS SELECT * FROM t;
         CREATE MATERIALIZED VIEW of_a_tenant AS SELECT * FROM tenant_view; GRANT SELECT ON of_a_tenant TO PUBLIC; CREATE TABLE kid () INHERITS (t);
         SET session_replication_role = replica; ALTER TABLE kid DISABLE ROW LEVEL SECURITY; RESET session_replication_role",
    );
    let mut found =
        db.lines(&format!("{CHECK} WHERE severity NOT IN ('ok', 'skipped') AND \"check\" <> 'role'"));
    found.sort();
    assert_eq!(
        found,
        [
            "forgotten | unguarded | error | it has column tenant_id and is not guarded",
            "kid | partition | error | it can be read past the policies of public.t",
            "kid | row security | error | row-level security is off: every tenant's rows are seen",
            "lines | unguarded | warning | its rows are their tenants', since they refer to public.t (foreign key lines_t_id_fkey), and it shows them to all",
            "orders | force | warning | its owner tenant_login logs in and sees all tenants' rows: row-level security is not forced",
            "orders | foreign key | warning | foreign key orders_t_id_fkey to public.t does not include the tenant: a row may refer to another tenant's row, and learn whether it is there",
            "orders | unique | warning | unique index orders_email_key does not include the tenant: that a value is refused says that another tenant has it",
            "sublines | unguarded | warning | its rows are their tenants', since they refer to public.lines (foreign key sublines_line_fkey), and it shows them to all",
            "t | function | warning | function public.f() reads or writes it as postgres, whom policies do not bind (SECURITY DEFINER)",
            "t | references | info | tenant_login may refer to it by foreign keys, and learn which keys other tenants have",
            "t | trigger | warning | tenant_login may make triggers on it, which are given the rows of all who write",
            "t | truncate | warning | PUBLIC may TRUNCATE it, which no policy stops",
            "t | view | error | materialized view public.of_a_tenant holds rows of all tenants, and no policy guards them",
            "t | view | error | view public.leak shows rows of all tenants: it reads as postgres, whom policies do not bind",
            "t | view | info | materialized view public.stored holds rows of all tenants, and no policy guards them",
            "t | view | info | view public.through shows rows of all tenants: it reads as postgres, whom policies do not bind",
        ]
    );
    // every fix is a statement that works, and its finding goes away
    for fix in db
        .lines("SELECT fix_sql FROM dbguard.tenant_check() WHERE fix_sql IS NOT NULL AND \"check\" <> 'role'")
    {
        db.exec(&fix);
    }
    assert_eq!(
        db.lines(
            "SELECT fix_sql FROM dbguard.tenant_check() WHERE fix_sql IS NOT NULL AND \"check\" <> 'role'"
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.tenant_check('pg_catalog')"),
        db.value("SELECT count(*) FROM dbguard.tenant_check('pg_catalog') WHERE \"check\" = 'role'")
    );
}

#[test]
fn what_could_not_be_judged_is_no_ok() {
    let mut db = Db::new();
    let mut owner = db.connect_as("tenant_check_owner");
    db.exec(TWO);
    db.exec(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
         CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()",
    );
    assert_eq!(
        db.lines(&format!("{CHECK} WHERE \"check\" = 'insert' OR severity = 'ok'")),
        ["t | insert | skipped | could not be judged: not today"]
    );
    // who may not make roles names one
    let check = format!("{CHECK} WHERE \"check\" <> 'role'");
    assert_eq!(owner.lines(&check), ["t | proof | skipped | only its owner can have it tried"]);
    db.exec("DROP TRIGGER no ON t; ALTER TABLE t OWNER TO tenant_check_owner; GRANT CREATE ON SCHEMA public TO tenant_check_owner");
    assert_eq!(
        owner.lines(&check),
        ["t | proof | skipped | permission denied to create role; without CREATEROLE, name a role: tenant_check(role => '...')"]
    );
    db.connect_as("tenant_check_app");
    db.exec("GRANT tenant_check_app TO tenant_check_owner; GRANT SELECT ON t TO tenant_check_app");
    let named = "SELECT \"check\", severity FROM dbguard.tenant_check(role => 'tenant_check_app') WHERE \"check\" <> 'role'";
    assert_eq!(owner.lines(named), ["proof | ok"]);
    assert_eq!(owner.error("SELECT dbguard.tenant_check(role => 'postgres')").code, "42501");
    db.exec("REVOKE SELECT ON t FROM tenant_check_app");
    let denied = "SELECT \"check\", severity, finding FROM dbguard.tenant_check(role => 'tenant_check_app') WHERE \"check\" <> 'role'";
    assert_eq!(owner.lines(denied), ["read | skipped | permission denied for table t"]);
    // as one whom policies do not bind, everything is reached
    assert!(db
        .lines("SELECT \"check\" FROM dbguard.tenant_check(role => 'postgres') WHERE severity = 'error'")
        .contains(&"read".to_owned()));
}

#[test]
fn nothing_of_others_runs_as_the_superuser_who_checks() {
    let mut db = Db::new();
    let mut owner = db.connect_as("tenant_check_evil");
    db.exec("CREATE SCHEMA evil AUTHORIZATION tenant_check_evil; CREATE TABLE evil_seen (who text, super bool); GRANT ALL ON evil_seen TO PUBLIC");
    owner.exec(
        "CREATE FUNCTION evil.note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
           IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN RAISE EXCEPTION 'got it'; END IF; RETURN true; END $$;
         CREATE FUNCTION evil.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.note(); RETURN NEW; END $$;
         CREATE DOMAIN evil.d AS int CHECK (evil.note());
         CREATE TABLE evil.t (id evil.d, tenant_id int, n int DEFAULT evil.note()::int); INSERT INTO evil.t VALUES (1, 1, 1), (2, 2, 2);
         CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON evil.t FOR EACH ROW EXECUTE FUNCTION evil.fire();
         CREATE POLICY p ON evil.t USING (evil.note()); SELECT dbguard.tenant_enable('evil.t')",
    );
    assert_eq!(
        db.lines("SELECT \"check\", severity FROM dbguard.tenant_check() WHERE \"check\" <> 'role'"),
        ["proof | ok"]
    );
    assert_eq!(db.lines("SELECT tenant FROM dbguard.tenant_usage(exact => true) ORDER BY 1"), ["1", "2"]);
}

#[test]
fn roles_that_no_policy_binds() {
    let mut db = Db::new();
    db.connect_as("tenant_check_hops");
    db.connect_as("tenant_check_steps");
    db.exec(TWO);
    db.exec(
        "CREATE ROLE tenant_check_all BYPASSRLS; CREATE ROLE tenant_check_between NOINHERIT; GRANT tenant_check_all TO tenant_check_between, tenant_check_steps;
         GRANT tenant_check_between TO tenant_check_hops",
    );
    let roles = "SELECT finding, fix_sql FROM dbguard.tenant_check() WHERE \"check\" = 'role' AND finding ~ 'tenant_check_all'";
    assert_eq!(
        db.lines(roles),
        ["tenant_check_hops, tenant_check_steps log in and can become tenant_check_all, which passes by all policies (BYPASSRLS) \
          | REVOKE tenant_check_all FROM tenant_check_steps"]
    );
    db.exec(
        "REVOKE tenant_check_all FROM tenant_check_steps; REVOKE tenant_check_between FROM tenant_check_hops",
    );
    assert_eq!(db.lines(roles), Vec::<String>::new());
    db.exec("DROP ROLE tenant_check_all, tenant_check_between");
}

/// Who sees nothing at all proves nothing by that.
#[test]
fn a_role_that_sees_nothing() {
    let mut db = Db::new();
    db.connect_as("tenant_check_other");
    db.exec(
        "CREATE TABLE c (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id int NOT NULL); INSERT INTO c (tenant_id) VALUES (1), (2);
         CREATE POLICY own ON c TO tenant_check_other USING (true); SELECT dbguard.tenant_enable('c')",
    );
    let check = format!("{CHECK} WHERE \"check\" <> 'role'");
    assert_eq!(
        db.lines(&check),
        ["c | own rows | skipped | a tenant does not see its own rows either: no policy of the table's own lets the role"]
    );
    db.exec("DROP OWNED BY tenant_check_other");
}
