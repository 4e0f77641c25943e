//! audit_maintain: what the log needs from time to time. Partitions whose time is over get their index
//! of keys, BRIN indexes learn of new pages, and what is not kept any longer goes, partition by partition, and
//! with it the digests of what was in it.

use super::log_option::{self, KeyIndex};
use super::oldest::Oldest;
use crate::audit::evidence::sealed;
use crate::audit::write::record;
use crate::catalog::extension_owner;
use crate::ddl;
use crate::error::Result;
use crate::pg::guc;
use crate::pg::relation::of_ours;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use dbguard_core::partition::{node, Key, Range};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::ffi::CStr;

/// A change is at most this much younger than the context it refers to.
const HOUR: i64 = 3_600_000_000;

/// What is indexed in a partition whose time is over: columns, and which rows.
type Keys = &'static [(&'static str, Option<&'static str>)];
const CHANGE_KEYS: Keys = &[("relation, key", None), ("relation, old_key", Some("old_key IS NOT NULL"))];
const PACK_KEYS: Keys = &[("relation, lowest_key, highest_key", None)];

struct Partition {
    oid: Oid,
    schema: String,
    name: String,
    range: Range,
}

/// One thing to do, and what to do it to.
struct Step {
    action: &'static str,
    object: String,
    statement: String,
}

type Row = (String, String, Option<String>);

#[pg_extern(sql = false)]
fn audit_maintain(
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<'static, (name!(action, String), name!(object, String), name!(message, Option<String>))>,
    ErrorReport,
> {
    Ok(TableIterator::new(maintain(dry_run.unwrap_or_default())?))
}

fn maintain(dry_run: bool) -> Result<Vec<Row>> {
    if of_ours(c"audit_change").is_none() {
        return Err(record::no_log());
    }
    as_role(extension_owner()?, Fence::Local, || {
        let (steps, will_begin) = plan()?;
        if dry_run {
            let told = |s: Step| (s.action.to_owned(), s.object, Some(s.statement));
            let mut rows: Vec<Row> = steps.into_iter().map(told).collect();
            rows.extend(let_go(&will_begin, true)?);
            return Ok(rows);
        }
        let mut rows = vec![];
        for step in steps {
            pgrx::check_for_interrupts!();
            let failed = done(&step).err().map(|e| e.message().to_owned());
            let action = if failed.is_some() { "failed" } else { step.action };
            rows.push((action.to_owned(), step.object, failed.or(Some(step.statement))));
        }
        rows.extend(let_go(&Oldest::load()?, false)?);
        rows.extend(summarize()?);
        Ok(rows)
    })
}

/// The digests of seals over changes that are gone. A net may hold older changes than any partition.
fn let_go(oldest: &Oldest, dry_run: bool) -> Result<Option<Row>> {
    if nets_hold_rows()? {
        return Ok(None);
    }
    let seals = sealed::let_go(oldest, dry_run)?;
    let told = format!("digests of {seals} seals whose changes were dropped");
    Ok((seals > 0).then(|| ("trim".to_owned(), "dbguard.audit_seal_record".to_owned(), Some(told))))
}

/// Without waiting long for whoever reads: writers would queue up behind us.
fn done(step: &Step) -> Result<()> {
    guc::with(&[(c"lock_timeout", c"500ms")], || subtransaction(|| ddl::run(&step.statement)))
}

/// What there is to do, and where the log will begin then.
fn plan() -> Result<(Vec<Step>, Oldest)> {
    let (cutoff, now) = log_option::times()?;
    let (changes, packs) = (partitions(c"audit_change")?, partitions(c"audit_pack")?);
    let (commands, contexts) = (partitions(c"audit_command")?, partitions(c"audit_context")?);
    let over = |p: &&Partition| cutoff.is_some_and(|cutoff| p.range.to <= cutoff);
    let mut steps = vec![];
    if log_option::key_index()? == KeyIndex::Closed {
        for (list, keys) in [(&changes, CHANGE_KEYS), (&packs, PACK_KEYS)] {
            for partition in list.iter().filter(|p| p.range.to <= now && !over(p)) {
                steps.extend(missing_indexes(partition, keys)?);
            }
        }
    }
    let all = || changes.iter().chain(&packs).chain(&commands);
    steps.extend(all().filter(over).map(drop_step));
    let mut contexts_from = i64::MIN;
    if let Some(cutoff) = cutoff {
        // who and why must last as long as the last change that says so
        let kept = all().filter(|p| !over(p)).map(|p| p.range.from).min().unwrap_or(cutoff).min(cutoff);
        contexts_from = if nets_hold_rows()? { i64::MIN } else { kept.saturating_sub(HOUR) };
        steps.extend(contexts.iter().filter(|p| p.range.to <= contexts_from).map(drop_step));
    }
    let begins = |kept: &mut dyn Iterator<Item = &Partition>| kept.map(|p| p.range.from).min();
    let oldest = Oldest {
        change: begins(&mut changes.iter().chain(&packs).filter(|p| !over(p))).unwrap_or(i64::MIN),
        context: begins(&mut contexts.iter().filter(|p| p.range.to > contexts_from)).unwrap_or(i64::MIN),
    };
    Ok((steps, oldest))
}

fn drop_step(partition: &Partition) -> Step {
    Step {
        action: "drop",
        object: format!("{}.{}", partition.schema, partition.name),
        statement: ddl::audit_log::drop_table(&partition.schema, &partition.name),
    }
}

/// The partitions of a table of the log that have bounds, oldest first.
fn partitions(table: &CStr) -> Result<Vec<Partition>> {
    const PARTITIONS: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text, c.relpartbound::text
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = $1";
    let Some(table) = of_ours(table) else { return Ok(vec![]) };
    let mut list = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(PARTITIONS, None, &[table.into()])? {
            let bound = row.get::<String>(4)?.and_then(|text| node::range(text.as_bytes()));
            let range = bound.and_then(|bound| Key::Timestamptz.range(&bound));
            let (Some(oid), Some(range)) = (row.get::<Oid>(1)?, range) else { continue };
            let (schema, name) = (row.get::<String>(2)?, row.get::<String>(3)?);
            list.push(Partition {
                oid,
                schema: schema.unwrap_or_default(),
                name: name.unwrap_or_default(),
                range,
            });
        }
        Ok(list)
    })?;
    list.sort_by_key(|p| p.range);
    Ok(list)
}

