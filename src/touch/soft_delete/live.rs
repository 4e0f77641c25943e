//! The view of live rows: a DELETE from it counts and returns rows as one from a table does.

use super::keys::primary_key;
use super::trigger::deleted;
use crate::cache::TriggerCache;
use crate::catalog;
use crate::ddl;
use crate::ddl::soft_delete::{named, Key, LIVE_TRIGGER};
use crate::error::{Error, Result};
use crate::pg::attribute::{attributes_of_relation, Attribute};
use crate::pg::guc;
use crate::pg::kept::Kept;
use crate::pg::query::{each_fresh, param};
use crate::pg::relation::{describe, Relation};
use crate::pg::trigger::{Event, TriggerCall};
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::prelude::*;

/// The table that a view of ours shows.
const TABLE_OF_VIEW: &str = "
    SELECT DISTINCT d.refobjid FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid <> r.ev_class
    WHERE r.ev_class = $1";

/// Makes the view, or makes it anew with the columns that the table has now. Its owner is that of the table, and who
/// may use the table may use it.
pub fn make(table: &Relation, column: &str, name: &str) -> Result<Oid> {
    const FIND: &str = "
        SELECT c.oid, c.relkind::text, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = $3)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let (schema, view) = place(table, name)?;
    let find = || {
        Spi::connect(|client| {
            let args = [schema.as_str().into(), view.as_str().into(), LIVE_TRIGGER.into()];
            let mut found = client.select(FIND, Some(1), &args)?;
            found.next().map_or(Ok(None), |row| {
                Ok(row.get::<Oid>(1)?.zip(Some((row.get::<String>(2)?, row.get::<bool>(3)?))))
            })
        })
        .map_err(|e: pgrx::spi::Error| Error::from(e))
    };
    let there = find()?;
    if let Some((oid, (kind, ours))) = &there {
        if kind.as_deref() != Some("v") || *ours != Some(true) || table_of(*oid)? != Some(table.oid) {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
                format!("relation \"{view}\" already exists"),
            )
            .detail(format!("It is not a view of live rows of table \"{}\".", table.name))
            .hint("Choose another name."));
        }
    }
    if primary_key(table.oid)?.is_empty() {
        return Err(Error::not_in_state(format!("table \"{}\" has no primary key", table.name))
            .detail("A DELETE from the view could not tell rows apart.")
            .hint("Add a primary key, or make a view of your own."));
    }
    let comment = format!("Rows of {} that are not deleted", table.name);
    let mut statements = match there {
        Some((oid, _)) => renames(table, oid, (&schema, &view))?,
        None => vec![],
    };
    let shown = named(&table.schema, &table.name, table.kind == 'p');
    statements.extend([
        ddl::soft_delete::live_view(&schema, &view, &shown, column),
        ddl::soft_delete::live_trigger(&schema, &view),
        ddl::soft_delete::comment_on_view(&schema, &view, &comment),
    ]);
    for statement in statements {
        ddl::as_owner(table.owner, &statement)?;
    }
    grant(table, &schema, &view)?;
    let (oid, _) = find()?.ok_or_else(|| Error::internal("the view was not made"))?;
    Ok(oid)
}

/// A view keeps the names that the columns had.
fn renames(table: &Relation, view: Oid, name: (&str, &str)) -> Result<Vec<String>> {
    let (shown, own) = (attributes_of_relation(view), attributes_of_relation(table.oid));
    let of = |number: i16, all: &[Attribute]| all.iter().find(|a| a.number == number).map(|a| a.name.clone());
    let pairs = origins(view, table.oid)?.into_iter();
    let pairs = pairs.filter_map(|(at, from)| of(at, &shown).zip(of(from, &own)));
    Ok(pairs
        .filter(|(now, then)| now != then)
        .map(|(now, then)| ddl::soft_delete::rename_column(name.0, name.1, &now, &then))
        .collect())
}

/// `name`, with a schema or in that of the table.
fn place(table: &Relation, name: &str) -> Result<(String, String)> {
    let parts: Vec<String> = Spi::connect(|client| {
        client.select("SELECT parse_ident($1)", Some(1), &[name.into()])?.first().get_one::<Vec<String>>()
    })?
    .unwrap_or_default();
    match <[String; 2]>::try_from(parts) {
        Ok([schema, view]) => Ok((schema, view)),
        Err(parts) => match <[String; 1]>::try_from(parts) {
            Ok([view]) => Ok((table.schema.clone(), view)),
            Err(_) => Err(Error::invalid_parameter(format!("\"{name}\" is no name for a view"))
                .hint("Give a name, or a schema and a name: live_view => 'orders_live'.")),
        },
    }
}

/// Whoever may use the table may use the view, which asks for the same again: of all columns, so that rights on some of
/// them would be of no use.
fn grant(table: &Relation, schema: &str, view: &str) -> Result<()> {
    const GRANTS: &str = "
        SELECT string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), r.rolname::text
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = $1 AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY a.grantee, r.rolname";
    let grants = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut grants = vec![];
        for row in client.select(GRANTS, None, &[table.oid.into()])? {
            grants.extend(row.get::<String>(1)?.zip(Some(row.get::<String>(2)?)));
        }
        Ok(grants)
    })?;
    for (privileges, role) in grants {
        ddl::as_owner(table.owner, &ddl::soft_delete::grant(&privileges, schema, view, role.as_deref()))?;
    }
    Ok(())
}

