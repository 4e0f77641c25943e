//! Switching it on and off.

use dbguard_tests::Db;

const STATE: &str = "SELECT c.relrowsecurity, c.relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) FROM pg_class c WHERE c.relname = 't'";

#[test]
fn the_plan_is_what_is_done() {
    let mut db = Db::new();
    let (mut listening, heard) = db.connect_listening();
    db.exec(
        "CREATE TABLE tenants (id int PRIMARY KEY); CREATE TABLE t (id int, tenant_id int); INSERT INTO tenants VALUES (1); INSERT INTO t VALUES (1, 1)",
    );
    let steps = |function: &str| format!("SELECT * FROM dbguard.{function}('t', tenants => 'tenants')");
    let plan = db.lines(&steps("tenant_plan"));
    assert_eq!(db.lines(STATE), ["f | f | 0"]);
    assert_eq!(listening.lines(&steps("tenant_enable")), plan);
    assert_eq!(db.lines(STATE), ["t | t | 2"]);
    // what is left can be done as it stands, one statement after the other
    let left = "SELECT step, statement FROM dbguard.tenant_enable('t', tenants => 'tenants') WHERE action = 'by hand'";
    let rest = listening.rows(left);
    assert_eq!(
        rest.iter().map(|r| r[0].as_str()).collect::<Vec<_>>(),
        ["not null", "not null", "not null", "not null", "foreign key", "foreign key"]
    );
    assert_eq!(heard.lines(), ["NOTICE | table \"t\" is already guarded, nothing to do |  | "]);
    for row in rest {
        db.exec(&row[1]);
    }
    assert_eq!(db.lines(&steps("tenant_plan")), Vec::<String>::new());
    assert_eq!(
        db.value(
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'tenant_id'"
        ),
        "t"
    );
}

#[test]
fn options_can_be_changed() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (a int, b bigint); INSERT INTO t VALUES (1, 2); SELECT dbguard.tenant_enable('t', 'a')");
    let status = "SELECT \"column\", type, setting, force, problem FROM dbguard.tenant_status()";
    assert_eq!(db.lines(status), ["a | int | app.tenant_id | t | <null>"]);
    db.exec("SELECT dbguard.tenant_enable('t', 'b', 'x.y', false)");
    assert_eq!(db.lines(status), ["b | bigint | x.y | f | <null>"]);
    assert_eq!(
        db.lines("SELECT policyname, qual FROM pg_policies ORDER BY 1"),
        [
            "dbguard_tenant | (b = ( SELECT dbguard.tenant_bigint('x.y'::text) AS tenant_bigint))",
            "dbguard_tenant_access | (b = ( SELECT dbguard.tenant_bigint('x.y'::text) AS tenant_bigint))"
        ]
    );
    db.exec("SELECT dbguard.tenant_disable('t')");
    assert_eq!(db.lines(STATE), ["f | f | 0"]);
    // a rename is followed
    db.exec("SELECT dbguard.tenant_enable('t', 'b'); ALTER TABLE t RENAME b TO \"select\"");
    assert_eq!(db.lines(status), ["select | bigint | app.tenant_id | t | <null>"]);
}

