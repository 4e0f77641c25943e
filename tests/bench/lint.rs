//! What a run of lint costs: schemas of 150 to 20,000 tables, each with 10 columns and 3 indexes.

use crate::measure::{median, Session};
use dbguard_tests::Cluster;

const SIZES: [i32; 4] = [150, 5_000, 10_000, 20_000];
/// Of tables that hold rows, and were analyzed.
const FILLED: [i32; 2] = [150, 5_000];

pub fn run(rounds: usize) {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "fsync = off",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "max_locks_per_transaction = 4096",
        "autovacuum = off",
    ]);
    println!("dbguard.lint() with its default profile, {rounds} rounds, medians; CPU of the backend:");
    series(&cluster, "postgres", rounds, &SIZES, "recommended");
    println!("profile production, 20 rows in each table, analyzed:");
    cluster.try_connect("postgres", "postgres").unwrap().batch_execute("CREATE DATABASE filled").unwrap();
    series(&cluster, "filled", rounds, &FILLED, "production");
}

fn series(cluster: &Cluster, database: &str, rounds: usize, sizes: &[i32], profile: &str) {
    let connect = || Session::new(cluster.try_connect(database, "postgres").unwrap());
    connect().client.batch_execute("CREATE EXTENSION dbguard").unwrap();
    println!("| tables | first call of a session, ms | again, ms | of it rules, ms | slowest rule | its share of the first | memory, MB |");
    println!("|---|---|---|---|---|---|---|");
    let mut made = 0;
    for size in sizes {
        while made < *size {
            let until = (*size).min(made + 1_000);
            tables(&mut connect(), made + 1, until, profile == "production");
            made = until;
        }
        connect().client.batch_execute("VACUUM ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_index, pg_catalog.pg_depend, pg_catalog.pg_constraint, pg_catalog.pg_sequence").unwrap();
        let (mut first, mut again, mut rules, mut memory) = (vec![], vec![], vec![], vec![]);
        let mut slowest: Vec<(f64, String)> = vec![];
        for _ in 0..rounds {
            let mut session = connect();
            let lint = |client: &mut postgres::Client| {
                let sql =
                    format!("SELECT count(*) FROM dbguard.lint(profile => '{profile}', max_seconds => NULL)");
                client.batch_execute(&sql).unwrap();
            };
            let (cost, peak) = session.cost_and_peak(lint);
            first.push(cost / 1000.0);
            memory.push(peak);
            again.push(session.cost(lint) / 1000.0);
            let row = session
                .client
                .query_one("SELECT sum(last_ms), max(last_ms), (array_agg(code ORDER BY last_ms DESC NULLS LAST))[1] FROM dbguard.lint_rules", &[])
                .unwrap();
            rules.push(row.get::<_, f64>(0));
            slowest.push((row.get(1), row.get(2)));
        }
        slowest.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (worst, code) = &slowest[slowest.len() / 2];
        println!(
            "| {size} | {:.0} | {:.0} | {:.0} | {code} {worst:.1} ms | {:.1} % | {:.0} |",
            median(&first),
            median(&again),
            median(&rules),
            100.0 * worst / median(&first),
            median(&memory)
        );
    }
}

fn tables(session: &mut Session, from: i32, to: i32, filled: bool) {
    let fill = if filled {
        "EXECUTE format('INSERT INTO t%s (b, c, d, e, f, g, h, k) SELECT n %% 5, ''text '' || n, now() - n * interval ''1 day'',
             n * 1.5, n %% 2 = 0, current_date - n, ''x'' || n %% 3, n FROM generate_series(1, 20) n', i);
           EXECUTE format('ANALYZE t%s', i);"
    } else {
        ""
    };
    let make = format!(
        "DO $$ BEGIN FOR i IN {from}..{to} LOOP
           EXECUTE format('CREATE TABLE t%s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a%s int, b int NOT NULL,
             c text, d timestamptz, e numeric, f bool, g date, h text, k int)', i, i);
           EXECUTE format('CREATE INDEX ON t%s (b)', i);
           EXECUTE format('CREATE INDEX ON t%s (d)', i);
           {fill}
         END LOOP; END $$"
    );
    session.client.batch_execute(&make).unwrap();
}
