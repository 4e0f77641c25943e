//! An audited relation as the trigger needs to know it: resolved once, kept until the relation
//! (or the root it is a partition of) changes.

use super::options::{Capture, Options};
use crate::cache::TriggerCache;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::trigger::TriggerCall;
use crate::pg::user::{as_role, Fence};
use crate::pg::{guc, xact};
use dbguard_core::jsonb;
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

/// A column of the image.
pub struct Column {
    pub attribute: Attribute,
    pub redact: bool,
    pub in_key: bool,
}

pub struct Target {
    pub log_owner: Oid,
    pub capture: Capture,
    /// In the order of jsonb keys, without excluded ones.
    pub columns: Vec<Column>,
    pub has_key: bool,
    /// Its row in audit_relation.
    pub relation: i32,
    /// The transaction that wrote that row, while it is not known to have committed.
    written_by: Cell<Option<pg_sys::TransactionId>>,
}

thread_local! {
    static TARGETS: TriggerCache<Target> = TriggerCache::new();
}

fn forget(relid: Option<Oid>) {
    TARGETS.with(|targets| targets.forget(relid));
}

/// The target of a call: from the cache, or built anew.
pub fn of(call: &TriggerCall) -> Result<Rc<Target>> {
    let key = (call.relation_oid(), call.trigger_oid());
    TARGETS.with(|targets| {
        targets.get(key, forget, Target::relation_stands, || guc::with_pinned_search_path(|| build(call)))
    })
}

impl Target {
    /// Whether the row in audit_relation is there: a rolled back transaction takes it along.
    fn relation_stands(&self) -> bool {
        match self.written_by.get() {
            None => true,
            Some(xid) if xact::stands(xid) => true,
            Some(xid) => {
                let committed = xact::committed(xid);
                if committed {
                    self.written_by.set(None);
                }
                committed
            }
        }
    }
}

/// The relation audit was enabled on (a partition's trigger is a copy of its root's), its name and
/// the names of its key columns.
const ROOT: &str = "
    WITH RECURSIVE up AS (
      SELECT t.oid, t.tgparentid, t.tgrelid FROM pg_trigger t WHERE t.oid = $1
      UNION ALL
      SELECT t.oid, t.tgparentid, t.tgrelid FROM pg_trigger t JOIN up ON t.oid = up.tgparentid
    )
    SELECT c.oid, n.nspname::text, c.relname::text,
           ARRAY(SELECT a.attname::text
                 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                 WHERE i.indrelid = c.oid AND i.indisprimary
                 ORDER BY a.attnum),
           (SELECT coalesce(jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)), '{}')
            FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text,
           (SELECT relowner FROM pg_class WHERE oid = to_regclass('dbguard.audit_change'))
    FROM up
    JOIN pg_class c ON c.oid = up.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE up.tgparentid = 0";

fn build(call: &TriggerCall) -> Result<(Target, Oid)> {
    let options = Options::from_args(call.args())?;
    let trigger = call.trigger_oid();
    let row = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
        let row = client.select(ROOT, Some(1), &[trigger.into()])?.first();
        Ok((
            row.get::<Oid>(1)?,
            row.get::<String>(2)?,
            row.get::<String>(3)?,
            row.get::<Vec<String>>(4)?.unwrap_or_default(),
            row.get::<String>(5)?.unwrap_or_default(),
            row.get::<Oid>(6)?,
        ))
    })?;
    let (Some(root), Some(schema), Some(table), key, columns, log_owner) = row else {
        return Err(Error::internal("the audit trigger's own relation is not in the catalogs"));
    };
    let Some(log_owner) = log_owner else {
        return Err(Error::not_in_state(
            "the audit log is gone: table \"dbguard.audit_change\" does not exist",
        )
        .hint(
            "Call dbguard.audit_enable on any table to make it again, or drop the trigger dbguard_audit.",
        ));
    };
    let (relation, written_by) =
        as_role(log_owner, Fence::Local, || relation_row(&schema, &table, &key, &columns))?;

    let mut list: Vec<Column> = attributes_of_call(call)
        .into_iter()
        .filter(|a| !options.exclude.contains(&a.name))
        .map(|attribute| Column {
            redact: options.redact.contains(&attribute.name),
            in_key: key.contains(&attribute.name),
            attribute,
        })
        .collect();
    list.sort_by(|a, b| jsonb::key_order(a.attribute.name.as_bytes(), b.attribute.name.as_bytes()));
    let target = Target {
        log_owner,
        capture: options.capture,
        columns: list,
        has_key: !key.is_empty(),
        relation,
        written_by: Cell::new(written_by),
    };
    Ok((target, root))
}

thread_local! {
    static NEW_RELATION: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_relation (schema_name, table_name, key_columns, columns)
          VALUES ($1::pg_catalog.name, $2::pg_catalog.name, $3::pg_catalog.name[], $4::pg_catalog.jsonb)
          RETURNING id::pg_catalog.int8",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID]) };
}

/// The table's row in audit_relation, written if this version has none. No unique index and so no
/// waiting: a second session that is at it too writes a row of its own, and either is right.
fn relation_row(
    schema: &str,
    table: &str,
    key: &[String],
    columns: &str,
) -> Result<(i32, Option<pg_sys::TransactionId>)> {
    let known = Spi::connect(|client| {
        client
            .select(
                "SELECT max(id) FROM dbguard.audit_relation
                 WHERE schema_name = $1::name AND table_name = $2::name AND key_columns = $3::name[] AND columns = $4::jsonb",
                Some(1),
                &[schema.into(), table.into(), key.to_vec().into(), columns.into()],
            )?
            .first()
            .get_one::<i32>()
    })?;
    if let Some(id) = known {
        return Ok((id, None));
    }
    let key = array_literal(key);
    let id = NEW_RELATION.with(|plan| {
        plan.run(&[
            Arg::Text(schema.as_bytes()),
            Arg::Text(table.as_bytes()),
            Arg::Text(key.as_bytes()),
            Arg::Text(columns.as_bytes()),
        ])
    })?;
    let id = id.ok_or_else(|| Error::internal("audit_relation gave no id"))?;
    Ok((id as i32, Some(xact::current_id())))
}

/// `{"a","b"}`: names as the text form of an array.
fn array_literal(names: &[String]) -> String {
    let quoted: Vec<String> =
        names.iter().map(|n| format!("\"{}\"", n.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}
