//! What holds for the whole project.

mod docs;
pub mod dump;
mod install;
mod search_path;
mod sources;
mod standby;
