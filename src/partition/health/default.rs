//! Default partitions that hold rows: the only tables of users that are looked into.

use super::{of_set, Finding, Severity};
use crate::catalog::hold;
use crate::ddl::health as ddl;
use crate::error::Result;
use crate::partition::moving::{MOST, MOST_OF_ALL};
use crate::partition::set::{self, Registered, Set, State, KNOWN};
use crate::pg::guc;
use crate::pg::subxact::look as subtransaction;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{civil, Micros};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::collections::HashMap;

/// The caller must be allowed to see its rows, all of them. What is no table of this server is left alone.
const DEFAULTS: &str = "
SELECT k.found, n.nspname::text, c.relname::text, c.relowner, a.attname::text, c.oid,
       c.relkind IN ('r', 'p') AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
         AND NOT row_security_active(c.oid)
FROM known k
JOIN pg_partitioned_table p ON p.partrelid = k.found
JOIN pg_class c ON c.oid = p.partdefid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = k.found AND a.attnum = p.partattrs[0]";

struct Default {
    oid: Oid,
    schema: String,
    name: String,
    owner: Oid,
    column: String,
    readable: bool,
}

pub fn look(sets: &[Registered], findings: &mut Vec<Finding>) -> Result<()> {
    let defaults = defaults()?;
    for registered in sets {
        let State::Live(set) = &registered.state else { continue };
        let Some(default) = defaults.get(&set.parent) else { continue };
        if !default.readable {
            findings.push(skipped(set, default, "you may not see all of its rows"));
            continue;
        }
        match probe(set, default) {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(skipped(set, default, error.message())),
        }
    }
    Ok(())
}

fn defaults() -> Result<HashMap<Oid, Default>> {
    let home = crate::pg::identity::database();
    Spi::connect(|client| {
        let mut defaults = HashMap::new();
        for row in client.select(format!("{KNOWN}{DEFAULTS}").as_str(), None, &set::every(&home))? {
            let (Some(parent), Some(owner), Some(oid)) = (row.get(1)?, row.get(4)?, row.get(6)?) else {
                continue;
            };
            let default = Default {
                oid,
                schema: row.get(2)?.unwrap_or_default(),
                name: row.get(3)?.unwrap_or_default(),
                owner,
                column: row.get(5)?.unwrap_or_default(),
                readable: row.get(7)?.unwrap_or(false),
            };
            defaults.insert(parent, default);
        }
        Ok(defaults)
    })
}

/// As its owner, so that none of his code runs with the caller's rights; without waiting for whoever has locked
/// it.
fn probe(set: &Set, default: &Default) -> Result<Vec<Finding>> {
    let (schema, name, column) = (&*default.schema, &*default.name, &*default.column);
    let ask = |query: &str| -> Result<bool> {
        let found = guc::with(&[(c"lock_timeout", c"20ms")], || {
            subtransaction(|| {
                hold(default.oid, (schema, name), default.owner)?;
                as_role(default.owner, Fence::Restricted, || {
                    Spi::connect(|client| {
                        Ok(client.select(query, Some(1), &[])?.first().get_one::<bool>()?)
                    })
                })
            })
        })?;
        Ok(found == Some(true))
    };
    if !ask(&ddl::any_row(schema, name))? {
        return Ok(Vec::new());
    }
    let leave = |most: u32| -> Result<bool> {
        let missing = set.missing_since(most)?;
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else { return Ok(false) };
        // a key may have no value for what lies far back: a UUID none before 1970
        let lower = civil::literal(set.grid.key, first.from).ok();
        let upper = civil::literal(set.grid.key, last.to)?;
        ask(&ddl::any_row_between(schema, name, column, lower.as_deref(), &upper))
    };
    let drain = |most| crate::ddl::moving::drain((&set.schema, &set.name), most);
    let fix = if leave(MOST)? {
        Some(drain(None))
    } else if leave(MOST_OF_ALL)? {
        Some(drain(Some(MOST_OF_ALL)))
    } else {
        None
    };
    let mut findings = vec![Finding {
        table: of_set(set),
        severity: if fix.is_some() { Severity::Warning } else { Severity::Info },
        problem: "default_rows",
        message: match fix {
            Some(_) => format!(
                "default partition \"{name}\" holds rows: until they are moved, those of their ranges are not made"
            ),
            None => format!(
                "default partition \"{name}\" holds only rows for which no partition is made: NULL, infinity, or out of reach"
            ),
        },
        fix: Some(fix.unwrap_or_else(|| {
            format!("They are in nobody's way. Or UPDATE or DELETE them: {}", ddl::all_rows(schema, name))
        })),
    }];
    let horizon =
        set.partitions.iter().map(|partition| partition.range.to).max().filter(|to| *to != Micros::MAX);
    if let Some(horizon) = horizon {
        let horizon = civil::literal(set.grid.key, horizon)?;
        if ask(&ddl::any_row_from(schema, name, column, &horizon))? {
            findings.push(Finding {
                table: of_set(set),
                severity: Severity::Warning,
                problem: "stray_rows",
                message: format!(
                    "default partition \"{name}\" holds rows later than every partition, from {horizon} on"
                ),
                fix: Some(ddl::rows_from(schema, name, column, &horizon)),
            });
        }
    }
    Ok(findings)
}

fn skipped(set: &Set, default: &Default, why: &str) -> Finding {
    Finding {
        table: of_set(set),
        severity: Severity::Info,
        problem: "default_skipped",
        message: format!("default partition \"{}\" was not looked into: {why}", default.name),
        fix: None,
    }
}
