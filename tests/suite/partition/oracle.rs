//! What the bounds must be, computed by the server's own date arithmetic, which the grid never uses.

use dbguard_tests::Db;

/// `lower..upper` of all partitions of a table but the default, ascending, as the server shows them
/// in UTC.
pub fn bounds(db: &mut Db, table: &str) -> Vec<String> {
    db.exec("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on");
    db.lines(&format!(
        "SELECT m[1] || '..' || m[2]
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
              regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''?(.*?)''?\\) TO \\(''?(.*?)''?\\)') m
         WHERE i.inhparent = '{table}'::regclass AND m IS NOT NULL
         ORDER BY CASE m[1] WHEN 'MINVALUE' THEN '-infinity' ELSE m[1] END::timestamptz"
    ))
}

/// Bounds of cells number `from` to `to` counted from the one that holds now, for a calendar unit.
pub fn cells(db: &mut Db, kind: &str, unit: &str, step: &str, zone: &str, from: i32, to: i32) -> Vec<String> {
    db.exec("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'");
    let edge = |n: i32| {
        match kind {
        // an instant: truncated and stepped on the wall clock of the zone, but hours in real time
        "timestamptz" if unit == "hour" => {
            format!("(date_trunc('hour', now() AT TIME ZONE '{zone}') AT TIME ZONE '{zone}' + {n} * interval '{step}')")
        }
        "timestamptz" => format!(
            "((date_trunc('{unit}', now() AT TIME ZONE '{zone}') + {n} * interval '{step}') AT TIME ZONE '{zone}')"
        ),
        kind => format!("(date_trunc('{unit}', now() AT TIME ZONE '{zone}') + {n} * interval '{step}')::{kind}"),
    }
    };
    (from..=to)
        .map(|n| db.value(&format!("SELECT {}::text || '..' || {}::text", edge(n), edge(n + 1))))
        .collect()
}

/// Whether no two partitions leave a hole between them.
pub fn without_holes(bounds: &[String]) -> bool {
    let ends: Vec<_> = bounds.iter().filter_map(|b| b.split_once("..")).collect();
    ends.windows(2).all(|two| two[0].1 == two[1].0)
}

/// The columns and the key that the cases take for granted.
pub fn parent(db: &mut Db, table: &str, kind: &str) {
    db.exec(&format!(
        "CREATE TABLE {table} (id bigint, at {kind}, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)"
    ));
}

/// Lets the partition part of this session believe that it is then.
pub fn clock(db: &mut Db, at: &str) {
    db.exec(&format!("SET dbguard.partition_clock = '{at}'"));
}

/// `lower..upper` of all partitions but the default, in the order of the key's type.
pub fn typed_bounds(db: &mut Db, table: &str, kind: &str) -> Vec<String> {
    db.exec("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on");
    db.lines(&format!("SELECT lower || '..' || upper FROM ({}) b ORDER BY lower", pieces(table, kind)))
}

/// The bounds of a table's partitions as values of the key's type.
fn pieces(table: &str, kind: &str) -> String {
    format!(
        "SELECT m[1]::{kind} AS lower, m[2]::{kind} AS upper
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
              regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''(.*?)''\\) TO \\(''(.*?)''\\)') m
         WHERE i.inhparent = '{table}'::regclass AND m IS NOT NULL"
    )
}

/// Fails unless the partitions cover `[from, to)` without hole or overlap, by their bounds alone.
#[track_caller]
pub fn assert_covers(db: &mut Db, table: &str, kind: &str, from: &str, to: &str) {
    db.exec("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'");
    let verdict = db.lines(&format!(
        "SELECT (array_agg(lower ORDER BY lower))[1] = '{from}'::{kind},
                (array_agg(upper ORDER BY upper DESC))[1] = '{to}'::{kind}, count(*) FILTER (WHERE next <> upper),
                count(*) FILTER (WHERE lower >= upper)
         FROM (SELECT *, lead(lower) OVER (ORDER BY lower) AS next FROM ({}) p) b",
        pieces(table, kind)
    ));
    let found = typed_bounds(db, table, kind);
    assert_eq!(verdict, ["t | t | 0 | 0"], "{from}..{to}: {found:?}");
}

/// Ranges between edges that a query returns, ascending.
pub fn between(db: &mut Db, edges: &str) -> Vec<String> {
    db.exec("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'");
    let edges = db.lines(edges);
    edges.windows(2).map(|two| format!("{}..{}", two[0], two[1])).collect()
}
