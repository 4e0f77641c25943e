//! A table in use is converted: what that costs beside the bare statements, and how long others wait.

use super::{connect, database, line};
use crate::measure::{middle, Session, Time};
use dbguard_tests::Cluster;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROWS: u32 = 5_000_000;
/// What dbguard may cost up to the cut-over, as a multiple of the bare statements.
const BAR: f64 = 2.0;
/// What others may wait, in milliseconds.
const WAIT: f64 = 200.0;

pub fn run(cluster: &Cluster, rounds: usize) {
    let (mut session, _) = database(cluster, "convert");
    println!("A table of {ROWS} rows with two indexes becomes a partitioned one");
    session
        .client
        .batch_execute(&format!(
            "CREATE TABLE big (id bigint, at timestamptz NOT NULL, v text, PRIMARY KEY (id, at));
             INSERT INTO big SELECT g, now() - g * interval '1 second', 'x' || g FROM generate_series(1, {ROWS}) g;
             CREATE INDEX ON big (at)"
        ))
        .unwrap();
    session.client.batch_execute("VACUUM ANALYZE big").unwrap();
    let (mut raw, mut ours, mut analyze) = (vec![], vec![], vec![]);
    for round in 0..=rounds {
        let bare = by_hand(&mut session);
        let converted = session
            .timed(|c| c.batch_execute("CALL dbguard.partition_convert('big', 'at', '1 month')").unwrap());
        let analyzed = session.timed(|c| c.batch_execute("ANALYZE big").unwrap());
        session.client.batch_execute("CALL dbguard.partition_unconvert('big')").unwrap();
        if round > 0 {
            raw.push(bare);
            ours.push(converted);
            analyze.push(analyzed);
        }
    }
    let bare = line("  CHECK NOT VALID, VALIDATE and ATTACH by hand", &raw, None).cpu;
    let analyze = line("  ANALYZE of it", &analyze, None).cpu;
    let cost = (middle(&ours).cpu - analyze) / bare;
    line("  dbguard, partition_convert (ratio: less its ANALYZE)", &ours, Some((cost, BAR, "x by hand")));
    let waited = longest(cluster, || {
        session.client.batch_execute("CALL dbguard.partition_convert('big', 'at', '1 month')").unwrap();
    });
    let holds = if waited <= WAIT { "" } else { "!" };
    println!(
        "{:<58} {:>10} {waited:>10.1}   of {WAIT:.0}{holds}",
        "  longest statement of two clients meanwhile", ""
    );
}

/// The least that makes it a first partition; taken back.
fn by_hand(session: &mut Session) -> Time {
    let time = session.timed(|client| {
        for statement in [
            "ALTER TABLE big ADD CONSTRAINT c CHECK (at IS NOT NULL AND at < '2100-01-01 00:00+00') NOT VALID",
            "ALTER TABLE big VALIDATE CONSTRAINT c",
            "CREATE TABLE parent (LIKE big) PARTITION BY RANGE (at);
             ALTER TABLE parent ATTACH PARTITION big FOR VALUES FROM (MINVALUE) TO ('2100-01-01 00:00+00')",
        ] {
            client.batch_execute(statement).unwrap();
        }
    });
    session
        .client
        .batch_execute(
            "ALTER TABLE parent DETACH PARTITION big; DROP TABLE parent; ALTER TABLE big DROP CONSTRAINT c",
        )
        .unwrap();
    time
}

/// The longest statement of clients that write and read while `work` is done, in milliseconds.
fn longest(cluster: &Cluster, work: impl FnOnce()) -> f64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let statements = [
            "INSERT INTO big SELECT (random() * 1e15)::bigint, now(), 'y'",
            "SELECT count(*) FROM big WHERE at > now() - interval '1 minute'",
        ];
        let watched: Vec<_> = statements
            .into_iter()
            .map(|statement| {
                let mut client = connect(cluster, "convert").client;
                let stop = &stop;
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    while !stop.load(Ordering::Relaxed) {
                        let started = Instant::now();
                        client.batch_execute(statement).unwrap();
                        longest = longest.max(started.elapsed());
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
