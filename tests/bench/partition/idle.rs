//! Maintenance that finds nothing to do.

use super::{database, line, no_partman, partman, table};
use crate::measure::{middle, Time};
use dbguard_tests::Cluster;

const SETS: usize = 200;

/// What a script would ask the catalogs for the same tables: bounds, as the server prints them.
const QUERY: &str = "
    SELECT i.inhparent::regclass, array_agg(pg_get_expr(c.relpartbound, c.oid))
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relkind = 'p' AND p.relname LIKE 'own%' GROUP BY 1";

pub fn run(cluster: &Cluster, rounds: usize) {
    let (mut session, with_partman) = database(cluster, "idle");
    for set in 0..SETS {
        let name = format!("own{set}");
        let enable = format!("SELECT dbguard.partition_enable('{name}', '1 day', ahead => 4, behind => 4)");
        session.client.batch_execute(&format!("{}; {enable}", table(&name))).unwrap();
        if with_partman {
            session.client.batch_execute(&table(&format!("theirs{set}"))).unwrap();
            partman(&mut session.client, &format!("theirs{set}"), 4);
        }
    }
    session.client.batch_execute("VACUUM ANALYZE").unwrap();
    for (label, retention) in [
        ("without retention", ""),
        (
            "with retention",
            "SELECT dbguard.partition_retain(parent, '1 year', retire => 'drop') FROM dbguard.partition_set",
        ),
    ] {
        session.client.batch_execute(retention).unwrap();
        if with_partman && !retention.is_empty() {
            session
                .client
                .batch_execute(
                    "UPDATE partman.part_config SET retention = '1 year', retention_keep_table = false",
                )
                .unwrap();
        }
        let (mut query, mut ours, mut theirs) = (vec![], vec![], vec![]);
        for round in 0..=rounds {
            let mut note = |times: &mut Vec<Time>, statement: &str| {
                let time = session.timed(|c| c.batch_execute(statement).unwrap());
                if round > 0 {
                    times.push(time);
                }
            };
            note(&mut query, QUERY);
            note(&mut ours, "CALL dbguard.partition_maintain()");
            if with_partman {
                note(&mut theirs, "CALL partman.run_maintenance_proc()");
            }
        }
        println!("{SETS} sets of 9 partitions, nothing to do, {label}");
        line("  one catalog query", &query, None);
        let cpu = middle(&ours).cpu;
        line("  dbguard", &ours, Some((cpu / SETS as f64, 0.5, "ms a set")));
        if with_partman {
            let share = cpu / middle(&theirs).cpu;
            line("  pg_partman", &theirs, Some((share, 0.1, "dbguard's share")));
        } else {
            no_partman();
        }
    }
}
