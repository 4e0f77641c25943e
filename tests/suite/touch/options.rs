//! What the options of the trigger functions change.

use dbguard_tests::Db;

const FRESH: &str = "SELECT string_agg((updated_at > '2020-01-01')::text, ',' ORDER BY id) FROM t";

fn db(options: &str) -> Db<'static> {
    let mut db = Db::new();
    db.exec(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text, seen int, \"k=v\" int, updated_at timestamptz DEFAULT '2000-01-01Z');
         SELECT dbguard.touch_enable('t', options => '{options}'); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
    ));
    db
}

#[test]
fn the_clock() {
    let mut db = db("{clock=clock_timestamp}");
    db.exec("BEGIN; SELECT pg_sleep(0.01); UPDATE t SET v = 'x'");
    assert_eq!(
        db.value("SELECT bool_and(updated_at > now() AND updated_at < clock_timestamp()) FROM t"),
        "t"
    );
    db.exec("COMMIT; SELECT dbguard.touch_enable('t', options => '{clock=now}')");
    db.exec("BEGIN; SELECT pg_sleep(0.01); UPDATE t SET v = 'y'");
    assert_eq!(db.value("SELECT bool_and(updated_at = now()) FROM t"), "t");
    db.exec("COMMIT");
}

#[test]
fn a_value_given_on_purpose() {
    let mut db = db("{given=keep}");
    db.exec(
        "UPDATE t SET v = 'x', updated_at = '1999-01-01Z' WHERE id = 1; UPDATE t SET v = 'y' WHERE id = 2",
    );
    assert_eq!(db.lines("SELECT id FROM t WHERE updated_at = '1999-01-01Z'"), ["1"]);
    assert_eq!(db.value(FRESH), "false,true");
}

#[test]
fn columns_that_do_not_count() {
    let mut db = db("{ignore=seen,\"ignore=k=v\"}");
    db.exec("UPDATE t SET seen = 1, \"k=v\" = 2");
    assert_eq!(db.value(FRESH), "false,false");
    db.exec("UPDATE t SET seen = 2, v = 'x' WHERE id = 2");
    assert_eq!(db.value(FRESH), "false,true");
    db.exec("ALTER TABLE t DROP COLUMN seen");
    let e = db.error("UPDATE t SET v = 'y'");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("42703", "column \"seen\" of relation \"t\" does not exist")
    );
    assert_eq!(
        db.value("SELECT problem FROM dbguard.touch_status()"),
        "column \"seen\" does not exist: writes fail"
    );
}

#[test]
fn domains_and_precision() {
    let mut db = Db::new();
    db.exec(
        "CREATE DOMAIN moment AS timestamptz(0) NOT NULL CHECK (value > '2001-01-01'); CREATE DOMAIN day AS date;
         CREATE DOMAIN past AS moment CHECK (value < '2002-01-01Z');
         CREATE TABLE t (id int, a moment DEFAULT '2001-06-01', b day, c timestamp(3), d timestamptz(2));
         CREATE TRIGGER a BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('a');
         CREATE TRIGGER b BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('b');
         CREATE TRIGGER c BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('c');
         CREATE TRIGGER d BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION dbguard.set_updated_at('d');
         INSERT INTO t VALUES (1)",
    );
    for n in 0..20 {
        db.exec(&format!("BEGIN; UPDATE t SET id = {n} + 10"));
        let same = "SELECT a = now()::timestamptz(0), b = current_date, c = now()::timestamp(3), d = now()::timestamptz(2) FROM t";
        assert_eq!(db.lines(same), ["t | t | t | t"]);
        db.exec("COMMIT");
    }
    // what a trigger writes the server does not check against the domain
    db.exec("CREATE TABLE u (id int, updated_at past DEFAULT '2001-06-01'); SELECT dbguard.touch_enable('u'); INSERT INTO u VALUES (1)");
    let e = db.error("UPDATE u SET id = 2");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("23514", "value for domain past violates check constraint \"past_check\"")
    );
}

#[test]
fn what_the_others_keep_is_no_change() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int, v text, created_at timestamptz DEFAULT '2000-01-01Z', updated_at timestamptz DEFAULT '2000-01-01Z',
                         updated_by text DEFAULT 'nobody', created_by text DEFAULT 'maker', version int DEFAULT 7);
         INSERT INTO t VALUES (1, 'a');
         SELECT dbguard.touch_enable('t', what => w) FROM unnest('{updated_at,created_at,updated_by,created_by,version}'::text[]) w;
         SET dbguard.actor = 'me'",
    );
    let row = "SELECT created_at, updated_at = now(), updated_by, created_by, version FROM t";
    db.exec("SET timezone = 'UTC'; BEGIN; UPDATE t SET v = v, created_at = now(), created_by = 'thief'");
    assert_eq!(db.lines(row), ["2000-01-01 00:00:00+00 | f | nobody | maker | 7"]);
    db.exec("UPDATE t SET v = 'b', created_at = now(), created_by = 'thief', updated_by = 'thief', updated_at = 'infinity'");
    assert_eq!(db.lines(row), ["2000-01-01 00:00:00+00 | t | me | maker | 8"]);
    db.exec("COMMIT");
    let status = "SELECT what, trigger_name FROM dbguard.touch_status()";
    assert_eq!(
        db.lines(status),
        [
            "updated_at | dbguard_touch",
            "created_at | dbguard_touch_created_at",
            "created_by | dbguard_touch_created_by",
            "updated_by | dbguard_touch_updated_by",
            "version | dbguard_touch_version"
        ]
    );
    db.exec("SELECT dbguard.touch_disable('t', 'created_by')");
    assert_eq!(db.lines(status).len(), 4);
    db.exec("SELECT dbguard.touch_disable('t')");
    assert_eq!(db.lines(status).len(), 0);
}
