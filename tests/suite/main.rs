//! dbguard on a real server: folders as the parts.

mod audit;
mod house;
mod lint;
mod partition;
mod soft_delete;
mod tenant;
mod touch;