fn missing_indexes(partition: &Partition, keys: Keys) -> Result<Vec<Step>> {
    const THERE: &str = "
        SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
        FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indexrelid
        WHERE x.indrelid = $1 AND x.indisvalid
        GROUP BY x.indexrelid";
    let there = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client.select(THERE, None, &[partition.oid.into()])?.map(|row| row.get::<String>(1)).collect()
    })?;
    let missing = keys.iter().filter(|(columns, _)| !there.iter().flatten().any(|t| t == columns));
    Ok(missing
        .map(|(columns, only)| Step {
            action: "index",
            object: format!("{}.{}", partition.schema, partition.name),
            statement: ddl::audit_log::create_index(&partition.schema, &partition.name, columns, *only),
        })
        .collect())
}

/// Whether changes lie where no partition says how old they are.
fn nets_hold_rows() -> Result<bool> {
    const NETS: [(&CStr, &str); 3] = [
        (c"audit_command_default", "SELECT EXISTS (SELECT FROM dbguard.audit_command_default)"),
        (c"audit_change_default", "SELECT EXISTS (SELECT FROM dbguard.audit_change_default)"),
        (c"audit_pack_default", "SELECT EXISTS (SELECT FROM dbguard.audit_pack_default)"),
    ];
    for (net, holds_rows) in NETS {
        if of_ours(net).is_some() && Spi::get_one::<bool>(holds_rows)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lets the BRIN indexes know the pages they have not seen; tells of those that had any.
fn summarize() -> Result<Vec<Row>> {
    const INDEXES: &str = "
        SELECT ci.oid, format('%s.%s', n.nspname, ci.relname)
        FROM pg_inherits i
        JOIN pg_index x ON x.indrelid = i.inhrelid
        JOIN pg_class ci ON ci.oid = x.indexrelid
        JOIN pg_namespace n ON n.oid = ci.relnamespace
        JOIN pg_am m ON m.oid = ci.relam AND m.amname = 'brin'
        WHERE i.inhparent = ANY ($1)
        ORDER BY ci.relname";
    const SUMMARIZE: &str = "SELECT brin_summarize_new_values($1)";
    let tables: Vec<Oid> = [c"audit_change", c"audit_pack"].into_iter().filter_map(of_ours).collect();
    let indexes = Spi::connect_mut(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.update(INDEXES, None, &[tables.into()])? {
            list.push((row.get::<Oid>(1)?, row.get::<String>(2)?.unwrap_or_default()));
        }
        Ok(list)
    })?;
    let mut rows = vec![];
    for (index, name) in indexes {
        pgrx::check_for_interrupts!();
        let ranges = subtransaction(|| Ok(Spi::get_one_with_args::<i32>(SUMMARIZE, &[index.into()])?));
        match ranges {
            Ok(Some(ranges)) if ranges > 0 => {
                rows.push(("summarize".to_owned(), name, Some(format!("{ranges} ranges of pages"))))
            }
            Ok(_) => {}
            Err(e) => rows.push(("failed".to_owned(), name, Some(e.message().to_owned()))),
        }
    }
    Ok(rows)
}
