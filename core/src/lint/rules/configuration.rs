use crate::lint::finding::Object;
use crate::lint::rule::Rule;

mod autovacuum_globally_weak;
mod durability_off;
mod missing_timeouts;
mod shared_buffers_default;
mod work_mem_overcommit;

pub const RULES: &[&Rule] = &[
    &shared_buffers_default::RULE,
    &work_mem_overcommit::RULE,
    &durability_off::RULE,
    &autovacuum_globally_weak::RULE,
    &missing_timeouts::RULE,
];

fn setting_object(name: &str) -> Object {
    Object { kind: "setting", schema: String::new(), identity: name.to_owned(), oid: 0 }
}
