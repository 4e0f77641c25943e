//! A default partition of a million rows of twenty days, moved to partitions.

use super::{connect, database, line, table};
use crate::measure::{middle, Time};
use dbguard_tests::Cluster;

const ROWS: i32 = 1_000_000;
const DAYS: i32 = 20;
/// What dbguard may cost, as a multiple of copying by hand.
const BAR: f64 = 1.3;

pub fn run(cluster: &Cluster, rounds: usize) {
    let (session, _) = database(cluster, "drain");
    drop(session);
    let mut session = connect(cluster, "drain");
    session
        .client
        .batch_execute(
            "SET dbguard.partition_clock = '2020-01-21 12:00:00+00'; SET dbguard.partition_drain_rows = 0",
        )
        .unwrap();
    let fill = format!(
        "CREATE TABLE big_rest PARTITION OF big DEFAULT;
         INSERT INTO big SELECT n, '2020-01-01 00:00+00'::timestamptz + n * interval '{DAYS} days' / {ROWS}, n % 100, repeat('x', 60)
         FROM generate_series(0, {ROWS} - 1) n;
         SELECT dbguard.partition_enable('big', '1 day', 1)"
    );
    let by_hand: Vec<String> = (0..DAYS)
        .map(|day| {
            let bound = |day| format!("timestamptz '2020-01-01 00:00+00' + interval '{day} days'");
            let within = format!("at >= {} AND at < {}", bound(day), bound(day + 1));
            format!(
                "CREATE TABLE day_{day} (LIKE big);
                 INSERT INTO day_{day} SELECT * FROM big_rest WHERE {within};
                 ALTER TABLE day_{day} ADD PRIMARY KEY (id, at);
                 CREATE INDEX ON day_{day} (tenant, at);
                 ALTER TABLE day_{day} ADD CHECK ({within})"
            )
        })
        .collect();
    let attach = format!(
        "ALTER TABLE big DETACH PARTITION big_rest;
         DO $$ BEGIN FOR day IN 0..{DAYS} - 1 LOOP
           EXECUTE format('ALTER TABLE big ATTACH PARTITION day_%s FOR VALUES FROM (%L) TO (%L)', day,
             timestamptz '2020-01-01 00:00+00' + day * interval '1 day', timestamptz '2020-01-01 00:00+00' + (day + 1) * interval '1 day');
         END LOOP; END $$"
    );
    let (mut raw, mut ours): (Vec<Time>, Vec<Time>) = (vec![], vec![]);
    for round in 0..=rounds {
        for drained in [false, true] {
            session.client.batch_execute(&table("big")).unwrap();
            session.client.batch_execute(&fill).unwrap();
            for settle in ["VACUUM ANALYZE big_rest", "CHECKPOINT"] {
                session.client.batch_execute(settle).unwrap();
            }
            let time = session.timed(|client| {
                if drained {
                    client.batch_execute("CALL dbguard.partition_drain('big')").unwrap();
                } else {
                    by_hand.iter().for_each(|sql| client.batch_execute(sql).unwrap());
                    client.batch_execute(&attach).unwrap();
                }
            });
            let count = "SELECT count(*), count(DISTINCT tableoid) FROM big";
            let row = session.client.query_one(count, &[]).unwrap();
            assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (i64::from(ROWS), i64::from(DAYS)));
            if round > 0 {
                if drained { &mut ours } else { &mut raw }.push(time);
            }
            let tidy = "DROP TABLE big; DROP TABLE IF EXISTS big_rest, big_rest_old; DELETE FROM dbguard.partition_set";
            session.client.batch_execute(tidy).unwrap();
        }
    }
    println!("{ROWS} rows of {DAYS} days in a default partition, two indexes");
    let bare = line("  INSERT ... SELECT a day, indexes, ATTACH by hand", &raw, None).cpu;
    line("  dbguard, partition_drain", &ours, Some((middle(&ours).cpu / bare, BAR, "x by hand")));
}
