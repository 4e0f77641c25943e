//! An audited relation as the trigger needs to know it: resolved once, kept until the relation
//! changes, or the root it is a partition of, or the log.

use super::context;
use super::image;
use super::log;
use super::pledge::Pledge;
use crate::audit::choose::audited;
use crate::audit::choose::options::{Bulk, Capture, Found, Listed, Options, Redaction};
use crate::audit::store::lineage;
use crate::cache::TriggerCache;
use crate::catalog;
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_call, Attribute};
use crate::pg::plan::{Arg, KeptPlan};
use crate::pg::relation::{is_function_of_ours, partition_parent, Relation};
use crate::pg::trigger::TriggerCall;
use crate::pg::user::{as_role, Fence};
use crate::pg::{guc, statement, xact};
use dbguard_core::jsonb::{self, Keys};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use std::rc::Rc;

/// A column of the image.
pub struct Column {
    pub attribute: Attribute,
    pub redact: bool,
    pub in_key: bool,
}

pub struct Target {
    /// Of the root, as they were when this was built.
    pub schema: String,
    pub name: String,
    pub capture: Capture,
    /// In the order of jsonb keys, without excluded ones.
    pub columns: Vec<Column>,
    /// Their names, as the image of a whole row has them.
    pub keys: Keys,
    pub has_key: bool,
    /// Whether any column is redacted.
    pub redacts: bool,
    pub redact_with: Redaction,
    /// The column that says whose row it is.
    pub tenant: Option<Attribute>,
    /// The column that says when the row was deleted softly.
    pub deleted: Option<Attribute>,
    pub bulk: Bulk,
    /// Its row in audit_relation.
    pub relation: i32,
    /// That it is there.
    pledge: Rc<Pledge>,
}

thread_local! {
    static TARGETS: TriggerCache<Target> = TriggerCache::new();
}

fn forget(relid: Option<Oid>) {
    TARGETS.with(|targets| targets.forget(relid));
    context::forget(relid);
    log::forget(relid);
}

/// The target of a call: from the cache, or built anew.
pub fn of(call: &TriggerCall) -> Result<Rc<Target>> {
    let key = (call.relation_oid(), call.trigger_oid());
    TARGETS.with(|targets| {
        targets.get(
            key,
            forget,
            |target: &Target| target.pledge.holds(),
            || statement::apart(|| guc::with_pinned_search_path(|| build(call))),
        )
    })
}

/// The relation audit was enabled on: a partition's trigger is a copy of its parent's.
fn root(call: &TriggerCall) -> Result<Relation> {
    let mut relation = catalog::relation(call.relation_oid())?;
    let mut is_clone = relation.triggers.iter().any(|t| t.oid == call.trigger_oid() && t.is_clone);
    while is_clone {
        relation = catalog::relation(partition_parent(relation.oid))?;
        is_clone = relation.triggers.iter().any(|t| audited::is_row_trigger(t) && t.is_clone);
    }
    Ok(relation)
}

