//! Where changes go: into the partition of the log that takes their time, straight into its heap and
//! indexes; by an ordinary INSERT where the log is not as we made it.

use super::buffer::{Batch, Entry};
use super::context;
use super::image::Span;
use super::packing;
use super::tally;
use crate::audit::choose::options::Bulk;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::heap::{Appended, Rows};
use crate::pg::leaf::{Column, Leaf};
use crate::pg::plan::KeptPlan;
use crate::pg::relation::of_ours;
use crate::pg::user::{as_role, Fence};
use crate::pg::varlena::varlena;
use crate::pg::{sequence, xact};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// How many ids one draw from the sequence is good for (its INCREMENT in log.sql).
pub const DRAW: i64 = 1000;

/// The log's own tables.
#[derive(Clone, Copy)]
pub struct Tables {
    change: Oid,
    pack: Oid,
    context: Oid,
    relation: Oid,
    ids: Oid,
    pub owner: Oid,
}

/// One of the tables that changes are appended to.
struct Store {
    columns: &'static [Column],
    plan: KeptPlan,
    leaf: RefCell<Option<Rc<Leaf>>>,
}

/// The attribute that the tables are partitioned by.
const AT: i16 = 2;

macro_rules! columns {
    ($($name:literal $type:ident $null:literal),* $(,)?) => {
        &[$(Column { name: $name, type_oid: pg_sys::$type, null: $null }),*]
    };
}

const CHANGE: &[Column] = columns! {
    c"id" INT8OID false, c"at" TIMESTAMPTZOID false, c"xact" XID8OID false, c"context" INT8OID false,
    c"relation" INT4OID false, c"op" CHAROID false, c"tenant" TEXTOID true, c"key" TEXTOID true,
    c"old_key" TEXTOID true, c"old" JSONBOID true, c"new" JSONBOID true,
};
const PACK: &[Column] = columns! {
    c"id" INT8OID false, c"at" TIMESTAMPTZOID false, c"xact" XID8OID false, c"context" INT8OID false,
    c"relation" INT4OID false, c"changes" INT4OID false, c"tenant" TEXTOID true,
    c"lowest_key" TEXTOID true, c"highest_key" TEXTOID true, c"data" BYTEAOID false,
};

thread_local! {
    // not dropped at exit: the server's memory is gone by then
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
    static CHANGES: ManuallyDrop<Store> = const { ManuallyDrop::new(Store {
        columns: CHANGE,
        plan: KeptPlan::new(
            c"INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op, tenant, key, old_key, old, new)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &[pg_sys::INT8OID, pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID, pg_sys::INT8OID, pg_sys::INT4OID,
              pg_sys::CHAROID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::JSONBOID, pg_sys::JSONBOID]),
        leaf: RefCell::new(None),
    }) };
    static PACKS: ManuallyDrop<Store> = const { ManuallyDrop::new(Store {
        columns: PACK,
        plan: KeptPlan::new(
            c"INSERT INTO dbguard.audit_pack (id, at, xact, context, relation, changes, tenant, lowest_key, highest_key, data)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[pg_sys::INT8OID, pg_sys::TIMESTAMPTZOID, pg_sys::XID8OID, pg_sys::INT8OID, pg_sys::INT4OID,
              pg_sys::INT4OID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::BYTEAOID]),
        leaf: RefCell::new(None),
    }) };
}

/// Called when a relation changed. Runs in the middle of catalog access: only notes it.
pub fn forget(relid: Option<Oid>) {
    TABLES.with(|tables| {
        if let Ok(mut tables) = tables.try_borrow_mut() {
            let ours = |t: &Tables| relid.is_none_or(|r| t.all().contains(&r) || r == t.ids);
            if tables.as_ref().is_some_and(ours) {
                *tables = None;
            }
        }
    });
    for store in [&CHANGES, &PACKS] {
        store.with(|store| {
            if let Ok(leaf) = store.leaf.try_borrow() {
                leaf.iter().for_each(|leaf| leaf.forget(relid));
            }
        });
    }
}

impl Tables {
    /// Those that an audited table's cached state depends on.
    pub fn all(&self) -> [Oid; 4] {
        [self.change, self.pack, self.context, self.relation]
    }
}

