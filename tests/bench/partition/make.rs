//! A year of daily partitions.

use super::{bare, database, date, line, no_partman, partman, table};
use crate::measure::{middle, Session, Time};
use dbguard_tests::Cluster;

const DAYS: i32 = 365;
/// What dbguard may cost, as a multiple of the bare statements.
const BAR: f64 = 1.25;

pub fn run(cluster: &Cluster, rounds: usize) {
    let (mut session, with_partman) = database(cluster, "make");
    session.client.batch_execute("SET dbguard.partition_clock = '2020-01-01 12:00:00+00'").unwrap();
    let dates: Vec<String> = (0..=DAYS).map(|day| date(&mut session, day)).collect();
    let statements: Vec<String> = (0..DAYS as usize)
        .map(|day| {
            let (from, to) = (&dates[day], &dates[day + 1]);
            format!("BEGIN; {}; COMMIT", bare("year", &format!("year_{day}"), from, to))
        })
        .collect();
    let enable = "SELECT dbguard.partition_enable('year', '1 day', ahead => 364)";
    let (mut raw, mut enabled, mut maintained, mut theirs) = (vec![], vec![], vec![], vec![]);
    for round in 0..=rounds {
        let mut note = |times: &mut Vec<Time>, before: &str, work: &dyn Fn(&mut Session) -> Time| {
            session.client.batch_execute(&table("year")).unwrap();
            session.client.batch_execute(before).unwrap();
            let time = work(&mut session);
            if round > 0 {
                times.push(time);
            }
            let count = "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid
                         WHERE inhparent = 'year'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'";
            assert_eq!(session.client.query_one(count, &[]).unwrap().get::<_, i64>(0), i64::from(DAYS));
            session.client.batch_execute("DROP TABLE year; DELETE FROM dbguard.partition_set").unwrap();
            if with_partman {
                session.client.batch_execute("DELETE FROM partman.part_config").unwrap();
            }
        };
        note(&mut raw, "", &|s| s.timed(|c| statements.iter().for_each(|sql| c.batch_execute(sql).unwrap())));
        note(&mut enabled, "", &|s| s.timed(|c| c.batch_execute(enable).unwrap()));
        // a run that finds all but one missing
        let short = "SELECT dbguard.partition_enable('year', '1 day', ahead => 1);
                     UPDATE dbguard.partition_set SET ahead = 364;
                     DROP TABLE year_p20200102";
        note(&mut maintained, short, &|s| {
            s.timed(|c| c.batch_execute("CALL dbguard.partition_maintain()").unwrap())
        });
        if with_partman {
            // as many before today as after it
            note(&mut theirs, "", &|s| s.timed(|c| partman(c, "year", 182)));
        }
    }
    println!("{DAYS} daily partitions with two indexes and TOAST");
    let bare = line("  LIKE + ATTACH by hand, a transaction each", &raw, None).cpu;
    let times = |of: &[Time]| Some((middle(of).cpu / bare, BAR, "x by hand"));
    line("  dbguard, partition_enable", &enabled, times(&enabled));
    line("  dbguard, partition_maintain (364 of them)", &maintained, times(&maintained));
    if with_partman {
        line("  pg_partman, create_parent", &theirs, None);
    } else {
        no_partman();
    }
}
