//! Audit: what is logged, for whom, and that it is right.

mod all;
mod as_of;
mod as_of_columns;
mod as_of_rights;
mod auto;
mod capture;
mod context;
mod ddl;
mod enable;
mod evidence;
mod guard;
mod history;
mod image;
mod import;
mod leaves;
mod lineage;
mod log_option;
mod options;
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
mod ship;
mod survival;
mod transactions;
mod verify;
mod write_path;

use dbguard_tests::Db;

/// Seals the log. What other tests' sessions hold open, in whatever database, is waited for.
fn seal(db: &mut Db) -> Vec<String> {
    for _ in 0..200 {
        let sealed = db.lines("SELECT seal, changes FROM dbguard.audit_seal()");
        if !sealed.is_empty() {
            return sealed;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nothing to seal");
}
