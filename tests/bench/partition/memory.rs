//! What a backend keeps of a run over many partitions.

use super::{bare, connect, database, date, table};
use crate::measure::Session;
use dbguard_tests::Cluster;

const SETS: usize = 100;
/// Made by each of two runs.
const AHEAD: i32 = 50;
/// What dbguard may leave outside the server's caches, in MB.
const BAR: f64 = 1.0;

pub fn run(cluster: &Cluster) {
    let (mut session, _) = database(cluster, "memory");
    session.client.batch_execute("SET dbguard.partition_clock = '2020-01-01 12:00:00+00'").unwrap();
    for set in 0..SETS {
        let name = format!("own{set}");
        session
            .client
            .batch_execute(&format!(
                "{}; SELECT dbguard.partition_enable('{name}', '1 day', ahead => 1)",
                table(&name)
            ))
            .unwrap();
    }
    for set in 0..SETS {
        session.client.batch_execute(&table(&format!("bare{set}"))).unwrap();
    }
    println!("Memory a backend has more of, MB: in all, and outside the server's caches (at most {BAR:.0})");

    let mut by_hand = connect(cluster, "memory");
    let before = kept(&mut by_hand);
    for day in 0..AHEAD {
        let (from, to) = (date(&mut by_hand, day), date(&mut by_hand, day + 1));
        for set in 0..SETS {
            let one = bare(&format!("bare{set}"), &format!("bare{set}_{day}"), &from, &to);
            by_hand.client.batch_execute(&one).unwrap();
        }
    }
    print(&format!("  {} partitions made by hand", SETS as i32 * AHEAD), before, kept(&mut by_hand), false);

    let mut run = connect(cluster, "memory");
    run.client.batch_execute("SET dbguard.partition_clock = '2020-01-01 12:00:00+00'").unwrap();
    run.client.batch_execute("CALL dbguard.partition_maintain()").unwrap();
    for (clock, what) in [("2020-01-01", "the first"), ("2020-02-20", "the next"), ("", "nothing to do")] {
        let before = kept(&mut run);
        let ahead = AHEAD + 1;
        run.client.batch_execute(&format!("UPDATE dbguard.partition_set SET ahead = {ahead}")).unwrap();
        if !clock.is_empty() {
            run.client
                .batch_execute(&format!("SET dbguard.partition_clock = '{clock} 12:00:00+00'"))
                .unwrap();
        }
        run.client.batch_execute("CALL dbguard.partition_maintain()").unwrap();
        print(
            &format!(
                "  dbguard, {what}{}",
                if clock.is_empty() { String::new() } else { format!(" {}", SETS as i32 * AHEAD) }
            ),
            before,
            kept(&mut run),
            true,
        );
    }
    let made = "SELECT count(*) FROM dbguard.partition_run WHERE action = 'make' AND state = 'done'";
    let made: i64 = run.client.query_one(made, &[]).unwrap().get(0);
    assert_eq!(made, (SETS as i64) * (2 + 2 * i64::from(AHEAD)));
}

/// Private memory of the process, and what its contexts hold outside the server's caches, in MB.
fn kept(session: &mut Session) -> (f64, f64) {
    const CONTEXTS: &str = "
        SELECT sum(total_bytes)::float8 / 1048576 FROM pg_backend_memory_contexts m
        WHERE m.name <> 'CacheMemoryContext' AND m.parent IS DISTINCT FROM 'CacheMemoryContext'
          AND m.name NOT IN ('Relcache by OID', 'smgr relation table', 'index info', 'partition key', 'partition descriptor')";
    let contexts = session.client.query_one(CONTEXTS, &[]).unwrap().get(0);
    (session.memory(), contexts)
}

fn print(what: &str, before: (f64, f64), after: (f64, f64), judged: bool) {
    let (all, ours) = (after.0 - before.0, after.1 - before.1);
    let holds = if judged && ours > BAR { "!" } else { "" };
    println!("{what:<58} {all:>10.1} {ours:>10.2}{holds}");
}
