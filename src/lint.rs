//! Lint on the side of the server: reads the catalogs into the picture that `dbguard_core::lint`
//! judges, and answers in SQL.

mod access;
mod arguments;
mod read;
mod rows;
mod snapshot;
mod surface;
