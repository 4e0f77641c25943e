//! Time partitions. Expected bounds come from `oracle` or are written out; never from the grid.

mod bad_input;
mod cases_c;
mod cases_f;
mod config;
mod holes;
mod maintain;
mod names;
mod oracle;
mod rights;
mod split;
mod ways;
