//! Tenant: no tenant sees another's rows.

mod erase;
mod export;
