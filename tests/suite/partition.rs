//! Time partitions. Expected bounds come from `oracle` or are written out; never from the grid.

mod bad_input;
mod cases_a;
mod cases_b;
mod cases_c;
mod cases_f;
mod clock;
mod config;
mod config_restore;
mod cron;
mod drain;
mod drain_copy;
mod health;
mod holes;
mod keys;
mod maintain;
mod names;
mod notify;
mod oracle;
mod partman;
mod regrain;
mod retire;
mod retire_meanwhile;
mod rights;
mod split;
mod ways;
mod widths;