#[test]
fn disable_takes_back_what_enable_did() {
    let mut db = Db::new();
    let (mut listening, heard) = db.connect_listening();
    for before in ["", "ENABLE", "ENABLE, FORCE", "FORCE"] {
        let alter: String = before
            .split(", ")
            .filter(|b| !b.is_empty())
            .map(|b| format!("ALTER TABLE t {b} ROW LEVEL SECURITY;"))
            .collect();
        db.exec(&format!("CREATE TABLE t (tenant_id int); {alter}"));
        let state = db.lines(STATE);
        // with other options in between
        db.exec("SELECT dbguard.tenant_enable('t'); SELECT dbguard.tenant_enable('t', setting => 'x.y')");
        assert_eq!(listening.value("SELECT dbguard.tenant_disable('t')"), "t", "{before}");
        assert_eq!(db.lines(STATE), state, "{before}");
        db.exec("DROP TABLE t");
    }
    assert_eq!(heard.lines(), Vec::<String>::new());
    // other policies keep it on
    db.exec("CREATE TABLE t (tenant_id int); SELECT dbguard.tenant_enable('t'); CREATE POLICY mine ON t USING (true)");
    listening.exec("SELECT dbguard.tenant_disable('t')");
    assert_eq!(db.lines(STATE), ["t | f | 1"]);
    assert_eq!(
        heard.lines(),
        ["NOTICE | row-level security of table \"t\" stays on: it has other policies |  | "]
    );
    assert_eq!(listening.value("SELECT dbguard.tenant_disable('t')"), "f");
    assert_eq!(heard.lines(), ["NOTICE | table \"t\" is not guarded, nothing to do |  | "]);
    // nobody knows any more: it stays shut
    db.exec("DROP POLICY mine ON t; ALTER TABLE t DISABLE ROW LEVEL SECURITY; SELECT dbguard.tenant_enable('t'); COMMENT ON POLICY dbguard_tenant ON t IS NULL");
    listening.exec("SELECT dbguard.tenant_disable('t')");
    assert_eq!(db.lines(STATE), ["t | t | 0"]);
}

#[test]
fn what_it_refuses() {
    let mut db = Db::new();
    let mut other = db.connect_as("tenant_other");
    db.exec(
        "CREATE TABLE t (id int, tenant_id int, at timestamptz); CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
         CREATE TABLE p (id int, tenant_id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE TEMP TABLE x (tenant_id int);
         CREATE TABLE nokey (id int)",
    );
    for (args, code, message) in [
        ("'v'", "42809", "\"v\" is a view"),
        ("'m'", "42809", "\"m\" is a materialized view"),
        ("'x'", "42809", "\"x\" is a temporary table"),
        ("'pg_class'", "42809", "\"pg_class\" is a system catalog"),
        ("'dbguard.touch_auto'", "42809", "\"touch_auto\" belongs to dbguard"),
        ("'p1'", "42809", "\"p1\" is a partition"),
        ("'t', 'nope'", "42703", "column \"nope\" of relation \"t\" does not exist"),
        ("'t', 'at'", "42804", "column \"at\" of relation \"t\" cannot hold a tenant"),
        ("'t', setting => 'tenant'", "42602", "invalid setting name \"tenant\""),
        ("'t', setting => 'app.it''s'", "42602", "invalid setting name \"app.it's\""),
        ("'t', setting => 'dbguard.tenant_id'", "42602", "invalid setting name \"dbguard.tenant_id\""),
        ("'t', setting => NULL", "22004", "argument \"setting\" must not be null"),
        ("'t', NULL", "22004", "argument \"tenant_column\" must not be null"),
        ("NULL", "22004", "argument \"relation\" must not be null"),
        ("'t', tenants => 'nokey'", "55000", "table \"nokey\" has no primary key of one column"),
    ] {
        for function in ["tenant_enable", "tenant_plan"] {
            let e = db.error(&format!("SELECT dbguard.{function}({args})"));
            assert_eq!((e.code.as_str(), e.message.as_str()), (code, message), "{function}({args})");
            assert!(!e.hint.is_empty() || code == "22004", "{args}");
        }
    }
    for call in ["tenant_enable('t')", "tenant_plan('t')", "tenant_disable('t')"] {
        let e = other.error(&format!("SELECT dbguard.{call}"));
        assert_eq!((e.code.as_str(), e.message.as_str()), ("42501", "must be owner of table t"), "{call}");
    }
    assert_eq!(db.value("SELECT count(*) FROM pg_policy"), "0");
}

#[test]
fn all_tables_of_a_schema() {
    let mut db = Db::new();
    let mut other = db.connect();
    db.exec(
        "CREATE SCHEMA s; CREATE TABLE s.a (tenant_id int); CREATE TABLE s.\"B b\" (tenant_id uuid); CREATE TABLE s.c (tenant_id date);
         CREATE TABLE s.d (id int); CREATE TABLE s.e (tenant_id int); CREATE TABLE s.f (tenant_id int);
         CREATE TABLE s.p (id int, tenant_id int) PARTITION BY LIST (id); CREATE TABLE s.p1 PARTITION OF s.p DEFAULT PARTITION BY LIST (id);
         CREATE TABLE s.p2 PARTITION OF s.p1 DEFAULT; CREATE TABLE s.kid () INHERITS (s.a)",
    );
    other.exec("BEGIN; LOCK TABLE s.f IN ACCESS SHARE MODE");
    let all = |dry: bool| {
        format!("SELECT DISTINCT \"table\"::text COLLATE \"C\", step, reason FROM dbguard.tenant_enable_all('s', skip => '{{e}}', dry_run => {dry}) WHERE step IN ('row security', 'failed', 'nothing') ORDER BY 1")
    };
    let off = "without it policies do nothing";
    let expected = [
        format!("s.\"B b\" | row security | {off}"),
        format!("s.a | row security | {off}"),
        "s.c | failed | column \"tenant_id\" of relation \"c\" cannot hold a tenant".to_owned(),
        "s.f | failed | canceling statement due to lock timeout".to_owned(),
        format!("s.kid | row security | {off}"),
        format!("s.p | row security | {off}"),
        format!("s.p1 | row security | {off}"),
        format!("s.p2 | row security | {off}"),
    ];
    assert_eq!(db.lines(&all(true)), expected);
    assert_eq!(db.value("SELECT count(*) FROM pg_policy"), "0");
    assert_eq!(db.lines(&all(false)), expected);
    assert_eq!(
        db.lines("SELECT \"table\", children, unguarded FROM dbguard.tenant_status()"),
        ["s.\"B b\" | 0 | 0", "s.a | 1 | 0", "s.p | 2 | 0"]
    );
    other.exec("COMMIT");
    for (args, code) in [
        ("'nope'", "3F000"),
        ("NULL", "22004"),
        ("'s', skip => '{x}'", "42P01"),
        ("'s', skip => '{NULL}'", "22023"),
    ] {
        assert_eq!(db.error(&format!("SELECT dbguard.tenant_enable_all({args})")).code, code, "{args}");
    }
}

#[test]
fn two_sessions_at_once() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (tenant_id int)");
    let mut first = db.connect();
    first.exec("BEGIN; SELECT dbguard.tenant_enable('t')");
    let mut second = db.connect();
    let waiting = std::thread::scope(|s| {
        let other =
            s.spawn(|| second.lines("SELECT step FROM dbguard.tenant_enable('t') WHERE action = 'at once'"));
        while db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") != "1"
        {
            std::thread::yield_now();
        }
        first.exec("COMMIT");
        other.join().unwrap()
    });
    assert_eq!(waiting, Vec::<String>::new());
    assert_eq!(db.lines(STATE), ["t | t | 2"]);
}

