//! Lint on a real server.

mod arguments;
mod cases;
mod docs;
mod everywhere;
