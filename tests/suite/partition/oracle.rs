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