#[test]
fn what_status_tells() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (tenant_id int); SELECT dbguard.tenant_enable('t')");
    let problem = "SELECT problem, fix_sql FROM dbguard.tenant_status()";
    assert_eq!(db.lines(problem), ["<null> | <null>"]);
    db.exec("DROP INDEX t_tenant_id_idx");
    assert_eq!(db.lines(problem), ["no index begins with the tenant column | SELECT dbguard.tenant_enable('public.t', 'tenant_id', 'app.tenant_id')"]);
    db.exec("ALTER TABLE t DISABLE ROW LEVEL SECURITY");
    assert_eq!(db.lines(problem), ["row-level security is off: every tenant's rows are seen | ALTER TABLE public.t ENABLE ROW LEVEL SECURITY"]);
    for change in [
        "USING (true)",
        "WITH CHECK (tenant_id > 0)",
        "TO postgres",
        "USING (tenant_id = 1 OR tenant_id = (SELECT dbguard.tenant_int('app.tenant_id')))",
    ] {
        db.exec(&format!("SELECT dbguard.tenant_enable('t'); ALTER POLICY dbguard_tenant ON t {change}"));
        assert!(db.lines(problem)[0].starts_with("policy dbguard_tenant is not as it was made"), "{change}");
    }
    // called again, it is mended
    db.exec("SELECT dbguard.tenant_enable('t')");
    assert_eq!(db.lines(problem), ["<null> | <null>"]);
}
