//! All tables of a schema, and those that are made later.

use dbguard_tests::{Cluster, Db};

#[test]
fn all_tables_of_a_schema() {
    let mut db = Db::new();
    db.exec(
        r#"CREATE SCHEMA "S.s"; SET search_path = "S.s";
           CREATE TABLE a (id int, updated_at date, created_by text); CREATE TABLE "B b" (updated_at timestamptz);
           CREATE TABLE c (updated_at text); CREATE TABLE d (id int); CREATE TABLE e (updated_at date);
           CREATE TABLE p (id int, updated_at date) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
           CREATE VIEW v AS SELECT * FROM a; RESET search_path"#,
    );
    let all = |args: &str| {
        format!("SELECT \"table\", what, action, message FROM dbguard.touch_enable_all('S.s', skip => '{{e}}'{args})")
    };
    let wrong = "column \"updated_at\" must be of type timestamp with time zone, timestamp or date";
    let expected = [
        "\"S.s\".\"B b\" | updated_at | enabled | <null>".to_owned(),
        "\"S.s\".a | updated_at | enabled | <null>".to_owned(),
        "\"S.s\".a | created_by | enabled | <null>".to_owned(),
        format!("\"S.s\".c | updated_at | failed | {wrong}"),
        "\"S.s\".p | updated_at | enabled | <null>".to_owned(),
    ];
    let args = ", what => '{updated_at,created_by}', options => '{missing=user}'";
    assert_eq!(db.lines(&all(&format!("{args}, dry_run => true"))), expected);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.touch_status()"), "0");
    assert_eq!(db.lines(&all(args)), expected);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.touch_status() WHERE problem IS NULL"), "4");
    let again: Vec<String> = expected.iter().map(|e| e.replace("enabled", "unchanged")).collect();
    assert_eq!(db.lines(&all(args)), again);
    for (args, code, message) in [
        ("'nope'", "3F000", "schema \"nope\" does not exist"),
        ("NULL", "22004", "argument \"schema\" must not be null"),
        ("'S.s', skip => '{x}'", "42P01", "relation \"x\" does not exist in schema \"S.s\""),
        ("'S.s', '{deleted_at}'", "22023", "cannot keep \"deleted_at\""),
        (
            "'S.s', options => '{missing=user}'",
            "22023",
            "nothing that is kept has the option \"missing=user\"",
        ),
    ] {
        let e = db.error(&format!("SELECT dbguard.touch_enable_all({args})"));
        assert_eq!((e.code.as_str(), e.message.as_str()), (code, message), "{args}");
    }
    // another's tables fail, and are told
    let mut other = db.connect_as("touch_all_other");
    db.exec("GRANT USAGE ON SCHEMA \"S.s\" TO touch_all_other");
    assert_eq!(other.lines("SELECT DISTINCT action FROM dbguard.touch_enable_all('S.s')"), ["failed"]);
}

