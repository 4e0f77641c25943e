//! Audit: what is logged, for whom, and that it is right.

mod all;
mod as_of;
mod as_of_columns;
mod as_of_rights;
mod at_work;
mod auto;
mod bounds;
mod capture;
mod concurrent;
mod context;
mod copy;
mod ddl;
mod enable;
mod evidence;
mod guard;
mod history;
mod image;
mod image_shapes;
mod import;
mod leaves;
mod lineage;
mod log_option;
mod misplaced;
mod nested;
mod options;
mod packs;
mod partitioned;
mod pause;
mod reading;
mod reading_plans;
mod redact;
mod replay;
mod revert;
mod rights;
mod schema_changes;
mod seal;
mod server;
mod ship;
mod statements;
mod survival;
mod transactions;
mod verify;
mod verify_anywhere;
mod write_path;

use dbguard_tests::Db;

/// Seals the log. What other tests' sessions hold open, in whatever database, is waited for.
fn seal(db: &mut Db) -> Vec<String> {
    settle(db);
    for _ in 0..200 {
        let sealed = db.lines("SELECT seal, changes FROM dbguard.audit_seal()");
        if !sealed.is_empty() {
            return sealed;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nothing to seal");
}

/// Waits until what began before has ended, if it does so soon: only then can it be sealed.
fn settle(db: &mut Db) {
    let next = db.value("SELECT pg_snapshot_xmax(pg_current_snapshot())");
    let ended = format!("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= '{next}'::xid8");
    for _ in 0..40 {
        if db.value(&ended) == "t" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