/// Everything is read from the server's caches, not with a snapshot: under REPEATABLE READ a
/// snapshot would show the table as it was, and what is built here outlives the transaction.
fn build(call: &TriggerCall) -> Result<(Target, Vec<Oid>)> {
    let options = Options::from_args(call.args())?;
    let root = root(call)?;
    let log = log::tables()?;
    let key = root.key();
    let (columns, here) = (audited::columns(&root), audited::home(&root));
    let types = audited::types(audited::logged_columns(&root, &options));
    let (relation, written_by) =
        as_role(log.owner, Fence::Local, || relation_row(&root, &here, &key, &types))?;

    let found =
        |list: &[Listed]| -> Vec<Found> { list.iter().map(|c| options.find(c, &columns, &here)).collect() };
    let (exclude, redact) = (found(&options.exclude), found(&options.redact));
    // a column that must not be logged cannot be told from the others: none is shown but the key
    let lost = exclude.contains(&Found::Lost) || redact.contains(&Found::Lost);
    // a listed column that became part of the key later must not be shown by it
    let shown = |name: &String| !exclude.contains(&Found::As(name)) && !redact.contains(&Found::As(name));
    let has_key = !key.is_empty() && key.iter().all(shown);
    let mut list: Vec<Column> = attributes_of_call(call)
        .into_iter()
        .filter(|a| !exclude.contains(&Found::As(&a.name)))
        .map(|attribute| Column {
            in_key: has_key && key.contains(&attribute.name),
            redact: redact.contains(&Found::As(&attribute.name)) || (lost && !key.contains(&attribute.name)),
            attribute,
        })
        .collect();
    list.sort_by(|a, b| jsonb::key_order(a.attribute.name.as_bytes(), b.attribute.name.as_bytes()));
    let tenant = options.tenant.as_ref().map(|c| options.find(c, &columns, &here));
    let is_tenant = |a: &Attribute| tenant == Some(Found::As(&a.name));
    let names: Vec<&[u8]> = list.iter().map(|c| c.attribute.name.as_bytes()).collect();
    let target = Target {
        keys: Keys::new(&names).map_err(image::refused)?,
        schema: root.schema.clone(),
        name: root.name.clone(),
        capture: options.capture,
        redacts: list.iter().any(|c| c.redact),
        columns: list,
        has_key,
        redact_with: options.redact_with,
        tenant: attributes_of_call(call).into_iter().find(is_tenant),
        deleted: soft_delete_column(&root)
            .and_then(|name| attributes_of_call(call).into_iter().find(|a| a.name == name)),
        bulk: options.bulk,
        relation,
        pledge: Pledge::new(written_by),
    };
    // the log's own tables too: dropped and made again they hold other ids
    let depends = std::iter::once(root.oid).chain(log.all()).collect();
    Ok((target, depends))
}

/// The column that the trigger of soft delete sets, if the table has it.
fn soft_delete_column(table: &Relation) -> Option<String> {
    let trigger = table
        .triggers
        .iter()
        .find(|t| t.enabled != 'D' && is_function_of_ours(t.function, c"soft_delete"))?;
    Some(trigger.args.first().map_or("deleted_at", String::as_str).to_owned())
}

thread_local! {
    static NEW_RELATION: KeptPlan = const { KeptPlan::new(
        c"INSERT INTO dbguard.audit_relation (id, lineage, schema_name, table_name, home, key_columns, columns)
          OVERRIDING SYSTEM VALUE
          SELECT n.id, coalesce($1, n.id), $2::pg_catalog.name, $3::pg_catalog.name, $4,
                 $5::pg_catalog.name[], $6::pg_catalog.jsonb
          FROM (SELECT pg_catalog.nextval('dbguard.audit_relation_id_seq')::pg_catalog.int4 AS id) n
          RETURNING id::pg_catalog.int8",
        &[pg_sys::INT4OID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID]) };
}

/// The table's row in audit_relation, written if this version has none. No unique index and so no
/// waiting: a second session that is at it too writes a row of its own, and either is right.
pub(in crate::audit) fn relation_row(
    root: &Relation,
    here: &str,
    key: &[String],
    columns: &str,
) -> Result<(i32, Option<pg_sys::TransactionId>)> {
    const KNOWN: &str = "
        SELECT id, xmin::text::int8 FROM dbguard.audit_relation
        WHERE schema_name = $1::name AND table_name = $2::name AND home = $3
          AND key_columns = $4::name[] AND columns = $5::jsonb
        ORDER BY id DESC LIMIT 1";
    let known = Spi::connect(|client| {
        let args = [
            root.schema.as_str().into(),
            root.name.as_str().into(),
            here.into(),
            key.to_vec().into(),
            columns.into(),
        ];
        let mut found = client.select(KNOWN, Some(1), &args)?;
        found.next().map_or(Ok(None), |row| Ok(row.get::<i32>(1)?.zip(row.get::<i64>(2)?)))
    })
    .map_err(|e: pgrx::spi::Error| e)?;
    if let Some((id, xmin)) = known {
        // another of our triggers may have written it in a subtransaction that can still be rolled back
        let by = pg_sys::TransactionId::from(xmin as u32);
        return Ok((id, xact::stands(by).then_some(by)));
    }
    let lineage = lineage::of(root, here)?;
    let key = array_literal(key);
    let id = NEW_RELATION.with(|plan| {
        plan.run(&[
            lineage.map_or(Arg::Null, Arg::Int4),
            Arg::Text(root.schema.as_bytes()),
            Arg::Text(root.name.as_bytes()),
            Arg::Text(here.as_bytes()),
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
