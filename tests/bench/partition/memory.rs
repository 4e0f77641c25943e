//! What a backend keeps of a run over many partitions.

use super::{bare, connect, database, date, table};
use dbguard_tests::Cluster;

const SETS: usize = 100;
/// Made by each of two runs.
const AHEAD: i32 = 50;
/// MB that the second of them may add.
const BAR: f64 = 5.0;

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
    println!(
        "Private memory a backend has more of, in MB (at most {BAR:.0} by the next {})",
        SETS as i32 * AHEAD
    );

    let mut by_hand = connect(cluster, "memory");
    let before = by_hand.memory();
    for day in 0..AHEAD {
        let (from, to) = (date(&mut by_hand, day), date(&mut by_hand, day + 1));
        for set in 0..SETS {
            let one = bare(&format!("bare{set}"), &format!("bare{set}_{day}"), &from, &to);
            by_hand.client.batch_execute(&one).unwrap();
        }
    }
    print(&format!("  {} partitions made by hand", SETS as i32 * AHEAD), before, by_hand.memory(), false);

    let mut run = connect(cluster, "memory");
    run.client.batch_execute("SET dbguard.partition_clock = '2020-01-01 12:00:00+00'").unwrap();
    run.client.batch_execute("CALL dbguard.partition_maintain()").unwrap();
    for (clock, what) in [("2020-01-01", "the first"), ("2020-02-20", "the next"), ("", "nothing to do")] {
        let before = run.memory();
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
            run.memory(),
            what != "the first",
        );
    }
    let made = "SELECT count(*) FROM dbguard.partition_run WHERE action = 'make' AND state = 'done'";
    let made: i64 = run.client.query_one(made, &[]).unwrap().get(0);
    assert_eq!(made, (SETS as i64) * (2 + 2 * i64::from(AHEAD)));
}

fn print(what: &str, before: f64, after: f64, judged: bool) {
    let more = after - before;
    let holds = if judged && more > BAR { "!" } else { "" };
    println!("{what:<58} {more:>10.1}{holds}");
}
