//! Touch: columns that say when, by whom and how often a row was changed. `kept` is what the trigger
//! functions share, each has a file of its own; `enable` makes the triggers.

mod actor;
mod all;
mod arguments;
mod auto;
mod created_at;
mod created_by;
mod enable;
mod kept;
mod moment;
mod moving;
mod soft_delete;
mod standard;
mod status;
mod stays;
mod updated_at;
mod updated_by;
mod version;
