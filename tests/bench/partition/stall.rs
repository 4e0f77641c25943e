//! How long other clients have to wait while partitions are made and retired behind a long reader.

use super::{connect, database, table};
use dbguard_tests::Cluster;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const READER: Duration = Duration::from_secs(8);
/// The longest step of waiting for a lock, and what a client may take by itself.
const BAR: f64 = 300.0;

pub fn run(cluster: &Cluster) {
    let (mut session, _) = database(cluster, "stall");
    session
        .client
        .batch_execute(&format!(
            "SET dbguard.partition_clock = '2020-01-03 12:00:00+00'; {};
             SELECT dbguard.partition_enable('busy', '1 day', ahead => 1, behind => 2)",
            table("busy")
        ))
        .unwrap();
    println!("Longest wait of two clients, milliseconds of wall time (at most {BAR:.0})");
    let quiet = clients(cluster, || std::thread::sleep(READER));
    println!("{:<58} {:>10} {:>10.1}", "  with nothing beside them", "", quiet);
    session
        .client
        .batch_execute(
            "UPDATE dbguard.partition_set SET ahead = 11;
             SELECT dbguard.partition_retain('busy', '1 hour', retire => 'drop')",
        )
        .unwrap();
    let loaded = clients(cluster, || {
        let reader = connect(cluster, "stall");
        let read = std::thread::spawn(move || {
            let mut client = reader.client;
            let mut transaction = client.transaction().unwrap();
            transaction.batch_execute("SELECT count(*) FROM busy").unwrap();
            std::thread::sleep(READER);
            transaction.commit().unwrap();
        });
        std::thread::sleep(Duration::from_millis(200));
        session.client.batch_execute("CALL dbguard.partition_maintain()").unwrap();
        read.join().unwrap();
    });
    let done = "SELECT count(*) FILTER (WHERE action = 'make'), count(*) FILTER (WHERE action = 'drop')
                FROM dbguard.partition_run WHERE state = 'done' AND run = (SELECT max(run) FROM dbguard.partition_run)";
    let done = session.client.query_one(done, &[]).unwrap();
    let (made, dropped): (i64, i64) = (done.get(0), done.get(1));
    assert_eq!((made, dropped), (10, 2));
    let holds = if loaded <= BAR { "" } else { "!" };
    println!(
        "{:<58} {:>10} {:>10.1}   of {BAR:.0}{holds}",
        "  10 made and 2 dropped behind a reader of 8 s", "", loaded
    );
}

/// The longest of their statements while `work` is done.
fn clients(cluster: &Cluster, work: impl FnOnce()) -> f64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let statements = [
            "INSERT INTO busy SELECT (random() * 1e15)::bigint, '2020-01-03 12:00:00+00', 1, 'x'",
            "SELECT count(*) FROM busy WHERE id = 1 AND at = '2020-01-03 12:00:00+00'",
        ];
        let watched: Vec<_> = statements
            .into_iter()
            .map(|statement| {
                let mut client = connect(cluster, "stall").client;
                let stop = &stop;
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    while !stop.load(Ordering::Relaxed) {
                        let started = Instant::now();
                        client.batch_execute(statement).unwrap();
                        longest = longest.max(started.elapsed());
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    longest.as_secs_f64() * 1000.0
                })
            })
            .collect();
        work();
        stop.store(true, Ordering::Relaxed);
        watched.into_iter().map(|thread| thread.join().unwrap()).fold(0.0, f64::max)
    })
}
