//! Lint on a real server.

mod arguments;
mod cases;
mod chosen;
mod docs;
mod everywhere;
mod server;
