//! A table of very many partitions: one more, and a hundred less.

use super::{bare, connect, database, date, line, table};
use crate::measure::{middle, Session};
use dbguard_tests::Cluster;

const PARTITIONS: i32 = 5_000;
const RETIRED: i32 = 100;
/// The first day, 2000-01-01: what is to be retired must be past by the real clock too.
const BEGIN: i32 = -7305;
/// What dbguard may cost, as a multiple of the bare statements.
const BAR: f64 = 1.5;

pub fn run(cluster: &Cluster, rounds: usize) {
    // made once, since that takes longer than all the rest
    let (mut session, _) = database(cluster, "crowd");
    session.client.batch_execute(&table("days")).unwrap();
    for first in (0..PARTITIONS).step_by(500) {
        let make = format!(
            "DO $$ BEGIN FOR day IN {first}..{first} + 499 LOOP
               EXECUTE format('CREATE TABLE days_%s PARTITION OF days FOR VALUES FROM (%L) TO (%L)',
                              day, date '2000-01-01' + day, date '2000-01-02' + day);
             END LOOP; END $$"
        );
        session.client.batch_execute(&make).unwrap();
    }
    session.client.batch_execute("VACUUM ANALYZE").unwrap();
    drop(session);
    let mut admin = cluster.try_connect("postgres", "postgres").unwrap();
    for copy in ["crowd_plain", "crowd_concurrent"] {
        admin.batch_execute(&format!("CREATE DATABASE {copy} TEMPLATE crowd")).unwrap();
    }
    let [mut session, mut plain, mut concurrent] =
        ["crowd", "crowd_plain", "crowd_concurrent"].map(|name| connect(cluster, name));
    let clock = format!("SET dbguard.partition_clock = '{}'", date(&mut session, BEGIN + PARTITIONS - 2));
    session.client.batch_execute(&clock).unwrap();
    session.client.batch_execute("SELECT dbguard.partition_enable('days', '1 day', ahead => 1)").unwrap();
    let maintain = |c: &mut postgres::Client| c.batch_execute("CALL dbguard.partition_maintain()").unwrap();

    let (mut nothing, mut raw, mut ours) = (vec![], vec![], vec![]);
    for round in 0..=rounds as i32 {
        let time = session.timed(maintain);
        let (day, before) = (PARTITIONS + round, PARTITIONS + round - 1);
        let (from, to) = (date(&mut plain, BEGIN + day), date(&mut plain, BEGIN + day + 1));
        let one = bare("days", &format!("days_{day}"), &from, &to);
        let by_hand = plain.timed(|c| c.batch_execute(&one).unwrap());
        let clock = format!("SET dbguard.partition_clock = '{}'", date(&mut session, BEGIN + before));
        session.client.batch_execute(&clock).unwrap();
        let by_us = session.timed(maintain);
        assert_eq!(count(&mut session), i64::from(day + 1));
        if round > 0 {
            nothing.push(time);
            raw.push(by_hand);
            ours.push(by_us);
        }
    }
    println!("{PARTITIONS} partitions of one table");
    let look = line("  dbguard, nothing to do", &nothing, None).cpu;
    let bare = line("  one more, LIKE + ATTACH by hand", &raw, None).cpu;
    line("  one more, dbguard", &ours, Some((middle(&ours).cpu / bare, BAR, "x by hand")));
    println!(
        "{:<58} {:>10.1}",
        "    less what it takes to find that one is missing",
        middle(&ours).cpu - look
    );

    let (mut concurrently, mut dropped, mut ours) = (vec![], vec![], vec![]);
    for round in 0..=rounds as i32 {
        let days = round * RETIRED..(round + 1) * RETIRED;
        let by_concurrently = concurrent.timed(|c| {
            for day in days.clone() {
                c.batch_execute(&format!("ALTER TABLE days DETACH PARTITION days_{day} CONCURRENTLY"))
                    .unwrap();
                c.batch_execute(&format!("DROP TABLE days_{day}")).unwrap();
            }
        });
        let by_drop = plain.timed(|c| {
            days.clone().for_each(|day| c.batch_execute(&format!("DROP TABLE days_{day}")).unwrap());
        });
        let before = count(&mut session);
        let kept = PARTITIONS + rounds as i32 - 1 - (round + 1) * RETIRED;
        session
            .client
            .batch_execute(&format!(
                "SELECT dbguard.partition_retain('days', '{kept} days', retire => 'drop')"
            ))
            .unwrap();
        let by_us = session.timed(maintain);
        assert_eq!(before - count(&mut session), i64::from(RETIRED));
        if round > 0 {
            concurrently.push(by_concurrently);
            dropped.push(by_drop);
            ours.push(by_us);
        }
    }
    line("  100 less, DETACH CONCURRENTLY + DROP by hand", &concurrently, None);
    let bare = line("  100 less, DROP by hand", &dropped, None).cpu;
    line(
        "  100 less, dbguard, nobody at work",
        &ours,
        Some((middle(&ours).cpu / bare, BAR, "x DROP by hand")),
    );
}

fn count(session: &mut Session) -> i64 {
    let count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'days'::regclass";
    session.client.query_one(count, &[]).unwrap().get(0)
}
