//! Lint on the side of the server: reads the catalogs into the picture that `dbguard_core::lint`
//! judges, and answers in SQL.

mod access;
mod answers;
mod arguments;
mod baseline;
mod bodies;
mod cluster;
mod config;
mod functions;
mod hba;
mod ignores;
mod own;
mod read;
mod register;
mod rows;
mod run;
mod samples;
mod sequences;
mod snapshot;
mod statistics;
mod surface;
mod view;
mod workload;
