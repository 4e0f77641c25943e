use crate::lint::rule::Rule;

mod autovacuum_disabled;
mod dead_tuples;
mod leftover_table;
mod never_vacuumed;
mod table_bloat;
mod vacuum_blocked_by_xmin;
mod wal_archiving_failing;
mod xid_wraparound;

pub const RULES: &[&Rule] = &[
    &table_bloat::RULE,
    &dead_tuples::RULE,
    &autovacuum_disabled::RULE,
    &never_vacuumed::RULE,
    &xid_wraparound::RULE,
    &vacuum_blocked_by_xmin::RULE,
    &leftover_table::RULE,
    &wal_archiving_failing::RULE,
];
