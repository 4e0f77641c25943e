//! Tenant: no tenant sees another's rows.

mod check;
mod children;
mod enable;
mod erase;
mod erase_keys;
mod export;
mod plan;
mod planner;
mod rows;
mod standby;
mod usage;
