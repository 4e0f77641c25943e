//! Lint on a real server.

mod arguments;
mod cases;
mod everywhere;
