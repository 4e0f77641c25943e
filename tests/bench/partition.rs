//! What maintenance of time partitions costs, beside the bare statements and pg_partman, where that is
//! installed.

mod convert;
mod crowd;
mod drain;
mod idle;
mod make;
mod memory;
mod stall;

use crate::measure::{middle, Session, Time};
use dbguard_tests::Cluster;
use postgres::Client;

/// Runs all of it, or the parts named; `rounds` are counted, one more warms up.
pub fn run(rounds: usize, parts: &[String]) {
    let cluster = Cluster::start(&[
        "shared_buffers = 1GB",
        "synchronous_commit = off",
        "max_wal_size = 20GB",
        "checkpoint_timeout = 1h",
        "max_locks_per_transaction = 512",
        "jit = off",
    ]);
    println!("Backend CPU (and wall) in milliseconds, medians of {rounds} interleaved rounds.\n");
    println!("{:<58} {:>10} {:>10}", "", "CPU", "wall");
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    if wanted("idle") {
        idle::run(&cluster, rounds);
    }
    if wanted("make") {
        make::run(&cluster, rounds);
    }
    if wanted("crowd") {
        crowd::run(&cluster, rounds);
    }
    if wanted("drain") {
        drain::run(&cluster, rounds);
    }
    if wanted("convert") {
        convert::run(&cluster, rounds);
    }
    if wanted("stall") {
        stall::run(&cluster);
    }
    if wanted("memory") {
        memory::run(&cluster);
    }
}

/// A session in a fresh database with the extension; whether pg_partman is there as well.
fn database(cluster: &Cluster, name: &str) -> (Session, bool) {
    let mut admin = cluster.try_connect("postgres", "postgres").unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let mut session = connect(cluster, name);
    session.client.batch_execute("CREATE EXTENSION dbguard").unwrap();
    let partman = session
        .client
        .batch_execute("CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman")
        .is_ok();
    (session, partman)
}

fn connect(cluster: &Cluster, name: &str) -> Session {
    let mut session = Session::new(cluster.try_connect(name, "postgres").unwrap());
    session.client.batch_execute("SET client_min_messages = error").unwrap();
    session
}

/// A table by time with a key, another index and TOAST.
fn table(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id bigint, at timestamptz, tenant int, payload text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE INDEX ON {name} (tenant, at)"
    )
}

/// Day number `day` as a date, counted from 2020-01-01.
fn date(session: &mut Session, day: i32) -> String {
    let date = "SELECT (date '2020-01-01' + $1::int)::text";
    session.client.query_one(date, &[&day]).unwrap().get(0)
}

/// The two statements that make a partition, by hand.
fn bare(parent: &str, name: &str, from: &str, to: &str) -> String {
    format!(
        "CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
         ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{from}') TO ('{to}')"
    )
}

/// Hands a table to pg_partman, of either major version.
fn partman(client: &mut Client, table: &str, premake: u32) {
    client
        .batch_execute(&format!(
            "SELECT partman.create_parent(p_parent_table := 'public.{table}', p_control := 'at', p_interval := '1 day',
                      p_premake := {premake}, p_jobmon := false,
                      p_type := CASE WHEN extversion LIKE '4.%' THEN 'native' ELSE 'range' END)
             FROM pg_extension WHERE extname = 'pg_partman'"
        ))
        .unwrap();
}

/// A line of the table; `bar` is what was measured against what may be at most, and in which unit.
fn line(what: &str, times: &[Time], bar: Option<(f64, f64, &str)>) -> Time {
    let time = middle(times);
    let bar = bar.map_or(String::new(), |(is, most, unit)| {
        let holds = if is <= most { "" } else { "!" };
        format!("   {is:.2} of {most:.2} {unit}{holds}")
    });
    println!("{what:<58} {:>10.1} {:>10.1}{bar}", time.cpu, time.wall);
    time
}

fn no_partman() {
    println!("  pg_partman: not installed");
}
