//! A set whose width, zone or anchor is changed mid-life: what is there stays, and what follows is cut at the
//! new grid from the seam on; the cell of now is made whole. Expected bounds come from the server's own date arithmetic.

use super::oracle::{assert_covers, between, clock, parent, typed_bounds};
use dbguard_tests::Db;

/// A grid: its options for partition_enable, and its point number n as the wall clock reads it.
struct Grid {
    every: &'static str,
    zone: &'static str,
    anchor: Option<&'static str>,
    /// A point of it, and the step between two.
    point: &'static str,
    step: &'static str,
}

const fn grid(
    every: &'static str,
    zone: &'static str,
    anchor: Option<&'static str>,
    point: &'static str,
    step: &'static str,
) -> Grid {
    Grid { every, zone, anchor, point, step }
}

const GRIDS: &[Grid] = &[
    grid("1 month", "UTC", None, "2026-01-01", "1 month"),
    grid("1 hour", "UTC", None, "2026-10-01", "1 hour"),
    grid("1 week", "UTC", None, "2026-01-05", "7 days"),
    grid("1 week", "UTC", Some("2026-11-15"), "2026-01-04", "7 days"),
    grid("1 month", "Europe/Berlin", None, "2026-01-01", "1 month"),
    grid("1 month", "America/New_York", Some("2026-01-15"), "2026-01-15", "1 month"),
    grid("1 day", "Europe/Berlin", None, "2026-10-01", "1 day"),
    grid("1 day", "Asia/Kolkata", Some("2026-01-01 06:00"), "2026-10-01 06:00", "1 day"),
];

/// In the middle of a month, on the day of 25 hours, at the ends of a month and of a year.
const CLOCKS: &[&str] =
    &["2026-11-20 12:00:00Z", "2026-10-25 00:30:00Z", "2026-11-30 23:30:00Z", "2026-12-31 23:59:59Z"];

impl Grid {
    fn call(&self, ahead: u32) -> String {
        let anchor = self.anchor.map_or("NULL".to_owned(), |anchor| format!("'{anchor}'"));
        format!(
            "SELECT count(*) FROM dbguard.partition_enable('t', '{}', {ahead}, '{}', anchor => {anchor})",
            self.every, self.zone
        )
    }

    /// Its points as values of the key's type, and now on the key's clock.
    fn edges(&self, kind: &str, now: &str) -> (String, String) {
        let Grid { zone, point, step, .. } = self;
        let read = format!("timestamp '{point}' + n * interval '{step}'");
        let (edge, now) = match kind {
            "timestamptz" => (format!("({read}) AT TIME ZONE '{zone}'"), format!("timestamptz '{now}'")),
            kind => (format!("({read})::{kind}"), format!("(timestamptz '{now}' AT TIME ZONE '{zone}')")),
        };
        (format!("WITH edge AS (SELECT {edge} AS e FROM generate_series(0, 3000) n)"), now)
    }

    /// The range before `first` that makes the cell that holds `now` whole.
    fn before(&self, db: &mut Db, kind: &str, first: &str, now: &str) -> Vec<String> {
        let (edges, now) = self.edges(kind, now);
        between(
            db,
            &format!(
                "{edges} SELECT least(max(e), '{first}'::{kind}) AS e FROM edge WHERE e <= {now}
                 UNION SELECT '{first}'::{kind} ORDER BY e"
            ),
        )
    }

    /// The ranges that follow what ended at `seam`, up to `ahead` cells after the one that holds `now`.
    fn after(&self, db: &mut Db, kind: &str, seam: &str, now: &str, ahead: u32) -> Vec<String> {
        let (edges, now) = self.edges(kind, now);
        between(
            db,
            &format!(
                "{edges}, horizon AS (SELECT e FROM edge WHERE e > {now} ORDER BY e OFFSET {ahead} LIMIT 1)
                 SELECT '{seam}'::{kind} AS e UNION SELECT e FROM edge WHERE e > '{seam}' AND e <= (SELECT e FROM horizon)
                 ORDER BY e"
            ),
        )
    }
}

fn change(kind: &str) {
    let mut db = Db::new();
    for at in CLOCKS {
        for grid in GRIDS.iter().filter(|g| kind != "date" || !(g.step == "1 hour" || g.point.contains(':')))
        {
            let told = format!("{kind} at {at} to {} {} {:?}", grid.every, grid.zone, grid.anchor);
            parent(&mut db, "t", kind);
            clock(&mut db, at);
            db.exec("SELECT dbguard.partition_enable('t', '1 day', 4)");
            let days = typed_bounds(&mut db, "t", kind);
            assert_eq!(days.len(), 5);
            let (first, seam) = (days[0].split("..").next().unwrap(), days[4].split("..").nth(1).unwrap());
            let front = grid.before(&mut db, kind, first, at);
            let start = front.first().map_or(first, |range| range.split("..").next().unwrap());
            let expected = |db: &mut Db, now: &str| {
                let after = grid.after(db, kind, seam, now, 3);
                [front.clone(), days.clone(), after].concat()
            };
            db.exec(&grid.call(3));
            let now = expected(&mut db, at);
            assert_eq!(typed_bounds(&mut db, "t", kind), now, "{told}");
            // shortly before the days end, maintenance goes on
            let later = db.value(&format!("SELECT ('{seam}'::timestamptz - interval '30 minutes')::text"));
            clock(&mut db, &later);
            db.exec("CALL dbguard.partition_maintain()");
            let all = expected(&mut db, &later);
            assert!(all.len() > 5, "{told}");
            assert_eq!(typed_bounds(&mut db, "t", kind), all, "{told}, later");
            assert_eq!(db.value("SELECT state FROM dbguard.partition_status()"), "ok", "{told}");
            // and back to days, seven of them ahead
            db.exec("SELECT dbguard.partition_enable('t', '1 day', 7)");
            let list = typed_bounds(&mut db, "t", kind).join(",");
            let end = db.value(&format!(
                "SELECT max(split_part(b, '..', 2)::{kind}) FROM unnest('{{{list}}}'::text[]) b"
            ));
            assert_covers(&mut db, "t", kind, start, &end);
            db.exec(&format!("INSERT INTO t VALUES (1, '{seam}'), (2, '{first}')"));
            db.exec("SELECT dbguard.partition_disable('t'); DROP TABLE t");
        }
    }
}

#[test]
fn of_moments() {
    change("timestamptz");
}

#[test]
fn of_timestamps() {
    change("timestamp");
}

#[test]
fn of_dates() {
    change("date");
}
