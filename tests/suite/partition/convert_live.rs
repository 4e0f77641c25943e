//! Case 44: a table in use is converted, and converted back; nobody notices.

use super::convert_described::{described, everything};
use dbguard_tests::Db;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ROWS: u32 = 300_000;
/// What the longest statement of a client may take, with a machine that does other things as well.
const LONGEST: Duration = Duration::from_secs(2);

/// What a client did: how many rows it added, and its longest statement.
struct Did {
    added: u64,
    longest: Duration,
}

/// Inserts, updates and reads until told to stop. Rows only ever are added, so that a reader that sees fewer
/// than before has missed some, and one that sees more than there can be has seen some twice.
fn writer(mut db: Db<'static>, stop: &AtomicBool) -> Did {
    let mut did = Did { added: 0, longest: Duration::ZERO };
    let mut last = String::from("0");
    while !stop.load(Ordering::Relaxed) {
        for what in 0..4 {
            let started = Instant::now();
            match what {
                0 => {
                    last = db.rows("INSERT INTO app.\"Orders\" (at, customer, amount, note) VALUES (now(), 1 + (random() * 49)::int, 7, 'live') RETURNING id")[0][0].clone();
                    did.added += 1;
                }
                1 => {
                    db.exec(&format!("UPDATE app.\"Orders\" SET note = 'seen', amount = 8 WHERE id = {last}"))
                }
                2 => db.exec(&format!(
                    "INSERT INTO app.line SELECT id, at, 'live' FROM app.\"Orders\" WHERE id = {last}"
                )),
                _ => {
                    assert_eq!(db.value(&format!("SELECT count(*) FROM app.\"Big\" WHERE id = {last}")), "1")
                }
            }
            did.longest = did.longest.max(started.elapsed());
        }
    }
    did
}

/// Rows that were there before are seen exactly once, at any moment.
fn reader(mut db: Db<'static>, rows: &str, stop: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    db.exec("SET max_parallel_workers_per_gather = 0");
    // planned once, for a table that changes below it
    let read = db.client().prepare("SELECT count(*)::text FROM app.\"Orders\" WHERE id < 10000").unwrap();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        assert_eq!(db.client().query_one(&read, &[]).unwrap().get::<_, String>(0), rows);
        longest = longest.max(started.elapsed());
    }
    longest
}

#[test]
fn a_table_in_use() {
    let mut db = Db::new();
    everything(&mut db, ROWS);
    db.exec("GRANT SELECT ON app.\"Big\" TO conv_owner");
    let before = described(&mut db, "app.\"Orders\"", false);
    let first = db.value("SELECT count(*) FROM app.\"Orders\" WHERE id < 10000");
    let stop = AtomicBool::new(false);
    let (stop, rows) = (&stop, &first);
    let clients: Vec<Db<'static>> = (0..3).map(|_| db.connect_as("conv_owner")).collect();
    let mut clients = clients.into_iter();
    let (dids, longest) = std::thread::scope(|scope| {
        let writers: Vec<_> =
            clients.by_ref().take(2).map(|client| scope.spawn(move || writer(client, stop))).collect();
        let reader = clients.next().map(|client| scope.spawn(move || reader(client, rows, stop))).unwrap();
        for _ in 0..2 {
            db.exec("CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')");
            db.exec("CALL dbguard.partition_unconvert('app.\"Orders\"')");
        }
        db.exec("CALL dbguard.partition_convert('app.\"Orders\"', 'at', '1 day')");
        stop.store(true, Ordering::Relaxed);
        let dids: Vec<Did> = writers.into_iter().map(|thread| thread.join().unwrap()).collect();
        (dids, reader.join().unwrap())
    });
    let added: u64 = dids.iter().map(|did| did.added).sum();
    assert!(added > 10, "{added}");
    assert_eq!(db.value("SELECT count(*) FROM app.\"Orders\""), (u64::from(ROWS) + added).to_string());
    assert_eq!(
        db.value("SELECT count(DISTINCT id) FROM app.\"Orders\""),
        (u64::from(ROWS) + added).to_string()
    );
    assert_eq!(db.value("SELECT count(*) FROM app.line"), (1000 + added).to_string());
    assert_eq!(
        db.value("SELECT count(*) FROM app.\"Orders\" WHERE note = 'seen' AND changes = 1"),
        added.to_string()
    );
    for longest in dids.iter().map(|did| did.longest).chain([longest]) {
        assert!(longest < LONGEST, "{longest:?}");
    }
    let times = "SELECT max(substring(message FROM '([0-9]+) ms')::int) FROM dbguard.partition_run WHERE action = 'convert'";
    let time: u64 = db.value(times).parse().unwrap();
    assert!(Duration::from_millis(time) < LONGEST, "{time}");
    db.exec("CALL dbguard.partition_unconvert('app.\"Orders\"')");
    assert_eq!(described(&mut db, "app.\"Orders\"", false), before);
}
