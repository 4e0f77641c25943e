//! Nothing can be put among what is sealed, nor made to look as if it had been there.

use dbguard_tests::Db;

const PROBLEMS: &str = "SELECT seal, problem, \"table\", key FROM dbguard.audit_verify() WHERE problem IS NOT NULL ORDER BY seal NULLS LAST, key";

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'");
    assert_eq!(super::seal(&mut db), ["1 | 2"]);
    db.exec("UPDATE t SET v = 'c'");
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    db
}

/// As the log's owner can: nothing needs to be switched off for it.
fn forge(db: &mut Db, id: &str, at: &str) {
    db.exec(&format!(
        "INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op, key, old, new)
         SELECT {id}, {at}, pg_current_xact_id(), context, relation, 'U', 'forged', old, new
         FROM dbguard.audit_change WHERE op = 'U' ORDER BY id LIMIT 1"
    ));
}

#[test]
fn a_change_with_an_id_of_before() {
    let mut db = db();
    forge(&mut db, "id - 1", "clock_timestamp()");
    assert_eq!(db.lines(PROBLEMS), ["<null> | change was put among older ones | public.t | forged"]);
    // it stays one when it is sealed, which waits for what other tests of the server have begun before
    while db
        .value("SELECT bool_and(xact < pg_snapshot_xmin(pg_current_snapshot())) FROM dbguard.audit_change")
        != "t"
    {}
    assert_eq!(super::seal(&mut db), ["2 | 2"]);
    assert_eq!(db.lines(PROBLEMS), ["2 | change was put among older ones | public.t | forged"]);
    assert_eq!(db.lines("SELECT seal, state FROM dbguard.audit_verify(since_seal => 2) WHERE seal = 2 AND state <> 'problem'"), ["2 | broken"]);
}

#[test]
fn a_change_with_a_time_of_before() {
    let mut db = db();
    forge(&mut db, "nextval('dbguard.audit_change_id_seq')", "at - interval '1 hour'");
    assert_eq!(db.lines(PROBLEMS), ["<null> | change was put among older ones | public.t | forged"]);
}

/// An older one that writes last makes the seal; one that was open meanwhile has the lower id and time.
#[test]
fn a_transaction_that_was_open_may_have_older_ones() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT dbguard.audit_enable('t')");
    let (mut older, mut open) = (db.connect(), db.connect());
    older.exec("BEGIN; SELECT pg_current_xact_id()");
    open.exec("BEGIN; INSERT INTO t VALUES (1, 'a')");
    older.exec("INSERT INTO t VALUES (2, 'a'); COMMIT");
    assert_eq!(super::seal(&mut db), ["1 | 1"]);
    open.exec("UPDATE t SET v = 'b' WHERE id = 1; COMMIT");
    // the case is what it says
    assert_eq!(
        db.value(
            "SELECT min(c.id) < min(s.last_id) AND min(c.xact::text::int8) < min(s.next_xact::text::int8)
             FROM dbguard.audit_change c, dbguard.audit_seal s WHERE c.key = '1'"
        ),
        "t"
    );
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    assert_eq!(super::seal(&mut db), ["2 | 2"]);
    assert_eq!(db.lines(PROBLEMS), Vec::<String>::new());
    assert_eq!(db.value("SELECT sum(changes) FROM dbguard.audit_verify()"), "3");
}
