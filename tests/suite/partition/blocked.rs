//! What policies are read from may be locked: that is waited for like any lock, and no other set suffers.

use dbguard_tests::Db;

fn held_and_free(db: &mut Db) {
    for table in ["a_held", "b_free"] {
        db.exec(&format!(
            "CREATE TABLE {table} (at date) PARTITION BY RANGE (at);
             ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON {table} USING (at > '2000-01-01');
             SELECT dbguard.partition_enable('{table}', '1 day', 1, policies => true)"
        ));
    }
    db.exec("UPDATE dbguard.partition_set SET ahead = 2");
}

#[test]
fn a_run_spends_the_budget_on_it_and_says_who() {
    let mut db = Db::new();
    held_and_free(&mut db);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE a_held");
    db.exec("SET dbguard.partition_lock_budget = '1s'");
    db.exec("CALL dbguard.partition_maintain()");
    let runs = "SELECT table_name, state, sqlstate, tries > 3,
                       blockers LIKE '%holds AccessExclusiveLock on public.a_held%'
                FROM dbguard.partition_run
                WHERE run = (SELECT max(run) FROM dbguard.partition_run) AND action = 'make' ORDER BY 1";
    assert_eq!(db.lines(runs), ["a_held | failed | 55P03 | t | t", "b_free | done | <null> | f | <null>"]);
}

/// Whoever wants a table that a policy names must not wait for as long as we wait for something else.
#[test]
fn no_lock_is_kept_while_it_waits() {
    let mut db = Db::new();
    held_and_free(&mut db);
    db.exec(
        "CREATE TABLE rest PARTITION OF a_held DEFAULT; CREATE TABLE members (since date);
         CREATE POLICY q ON a_held USING (at IN (SELECT since FROM members))",
    );
    let mut other = db.connect();
    other.exec("BEGIN; SELECT FROM rest");
    let mut run = db.connect();
    std::thread::scope(|scope| {
        scope.spawn(|| run.exec("CALL dbguard.partition_maintain()"));
        db.exec("SET lock_timeout = '5s'");
        let waits = "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'rest'::regclass AND mode = 'AccessExclusiveLock'";
        while db.value(waits) != "t" {}
        db.exec("BEGIN; LOCK TABLE members; COMMIT");
        other.exec("COMMIT");
    });
    assert_eq!(db.lines("SELECT DISTINCT missing FROM dbguard.partition_status()"), ["0"]);
}

#[test]
fn a_plan_of_all_shows_the_others() {
    let mut db = Db::new();
    held_and_free(&mut db);
    let mut other = db.connect();
    other.exec("BEGIN; LOCK TABLE a_held");
    let plan = "SELECT parent_table::oid::regclass, action, message FROM dbguard.partition_plan()";
    assert_eq!(
        db.lines(plan),
        ["a_held | blocked | canceling statement due to lock timeout", "b_free | make | <null>"]
    );
    assert_eq!(db.error("SELECT * FROM dbguard.partition_plan('a_held')").code, "55P03");
}
