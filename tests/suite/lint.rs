//! Lint on a real server.

mod arguments;
mod bodies;
mod cases;
mod chosen;
mod corpus;
mod docs;
mod doors;
mod everywhere;
mod frameworks;
mod own;
mod own_rights;
mod reports;
mod server;
mod undo;
mod workload;