fn table_of(view: Oid) -> Result<Option<Oid>> {
    Ok(Spi::connect(|client| {
        let mut found = client.select(TABLE_OF_VIEW, Some(1), &[view.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}

#[pg_extern(sql = false)]
fn soft_delete_live(fcinfo: pg_sys::FunctionCallInfo) -> i64 {
    match fired(fcinfo) {
        Ok(datum) => datum.value() as i64,
        Err(e) => e.raise(),
    }
}

/// What the view's trigger has to know: the statement that deletes a row of the table by its key, and where the view
/// has the key.
struct Live {
    delete: String,
    numbers: Vec<i16>,
}

thread_local! {
    static LIVE: TriggerCache<Live> = TriggerCache::new();
}

fn forget(relid: Option<Oid>) {
    LIVE.with(|cache| cache.forget(relid));
}

/// Deletes the row from the table with the rights of who deletes it from the view.
fn fired(fcinfo: pg_sys::FunctionCallInfo) -> Result<Datum> {
    let call = TriggerCall::new(fcinfo, "soft_delete_live")?;
    if call.before() || call.after() || call.event() != Event::Delete {
        return Err(Error::trigger_protocol("function \"soft_delete_live\" must be fired INSTEAD OF DELETE")
            .hint("Let dbguard.soft_delete_enable make the view: live_view => '...'."));
    }
    let key = (call.relation_oid(), call.trigger_oid());
    let live = LIVE
        .with(|cache| cache.get(key, forget, |_| true, || guc::with_pinned_search_path(|| resolve(&call))))?;
    let row = call.first();
    let args: Vec<_> = live.numbers.iter().map(|n| call.argument(&row, *n)).collect();
    let before = deleted();
    let really =
        Spi::connect_mut(|client| client.update(Kept(&live.delete), None, &args).map(|done| done.len()))?;
    Ok(if really > 0 || deleted() > before { call.keep_new() } else { Datum::null() })
}

fn resolve(call: &TriggerCall) -> Result<(Live, Vec<Oid>)> {
    let again = |why: &str| {
        Error::not_in_state(format!("view \"{}\" {why}", call.relation_name()))
            .hint("Call dbguard.soft_delete_enable again, with live_view.")
    };
    let table = table_of(call.relation_oid())?.and_then(describe).ok_or_else(|| again("shows no table"))?;
    let key = primary_key(table.oid)?;
    if key.is_empty() {
        return Err(again("shows a table that has lost its primary key"));
    }
    let (columns, origins) = (attributes_of_relation(table.oid), origins(call.relation_oid(), table.oid)?);
    let number = |k: &Key| {
        let number = columns.iter().find(|a| a.name == k.name)?.number;
        origins.iter().find(|(_, of)| *of == number).map(|(at, _)| *at)
    };
    let numbers: Option<Vec<i16>> = key.iter().map(number).collect();
    let numbers = numbers.ok_or_else(|| again("lacks a column of the primary key"))?;
    let delete = ddl::soft_delete::delete_row(&named(&table.schema, &table.name, table.kind == 'p'), &key);
    Ok((Live { delete, numbers }, vec![table.oid]))
}

/// The columns of a view that show one of the table, both by number: whatever they are called by now.
fn origins(view: Oid, table: Oid) -> Result<Vec<(i16, i16)>> {
    // a target entry as the rule has it; blanks within names are escaped
    const ORIGINS: &str = r"
        SELECT json_build_array(m[1]::int, m[2]::int)::text
        FROM pg_rewrite r
        CROSS JOIN LATERAL regexp_matches(r.ev_action::text,
          ':resno (\d+) :resname \S+(?:\\ \S*)* :ressortgroupref \d+ :resorigtbl ' || $2 || ' :resorigcol (\d+)', 'g') m
        WHERE r.ev_class = $1 AND r.ev_type = '1'";
    let mut all = vec![];
    each_fresh(ORIGINS, &[param(view), param(table)], |pair: (i16, i16)| all.push(pair))?;
    Ok(all)
}

/// The view of live rows of a table, if one was made.
pub fn of(table: Oid) -> Result<Option<Oid>> {
    const VIEWS: &str = "
        SELECT t.tgrelid FROM pg_trigger t JOIN pg_class v ON v.oid = t.tgrelid
        WHERE t.tgfoid = 'dbguard.soft_delete_live()'::regprocedure AND t.tgname = $2
          AND v.relowner = (SELECT relowner FROM pg_class WHERE oid = $1)
          AND EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass
                      WHERE r.ev_class = t.tgrelid AND d.refobjid = $1)
        ORDER BY t.tgrelid";
    Ok(Spi::connect(|client| {
        let mut found = client.select(VIEWS, Some(1), &[table.into(), LIVE_TRIGGER.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}

/// Whether the table has this view of live rows.
pub fn is_there(table: &Relation, name: &str) -> Result<bool> {
    let (schema, view) = place(table, name)?;
    let found = match of(table.oid)? {
        Some(oid) => catalog::relation(oid)?,
        None => return Ok(false),
    };
    Ok((found.schema, found.name) == (schema, view))
}
