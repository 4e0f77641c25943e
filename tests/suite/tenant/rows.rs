//! What a tenant sees and may write, as the application's own role.

use dbguard_tests::{Cluster, Db};

const A: &str = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
const B: &str = "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

#[test]
fn a_tenant_sees_and_writes_its_own_rows_only() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_app");
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, tenant_id uuid, v text); GRANT ALL ON t TO tenant_app;
         INSERT INTO t VALUES (1, '{A}', 'a'), (2, '{B}', 'b'), (3, NULL, 'none'); SELECT dbguard.tenant_enable('t')"
    ));
    let rows = "SELECT id, v FROM t ORDER BY id";
    // missing, empty, blank, no uuid: nothing, and no error
    assert_eq!(app.lines(rows), Vec::<String>::new());
    for bad in ["", "  ", "x", "42", &A[1..], "{}"] {
        app.exec(&format!("SET app.tenant_id = '{bad}'"));
        assert_eq!(app.lines(rows), Vec::<String>::new(), "{bad:?}");
        assert_eq!(app.error("INSERT INTO t VALUES (9, NULL)").code, "42501", "{bad:?}");
        assert_eq!(app.error(&format!("INSERT INTO t VALUES (9, '{A}')")).code, "42501", "{bad:?}");
        assert_eq!(app.lines("UPDATE t SET v = 'x' RETURNING id"), Vec::<String>::new(), "{bad:?}");
        assert_eq!(app.lines("DELETE FROM t RETURNING id"), Vec::<String>::new(), "{bad:?}");
    }
    for spelling in [A.to_owned(), A.to_uppercase(), format!("{{{A}}}"), A.replace('-', "")] {
        app.exec(&format!("SET app.tenant_id = '{spelling}'"));
        assert_eq!(app.lines(rows), ["1 | a"], "{spelling}");
    }
    let error = app.error(&format!("INSERT INTO t VALUES (9, '{B}')"));
    assert_eq!(error.message, "new row violates row-level security policy for table \"t\"");
    // the policy is asked before the key is: nothing is learnt of a row that is there
    assert_eq!(app.error(&format!("INSERT INTO t VALUES (2, '{B}')")).code, "42501");
    assert_eq!(app.error(&format!("UPDATE t SET tenant_id = '{B}'")).code, "42501");
    assert_eq!(app.error("UPDATE t SET tenant_id = NULL").code, "42501");
    assert_eq!(app.lines("UPDATE t SET v = 'x' WHERE id = 2 RETURNING id"), Vec::<String>::new());
    assert_eq!(app.lines("DELETE FROM t WHERE id = 2 RETURNING id"), Vec::<String>::new());
    app.exec(&format!("INSERT INTO t VALUES (4, '{A}', 'more'); UPDATE t SET v = 'mine'"));
    assert_eq!(app.lines(rows), ["1 | mine", "4 | mine"]);
    assert_eq!(db.lines(rows), ["1 | mine", "2 | b", "3 | none", "4 | mine"]);
}

#[test]
fn every_type_and_what_is_none_of_it() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_types");
    db.exec(
        "CREATE DOMAIN number AS bigint; CREATE DOMAIN code AS varchar(8); CREATE DOMAIN again AS number",
    );
    for (n, (type_name, mine, theirs, bad)) in [
        ("bigint", "42", "43", &["", " ", "x", "4.2", "9223372036854775808"][..]),
        ("int", "42", "43", &["", "x", "2147483648", "42 43"][..]),
        ("number", "42", "43", &["", "x"][..]),
        ("again", "-1", "1", &["", "-"][..]),
        ("text", "acme", "Acme", &["", "  ", "acme ", "ACME"][..]),
        ("varchar(8)", "acme", "acm", &["", "  "][..]),
        ("code", "it's", "its", &["", "\t"][..]),
        ("uuid", A, B, &["", "x"][..]),
    ]
    .into_iter()
    .enumerate()
    {
        let literal = |v: &str| format!("'{}'", v.replace('\'', "''"));
        let (m, t) = (literal(mine), literal(theirs));
        db.exec(&format!(
            "CREATE TABLE t{n} (\"Te nant\" {type_name}, v int); INSERT INTO t{n} VALUES ({m}, 1), ({t}, 2);
             GRANT ALL ON t{n} TO tenant_types; SELECT dbguard.tenant_enable('t{n}', 'Te nant', 'my.own$setting')"
        ));
        assert_eq!(
            db.value(&format!(
                "SELECT problem IS NULL FROM dbguard.tenant_status() WHERE \"table\" = 't{n}'::regclass"
            )),
            "t",
            "{type_name}"
        );
        for bad in bad {
            app.exec(&format!("SET my.own$setting = {}", literal(bad)));
            assert_eq!(app.value(&format!("SELECT count(*) FROM t{n}")), "0", "{type_name} {bad:?}");
        }
        app.exec(&format!("SET my.own$setting = {m}"));
        assert_eq!(app.lines(&format!("SELECT v FROM t{n}")), ["1"], "{type_name}");
        assert_eq!(app.error(&format!("INSERT INTO t{n} VALUES ({t}, 3)")).code, "42501", "{type_name}");
    }
}

