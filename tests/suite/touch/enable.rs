//! Switching on and off, and every way to do it wrong.

use dbguard_tests::Db;

#[test]
fn on_changed_off() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, updated_at timestamptz, \"Changed At\" date)");
    assert_eq!(db.lines("SELECT * FROM dbguard.touch_enable('t')"), ["t | updated_at | enabled"]);
    assert_eq!(db.lines("SELECT * FROM dbguard.touch_enable('t')"), ["t | updated_at | unchanged"]);
    assert_eq!(
        db.lines("SELECT * FROM dbguard.touch_enable('t', 'Changed At')"),
        ["t | Changed At | changed"]
    );
    assert_eq!(
        db.lines("SELECT * FROM dbguard.touch_status()"),
        ["t | Changed At | updated_at | dbguard_touch | enabled | <null>"]
    );
    db.exec("ALTER TABLE t DISABLE TRIGGER dbguard_touch");
    assert_eq!(
        db.value("SELECT problem FROM dbguard.touch_status()"),
        "the column is not kept: the trigger is disabled"
    );
    assert_eq!(
        db.lines("SELECT * FROM dbguard.touch_enable('t', 'Changed At')"),
        ["t | Changed At | changed"]
    );
    assert_eq!(db.value("SELECT state FROM dbguard.touch_status()"), "enabled");
    assert_eq!(db.value("SELECT dbguard.touch_disable('t')"), "t");
    assert_eq!(db.value("SELECT dbguard.touch_disable('t')"), "f");
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, updated_at text, g timestamptz GENERATED ALWAYS AS ('2000-01-01'::timestamptz) STORED, ok timestamptz);
         CREATE VIEW v AS SELECT * FROM t; CREATE TEMP TABLE tmp (updated_at date);
         CREATE TABLE p (updated_at date, id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p DEFAULT",
    );
    let cases = [
        ("NULL", "22004", "argument \"relation\" must not be null"),
        ("'t', what => NULL", "22004", "argument \"what\" must not be null"),
        ("'t', what => 'deleted_at'", "22023", "cannot keep \"deleted_at\""),
        ("'t', 'ok', options => '{NULL}'", "22023", "argument \"options\" must not contain nulls"),
        (
            "'t', 'ok', options => '{clock}'",
            "22023",
            "option \"clock\" of trigger function \"set_updated_at\" cannot be \"\"",
        ),
        (
            "'t', 'ok', options => '{next=accept}'",
            "22023",
            "trigger function \"set_updated_at\" has no option \"next=accept\"",
        ),
        (
            "'t', 'ok', options => '{ignore=nope}'",
            "42703",
            "column \"nope\" of relation \"t\" does not exist",
        ),
        ("'t', 'ok', 'version'", "42804", "column \"ok\" must be of type bigint, integer or smallint"),
        ("'v'", "42809", "\"v\" is a view"),
        ("'tmp'", "42809", "\"tmp\" is a temporary table"),
        ("'p1'", "42809", "\"p1\" is a partition"),
        ("'pg_class'", "42809", "\"pg_class\" is a system catalog"),
        ("'t'", "42804", "column \"updated_at\" must be of type timestamp with time zone, timestamp or date"),
        ("'t', 'nope'", "42703", "column \"nope\" of relation \"t\" does not exist"),
        ("'t', 'g'", "42809", "column \"g\" is a generated column"),
        ("'t', 'xmin'", "42703", "column \"xmin\" of relation \"t\" does not exist"),
    ];
    for (args, code, message) in cases {
        let error = db.error(&format!("SELECT dbguard.touch_enable({args})"));
        assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{args}");
    }
    assert_eq!(
        db.error("SELECT dbguard.touch_enable('t', 'nope')").hint,
        "ALTER TABLE public.t ADD COLUMN nope timestamptz NOT NULL DEFAULT now();"
    );
    assert_eq!(db.value("SELECT count(*) FROM pg_trigger WHERE tgname ~ 'dbguard'"), "0");
    let mut other = db.connect_as("touch_other");
    assert_eq!(other.error("SELECT dbguard.touch_enable('t', 'ok')").code, "42501");
}

#[test]
fn misuse_in_create_trigger() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, updated_at timestamptz, s text); INSERT INTO t VALUES (1)");
    for (trigger, code) in [
        ("AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at()", "39P01"),
        (
            "BEFORE INSERT OR UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION dbguard.set_updated_at()",
            "39P01",
        ),
        ("BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('nope')", "42703"),
        ("BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('s')", "42804"),
        ("BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('a', 'b')", "22023"),
    ] {
        db.exec(&format!("CREATE TRIGGER x {trigger}"));
        let error = db.error("UPDATE t SET id = 2");
        assert_eq!(error.code, code, "{trigger}");
        assert_ne!(error.hint, "", "{trigger}");
        db.exec("DROP TRIGGER x ON t");
    }
    assert_eq!(db.error("SELECT dbguard.set_updated_at()").code, "39P01");
}

#[test]
fn two_for_one_column() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, version int, updated_at date);
             CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.bump_version('version')");
    let e = db.error("SELECT dbguard.touch_enable('t', what => 'version')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("55000", "trigger \"mine\" keeps column \"version\" already")
    );
    assert_eq!(e.hint, "DROP TRIGGER IF EXISTS mine ON public.t;");
    db.exec("CREATE TRIGGER again BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.bump_version()");
    assert_eq!(
        db.lines("SELECT problem FROM dbguard.touch_status()"),
        ["trigger \"mine\" keeps the column as well", "trigger \"again\" keeps the column as well"]
    );
    // for rows that replication applies, too: that stays
    db.exec("SELECT dbguard.touch_enable('t'); ALTER TABLE t ENABLE ALWAYS TRIGGER dbguard_touch");
    assert_eq!(db.value("SELECT action FROM dbguard.touch_enable('t')"), "unchanged");
    assert_eq!(
        db.value("SELECT action FROM dbguard.touch_enable('t', options => '{given=keep}')"),
        "changed"
    );
    assert_eq!(db.value("SELECT state FROM dbguard.touch_status() WHERE what = 'updated_at'"), "always");
    db.exec("SET session_replication_role = replica; INSERT INTO t VALUES (1, 5); UPDATE t SET id = 2");
    assert_eq!(db.lines("SELECT version, updated_at IS NOT NULL FROM t"), ["5 | t"]);
}

#[test]
fn two_ways_for_one_column() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, updated_at date); SELECT dbguard.touch_enable('t')");
    let e = db.error("SELECT dbguard.touch_enable('t', 'updated_at', 'created_at')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("55000", "trigger \"dbguard_touch\" keeps column \"updated_at\" already")
    );
}

#[test]
fn by_the_name_of_the_function() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, version int)");
    let enable =
        |what: &str| format!("SELECT \"column\", action FROM dbguard.touch_enable('t', what => '{what}')");
    assert_eq!(db.lines(&enable("bump_version")), ["version | enabled"]);
    assert_eq!(db.lines(&enable("version")), ["version | unchanged"]);
    assert_eq!(db.value("SELECT dbguard.touch_disable('t', 'bump_version')"), "t");
}