/// The log's tables as they are now; 55000 when they are gone.
pub fn tables() -> Result<Tables> {
    if let Some(known) = TABLES.with_borrow(|tables| *tables) {
        return Ok(known);
    }
    let table = |name: &CStr| {
        of_ours(name).ok_or_else(|| {
            Error::not_in_state(format!(
                "the audit log is gone: table \"dbguard.{}\" does not exist",
                name.to_string_lossy()
            ))
            .hint("Call dbguard.audit_enable on any table to make it again, or drop the trigger _dbguard_audit.")
        })
    };
    let change = table(c"audit_change")?;
    let found = Tables {
        change,
        pack: table(c"audit_pack")?,
        context: table(c"audit_context")?,
        relation: table(c"audit_relation")?,
        ids: table(c"audit_change_id_seq")?,
        owner: catalog::relation(change)?.owner,
    };
    TABLES.set(Some(found));
    Ok(found)
}

/// Gives them ids, in their order. All rows they tell of are locked by us, so that whoever changes
/// one of them later draws a higher id.
fn number(entries: &mut [Entry]) -> Result<()> {
    let ids = tables()?.ids;
    let mut next = 0..0;
    for entry in entries {
        if next.is_empty() {
            let first = sequence::next(ids);
            next = first..first + DRAW;
        }
        entry.id = next.start;
        next.start += 1;
    }
    Ok(())
}

/// Writes all changes of a batch, in order.
pub fn write(batch: &mut Batch) -> Result<()> {
    number(&mut batch.entries)?;
    let tables = tables()?;
    let claimed = context::with_tenant(|tenant| tenant.map(varlena));
    let top = xact::top_id();
    let xact = Datum::from(top);
    context::announce(top);
    tally::count(&batch.entries);
    let mut rest = batch.entries.as_slice();
    while let Some(first) = rest.first() {
        // those of one statement
        let (same, others) = rest.split_at(rest.iter().take_while(|e| e.at == first.at).count());
        rest = others;
        let who = Datum::from(context::of(tables.owner, first.at)?);
        let head =
            |e: &Entry| [Datum::from(e.id), Datum::from(e.at), xact, who, Datum::from(e.target.relation)];
        let tenant = |e: &Entry| datum(e.tenant, &batch.bytes).or(claimed);
        let (mut rows, mut packs) = (Rows::new(CHANGE.len(), same.len()), Rows::new(PACK.len(), 0));
        for part in packing::parts(same, &batch.bytes) {
            match part {
                packing::Part::Row(e) => {
                    head(e).into_iter().for_each(|value| rows.push(Some(value)));
                    rows.push(Some(Datum::from(e.op)));
                    rows.push(tenant(e));
                    [e.key, e.old_key, e.old, e.new]
                        .into_iter()
                        .for_each(|s| rows.push(datum(s, &batch.bytes)));
                }
                packing::Part::Pack(pack) => {
                    head(pack.first).into_iter().for_each(|value| packs.push(Some(value)));
                    packs.push(Some(Datum::from(pack.changes)));
                    packs.push(tenant(pack.first));
                    [&pack.lowest_key, &pack.highest_key]
                        .into_iter()
                        .for_each(|key| packs.push(key.as_deref().map(varlena)));
                    packs.push(Some(varlena(&pack.data)));
                }
            }
        }
        CHANGES.with(|store| store.append(tables.change, &tables, first.at, &rows))?;
        PACKS.with(|store| store.append(tables.pack, &tables, first.at, &packs))?;
    }
    Ok(())
}

fn datum(span: Option<Span>, bytes: &[u8]) -> Option<Datum> {
    span.map(|span| Datum::from(span.of(bytes).as_ptr()))
}

impl Store {
    fn append(&self, table: Oid, tables: &Tables, at: i64, rows: &Rows) -> Result<()> {
        if rows.values.is_empty() {
            return Ok(());
        }
        loop {
            let known =
                self.leaf.borrow().as_ref().filter(|leaf| leaf.parent == table && leaf.takes(at)).cloned();
            let leaf = match known {
                Some(leaf) => leaf,
                None => {
                    crate::pg::inval::on_change(forget);
                    match Leaf::resolve(table, AT, at, self.columns) {
                        Some(leaf) => {
                            let leaf = Rc::new(leaf);
                            *self.leaf.borrow_mut() = Some(leaf.clone());
                            leaf
                        }
                        None => return self.insert(tables, rows),
                    }
                }
            };
            if leaf.append(rows) == Appended::Done {
                return Ok(());
            }
        }
    }

    /// With the rights of the log's owner, whoever made the change.
    fn insert(&self, tables: &Tables, rows: &Rows) -> Result<()> {
        let values = rows.values.chunks(rows.width).zip(rows.nulls.chunks(rows.width));
        as_role(tables.owner, Fence::Qualified, || {
            for (values, nulls) in values {
                self.plan.run_datums(values, nulls)?;
            }
            Ok(())
        })
    }
}

impl Bulk {
    pub fn packs(self) -> bool {
        self == Bulk::Pack
    }
}
