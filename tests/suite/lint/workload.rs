//! Rules about what pg_stat_statements counted: on a cluster that preloads it.

use dbguard_tests::{Cluster, Db};

const SEEN: &str =
    "SELECT code, status, message FROM dbguard.lint(rules => '{queries}') ORDER BY code, message";

/// Has what a shop has. None: this server was built without pg_stat_statements.
fn shop(cluster: &Cluster) -> Option<Db<'_>> {
    let mut db = Db::new_in(cluster);
    if !db.offers(&["pg_stat_statements"]) {
        return None;
    }
    db.exec(
        r#"CREATE SCHEMA "S.s"; CREATE EXTENSION pg_stat_statements SCHEMA "S.s";
           CREATE TABLE customers (id int PRIMARY KEY, name text);
           CREATE TABLE "Orders" (id int PRIMARY KEY, customer_id int REFERENCES customers, doc jsonb, day int);
           INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 2000) i;
           INSERT INTO "Orders" SELECT i, i % 2000 + 1, '{}', i % 100 FROM generate_series(1, 20000) i;
           ANALYZE; SELECT "S.s".pg_stat_statements_reset()"#,
    );
    Some(db)
}

fn preloading() -> Option<Cluster> {
    Db::new()
        .offers(&["pg_stat_statements"])
        .then(|| Cluster::start(&["shared_preload_libraries = 'pg_stat_statements'"]))
}

/// What the rules say, with the number of the query and its measures taken out.
fn said(db: &mut Db) -> Vec<String> {
    let lines = db.rows(&format!(
        r"SELECT code, regexp_replace(regexp_replace(message, '-?\d{{4,}}', 'N', 'g'), '^query N: ([^:]*): .*', '\1')
          FROM ({SEEN}) s ORDER BY 1, 2"
    ));
    lines.into_iter().map(|l| l.join(" | ")).collect()
}

#[test]
fn each_rule_speaks_of_its_query_and_of_no_other() {
    let Some(cluster) = preloading() else { return };
    let Some(mut db) = shop(&cluster) else { return };
    let mut times = |n: usize, sql: &str| (0..n).for_each(|_| db.exec(sql));
    // what each rule is about
    times(20, r#"SELECT id, pg_sleep(0.11) FROM customers WHERE id = 7"#);
    times(101, r#"SELECT * FROM "Orders" WHERE id = 5"#);
    times(20, r#"SELECT id FROM "Orders" WHERE day >= 0"#);
    times(20, r#"SELECT id, doc FROM "Orders" ORDER BY id LIMIT 10 OFFSET 19000"#);
    for day in 0..10 {
        times(1, &format!(r#"SELECT id, customer_id FROM "Orders" WHERE day = {day}"#));
        for id in 1..=200 {
            times(1, &format!("SELECT name FROM customers WHERE id = {id}"));
        }
    }
    // near misses
    times(3, "SELECT pg_sleep(0.2), count(*) FROM customers");
    times(150, "SELECT * FROM customers WHERE id = 5");
    times(150, r#"SELECT count(*) FROM (SELECT * FROM "Orders" LIMIT 1) s"#);
    times(20, r#"SELECT id FROM "Orders" WHERE day >= 0 LIMIT 15000"#);
    times(20, r#"SELECT id, day FROM "Orders" ORDER BY id LIMIT 10 OFFSET 0"#);
    times(1, "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off");
    times(
        20,
        r#"SELECT o.id, c.name, d.name FROM "Orders" o JOIN customers c ON c.id = o.customer_id
           JOIN customers d ON d.id = o.customer_id ORDER BY o.id LIMIT 50 OFFSET 0"#,
    );
    times(150, "SELECT * FROM pg_catalog.pg_proc");
    times(1, "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM name FROM customers WHERE id = i; END LOOP; END $$");
    let seen = said(&mut db);
    assert_eq!(
        seen.iter().map(|l| l.split(" | ").next().unwrap()).collect::<Vec<_>>(),
        ["QRY001", "QRY003", "QRY004", "QRY005", "QRY006"],
        "{seen:#?}"
    );
    assert!(seen[0].ends_with("ms a call, 20 calls"), "{seen:?}");
    assert_eq!(seen[1], "QRY003 | reads all 4 columns of public.\"Orders\"");
    assert_eq!(seen[2], "QRY004 | N rows a call without LIMIT, 20 calls");
    assert!(seen[3].starts_with("QRY005 | OFFSET in public.\"Orders\", "), "{seen:?}");
    assert!(
        seen[4].contains("N calls by one key of public.customers, about as many as query N returned rows")
    );
    // a query has its own fingerprint, and it stays
    let prints = "SELECT count(DISTINCT fingerprint), count(*) FROM dbguard.lint(rules => '{queries}')";
    assert_eq!(db.lines(prints), ["5 | 5"]);
    // shares mean something from a minute on, or from what the user says
    db.exec("SELECT dbguard.lint_configure('QRY002', params => '{\"seconds\": 1}')");
    // on a busy machine others may take their share as well
    let share = db.lines("SELECT severity FROM dbguard.lint(rules => '{QRY002}') WHERE message ~ '% of the time of all queries, 20 calls: SELECT id, pg_sleep'");
    assert_eq!(share, ["info"]);

    let mut other = Db::new_in(&cluster);
    other.exec("CREATE EXTENSION pg_stat_statements");
    assert_eq!(other.lines(SEEN), Vec::<String>::new(), "statements of another database");
}

#[test]
fn who_may_not_see_the_statements_is_told_so() {
    let Some(cluster) = preloading() else { return };
    let Some(mut db) = shop(&cluster) else { return };
    let reason = "only roles with the rights of pg_read_all_stats see the statements of others";
    let mut nobody = db.connect_as("workload_nobody");
    db.exec("GRANT USAGE ON SCHEMA \"S.s\" TO workload_nobody");
    let seen = nobody.lines(SEEN);
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert!(seen.iter().all(|l| l.ends_with(&format!("| skipped | not checked: {reason}"))), "{seen:?}");
    db.exec("GRANT pg_read_all_stats TO workload_nobody");
    assert_eq!(nobody.lines(SEEN), Vec::<String>::new());
    db.exec("DROP EXTENSION pg_stat_statements");
    assert!(db.lines(SEEN)[0].ends_with("the extension pg_stat_statements is not installed in this database"));
}

#[test]
fn a_server_that_does_not_preload_it_is_told_so() {
    let mut db = Db::new();
    if !db.offers(&["pg_stat_statements"]) {
        return;
    }
    db.exec("CREATE EXTENSION pg_stat_statements");
    let seen = db.lines(SEEN);
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|l| l.contains("shared_preload_libraries")), "{seen:?}");
}

#[test]
fn a_view_of_that_name_that_is_not_the_extensions_is_not_read() {
    let Some(cluster) = preloading() else { return };
    let mut db = Db::new_in(&cluster);
    // older versions lack the view, so that whoever may create objects there can make one
    db.exec(
        "CREATE SCHEMA ext; CREATE EXTENSION pg_stat_statements SCHEMA ext VERSION '1.8'; CREATE SEQUENCE marks;
         CREATE VIEW ext.pg_stat_statements_info AS SELECT nextval('public.marks') AS dealloc, now() AS stats_reset",
    );
    db.exec("SELECT * FROM dbguard.lint(profile => 'production')");
    assert_eq!(db.value("SELECT is_called FROM marks"), "f");
}
