//! Undoing: everything is as it was, or it is said why not.

mod arguments;
mod conflicts;
mod fold;
mod hashed;
mod names;
mod order;
mod random;
mod referrers;
mod rights;
mod shapes;
mod types;

use dbguard_tests::Db;

/// Runs statements in a transaction of their own; its id.
#[track_caller]
fn transaction(db: &mut Db, sql: &str) -> String {
    db.exec(&format!("BEGIN; {sql}"));
    let id = db.value("SELECT pg_current_xact_id()");
    db.exec("COMMIT");
    id
}

/// The rows of a table as text, sorted.
#[track_caller]
fn all(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!("SELECT t::text FROM {table} t ORDER BY 1"))
}

/// What the plan of undoing `selection` says: action, table, key, values, conflict, note.
#[track_caller]
fn plan(db: &mut Db, selection: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT concat_ws(' | ', action, table_name, key, set_to, 'conflict: ' || conflict, 'note: ' || note)
         FROM dbguard.audit_revert_plan({selection}) ORDER BY step"
    ))
}

/// Undoes `selection`; how many steps it took.
#[track_caller]
fn revert(db: &mut Db, selection: &str) -> usize {
    db.rows(&format!("SELECT * FROM dbguard.audit_revert({selection})")).len()
}

/// Servers may be built without libxml.
fn xml_or_text(db: &mut Db) -> &'static str {
    if db.try_exec("SELECT '<a/>'::xml").is_ok() {
        "xml"
    } else {
        "text"
    }
}
