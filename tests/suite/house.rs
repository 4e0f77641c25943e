//! What holds for the whole project.

mod docs;
mod dump;
mod install;
mod search_path;
mod sources;
mod standby;
