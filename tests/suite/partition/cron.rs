//! Under pg_cron, as users run it.

use dbguard_tests::{Cluster, Db};
use std::time::{Duration, Instant};

/// Whether the server has pg_cron, asked of the shared one: where it is not, one that preloads it would not
/// start.
fn offered() -> bool {
    Db::empty_in(Cluster::shared()).offers(&["pg_cron"])
}

fn wait(db: &mut Db, query: &str) {
    let until = Instant::now() + Duration::from_secs(90);
    while db.value(query) != "t" {
        assert!(Instant::now() < until, "{query}: {:?}", db.lines("SELECT * FROM cron.job_run_details"));
        std::thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn pg_cron_runs_it_and_health_watches_pg_cron() {
    if !offered() {
        return;
    }
    let cluster = Cluster::start(&[
        "shared_preload_libraries = 'pg_cron'",
        "cron.database_name = 'postgres'",
        "cron.use_background_workers = on",
        "max_worker_processes = 20",
    ]);
    let mut db = Db::existing_in(&cluster, "postgres");
    let health = |db: &mut Db| db.lines("SELECT problem, message, fix FROM dbguard.partition_health()");
    db.exec(
        "CREATE EXTENSION pg_cron; CREATE EXTENSION dbguard; CREATE TABLE t (ts date) PARTITION BY RANGE (ts);
         SELECT dbguard.partition_enable('t', '1 day', 1); ANALYZE t; UPDATE dbguard.partition_set SET ahead = 4",
    );
    let told = health(&mut db);
    assert!(told[0].contains("pg_cron has no active job"), "{told:?}");
    // who may not look at it is told so
    let mut other = db.connect_as("cron_other");
    assert!(
        health(&mut other).contains(
            &"cron_skipped | pg_cron was not looked into: permission denied for schema cron | <null>"
                .to_owned()
        ),
        "{:?}",
        health(&mut other)
    );
    // two jobs: the statement as users schedule it, and one that must fail
    let schedule = "SELECT cron.schedule('dbguard', '* * * * *', 'CALL dbguard.partition_maintain()')";
    assert!(told[0].contains(&schedule.replace("* * * * *", "*/15 * * * *")), "{told:?}");
    db.exec(schedule);
    let told = health(&mut db);
    assert!(told[0].contains("though pg_cron has a job"), "{told:?}");
    db.exec("SELECT cron.schedule('bad', '* * * * *', 'CALL dbguard.partition_maintain(1)')");
    wait(
        &mut db,
        "SELECT count(DISTINCT jobid) = 2 FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')",
    );
    assert_eq!(
        db.lines("SELECT j.jobname, d.status FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE d.runid IN (SELECT min(runid) FROM cron.job_run_details GROUP BY jobid) ORDER BY 1"),
        ["bad | failed", "dbguard | succeeded"]
    );
    assert_eq!(
        db.lines("SELECT DISTINCT action, state FROM dbguard.partition_run WHERE run > 1 ORDER BY 1"),
        ["make | done", "run | done"]
    );
    assert_eq!(db.value("SELECT missing FROM dbguard.partition_status()"), "0");
    let told = health(&mut db);
    assert!(told.len() == 1 && told[0].starts_with("cron_failed | "), "{told:?}");
    db.exec("SELECT cron.unschedule('bad')");
    assert_eq!(health(&mut db), Vec::<String>::new());
}
