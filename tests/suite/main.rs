//! dbguard on a real server: folders as the parts.

mod audit;
mod house;
mod partition;
mod lint;
mod touch;