#[test]
fn nothing_can_widen_it() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_wide");
    db.exec(
        "CREATE TABLE t (id int, tenant_id int); INSERT INTO t VALUES (1, 1), (2, 2); GRANT ALL ON t TO tenant_wide;
         SELECT dbguard.tenant_enable('t'); CREATE POLICY everything ON t USING (true) WITH CHECK (true)",
    );
    app.exec("SET app.tenant_id = 1");
    assert_eq!(app.lines("SELECT id FROM t"), ["1"]);
    assert_eq!(app.error("INSERT INTO t VALUES (3, 2)").code, "42501");
    // the column gone: so is all that is seen
    db.exec("DROP POLICY everything ON t; ALTER TABLE t DROP COLUMN tenant_id CASCADE");
    assert_eq!(app.lines("SELECT id FROM t"), Vec::<String>::new());
    assert_eq!(app.error("INSERT INTO t VALUES (1)").code, "42501");
    // and the extension gone
    db.exec("CREATE TABLE u (id int, tenant_id int); INSERT INTO u VALUES (1, 1); GRANT ALL ON u TO tenant_wide; SELECT dbguard.tenant_enable('u')");
    assert_eq!(app.lines("SELECT id FROM u"), ["1"]);
    assert_eq!(db.error("DROP EXTENSION dbguard").code, "2BP01");
    db.exec("DROP EXTENSION dbguard CASCADE");
    assert_eq!(app.lines("SELECT id FROM u"), Vec::<String>::new());
}

#[test]
fn policies_of_ones_own_still_narrow_it() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_narrow");
    db.exec(
        "CREATE TABLE t (id int, tenant_id int, open bool); INSERT INTO t VALUES (1, 1, true), (2, 1, false), (3, 2, true);
         GRANT ALL ON t TO tenant_narrow; CREATE POLICY open ON t USING (open); SELECT dbguard.tenant_enable('t')",
    );
    app.exec("SET app.tenant_id = 1");
    assert_eq!(app.lines("SELECT id FROM t"), ["1"]);
    assert_eq!(app.error("INSERT INTO t VALUES (4, 1, false)").code, "42501");
    assert_eq!(db.lines("SELECT polname FROM pg_policy ORDER BY 1"), ["dbguard_tenant", "open"]);
}

#[test]
fn pooled_connections_and_prepared_statements() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_pool");
    db.exec("CREATE TABLE t (id int, tenant_id int); INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 9) i; GRANT ALL ON t TO tenant_pool; SELECT dbguard.tenant_enable('t')");
    for mode in ["force_generic_plan", "force_custom_plan"] {
        app.exec(&format!(
            "SET plan_cache_mode = {mode}; PREPARE q AS SELECT string_agg(id::text, ',' ORDER BY id) FROM t"
        ));
        for (tenant, rows) in [("1", "1,4,7"), ("2", "2,5,8"), ("0", "3,6,9"), ("", "<null>"), ("1", "1,4,7")]
        {
            app.exec(&format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'"));
            assert_eq!(app.value("EXECUTE q"), rows, "{mode}");
            app.exec("COMMIT");
            // the next who has this connection is nobody
            assert_eq!(app.value("EXECUTE q"), "<null>", "{mode}");
        }
        app.exec("DEALLOCATE q");
    }
    app.exec("BEGIN; SET LOCAL app.tenant_id = '1'; SAVEPOINT s; SET LOCAL app.tenant_id = '2'");
    assert_eq!(app.value("SELECT min(id) FROM t"), "2");
    app.exec("ROLLBACK TO s");
    assert_eq!(app.value("SELECT min(id) FROM t"), "1");
    app.exec("ROLLBACK");
}

#[test]
fn the_functions_tell_nothing_they_should_not() {
    let mut db = Db::new();
    let mut app = db.connect_as("tenant_curious");
    assert_eq!(db.value("SELECT dbguard.tenant_text('data_directory') IS NULL"), "f");
    assert_eq!(app.error("SELECT dbguard.tenant_text('data_directory')").code, "42501");
    assert_eq!(
        app.value("SELECT dbguard.tenant_text('no.such') IS NULL AND dbguard.tenant_int(NULL) IS NULL"),
        "t"
    );
}

#[test]
fn dump_and_restore() {
    let cluster = Cluster::start(&[]);
    let mut db = Db::new_in(&cluster);
    let long = "x".repeat(63);
    db.exec(&format!(
        "CREATE SCHEMA \"S.s\"; CREATE TABLE \"S.s\".\"{long}\" (gone int, \"T.\" uuid, id int) PARTITION BY LIST (id);
         ALTER TABLE \"S.s\".\"{long}\" DROP COLUMN gone;
         CREATE TABLE \"S.s\".one PARTITION OF \"S.s\".\"{long}\" DEFAULT; INSERT INTO \"S.s\".one VALUES ('{A}', 1), ('{B}', 2);
         SELECT dbguard.tenant_enable('\"S.s\".\"{long}\"', 'T.')"
    ));
    let (from, to) = (db.name.clone(), format!("{}_again", db.name));
    let dump = cluster.dir().join("tenant.sql");
    let dump = dump.to_str().unwrap();
    cluster.run("pg_dump", &["-f", dump, &from]);
    cluster.run("createdb", &[&to]);
    let restored = cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to, "-f", dump]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let mut again = Db::existing_in(&cluster, &to);
    for query in [
        "SELECT * FROM dbguard.tenant_status()",
        "SELECT * FROM dbguard.tenant_check() WHERE \"check\" <> 'role'",
    ] {
        assert_eq!(again.lines(query), db.lines(query));
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.tenant_check() WHERE severity = 'ok'"), "2");
    let mut app = again.connect_as("tenant_again");
    again.exec(&format!("GRANT USAGE ON SCHEMA \"S.s\" TO tenant_again; GRANT SELECT ON \"S.s\".\"{long}\", \"S.s\".one TO tenant_again"));
    app.exec(&format!("SET app.tenant_id = '{A}'"));
    assert_eq!(app.lines("SELECT id FROM \"S.s\".one"), ["1"]);
    // and the way back is known there, too
    again.exec(&format!("SELECT dbguard.tenant_disable('\"S.s\".\"{long}\"')"));
    assert_eq!(again.value("SELECT count(*) FROM pg_class WHERE relrowsecurity"), "0");
}