#[test]
fn tables_made_later() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s; CREATE SCHEMA elsewhere; CREATE TABLE s.before (updated_at date);
         SELECT dbguard.touch_auto_enable('s', '{updated_at,version}', '{clock=clock_timestamp}')",
    );
    let kept = "SELECT \"table\", what FROM dbguard.touch_status()";
    db.exec(
        "CREATE TABLE s.a (id int, updated_at timestamptz, version int);
         CREATE TABLE s.b AS SELECT now()::date AS updated_at; SELECT now() AS updated_at INTO s.c;
         CREATE TABLE s.none (id int); CREATE TABLE elsewhere.x (updated_at date); CREATE TEMP TABLE y (updated_at date);
         CREATE TABLE s.wrong (updated_at text, version int);
         CREATE TABLE s.p (id int, v text, updated_at timestamptz DEFAULT '2000-01-01') PARTITION BY LIST (id);
         CREATE TABLE s.p1 PARTITION OF s.p DEFAULT; INSERT INTO s.p VALUES (1); UPDATE s.p1 SET v = 'x'",
    );
    let expected = [
        "s.a | updated_at",
        "s.a | version",
        "s.b | updated_at",
        "s.c | updated_at",
        "s.p | updated_at",
        "s.wrong | version",
    ];
    assert_eq!(db.lines(kept), expected);
    assert_eq!(db.value("SELECT updated_at > '2020-01-01' FROM s.p"), "t");
    // moved into it, and the schema renamed
    db.exec("ALTER TABLE elsewhere.x SET SCHEMA s; ALTER SCHEMA s RENAME TO \"S 2\"; CREATE TABLE \"S 2\".d (updated_at date); CREATE SCHEMA s; CREATE TABLE s.e (updated_at date)");
    assert_eq!(
        db.lines("SELECT \"table\" FROM dbguard.touch_status() WHERE \"table\"::text ~ '[.](x|d|e)$'"),
        ["\"S 2\".d", "\"S 2\".x"]
    );
    // what somebody switched off stays off
    db.exec("SELECT dbguard.touch_disable('\"S 2\".d'); ALTER TABLE \"S 2\".d ADD COLUMN more int");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.touch_status() WHERE \"table\" = '\"S 2\".d'::regclass"),
        "0"
    );
    assert_eq!(db.value("SELECT dbguard.touch_auto_disable('S 2')"), "t");
    assert_eq!(db.value("SELECT dbguard.touch_auto_disable('S 2')"), "f");
    db.exec("CREATE TABLE \"S 2\".f (updated_at date)");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.touch_status() WHERE \"table\"::text ~ 'f$'"), "0");
}

#[test]
fn who_may_demand_it() {
    let mut db = Db::new();
    let mut maker = db.connect_as("touch_maker");
    db.exec(
        "CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO touch_maker; REVOKE USAGE ON SCHEMA dbguard FROM PUBLIC",
    );
    assert_eq!(maker.error("SELECT dbguard.touch_auto_enable('s')").code, "42501");
    db.exec("GRANT USAGE ON SCHEMA dbguard TO PUBLIC");
    assert_eq!(maker.error("SELECT dbguard.touch_auto_enable('s')").message, "must be owner of schema s");
    assert_eq!(maker.error("SELECT dbguard.touch_auto_enable(NULL)").code, "42501");
    assert_eq!(db.error("SELECT dbguard.touch_auto_enable('s', '{x}')").code, "22023");
    assert_eq!(db.value("SELECT dbguard.touch_auto_enable(NULL)"), "t");
    assert_eq!(db.value("SELECT dbguard.touch_auto_enable(NULL, options => '{given=keep}')"), "f");
    // his table is his
    maker.exec(
        "CREATE TABLE s.t (id int, updated_at date); INSERT INTO s.t VALUES (1); UPDATE s.t SET id = 2",
    );
    assert_eq!(db.value("SELECT updated_at IS NOT NULL FROM s.t"), "t");
}

#[test]
fn dump_and_restore() {
    let cluster = Cluster::start(&[]);
    let mut db = Db::new_in(&cluster);
    db.exec(
        "CREATE SCHEMA s; SELECT dbguard.touch_auto_enable('s', '{updated_at,created_by}', '{missing=user}');
         CREATE TABLE s.t (id int, updated_at date, created_by text); INSERT INTO s.t VALUES (1, '2000-01-01', 'importer')",
    );
    let (from, to) = (db.name.clone(), format!("{}_again", db.name));
    let dump = cluster.dir().join("touch.sql");
    let dump = dump.to_str().unwrap();
    cluster.run("pg_dump", &["-f", dump, &from]);
    cluster.run("createdb", &[&to]);
    cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to, "-f", dump]);
    let mut again = Db::existing_in(&cluster, &to);
    let status = "SELECT \"table\", what, trigger_name, problem FROM dbguard.touch_status()";
    assert_eq!(again.lines(status), db.lines(status));
    assert_eq!(again.lines("SELECT * FROM s.t"), ["1 | 2000-01-01 | postgres"]);
    again.exec("CREATE TABLE s.u (updated_at date)");
    assert_eq!(
        again.value("SELECT count(*) FROM dbguard.touch_status() WHERE \"table\" = 's.u'::regclass"),
        "1"
    );
}
