//! Tenant: no tenant sees another's rows.

mod check;
mod children;
mod enable;
mod erase;
mod export;
mod planner;
mod rows;
mod usage;
