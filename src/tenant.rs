//! Tenant: no tenant sees another's rows. Row-level security is the guard, and its policies are all the state there
//! is: `guarded` reads them, `steps` says what a table lacks, `enable` does it, `check` proves it. `owned` is
//! what is one tenant's, for `export` and `erase`.

mod all;
mod auto;
mod check;
mod disable;
mod enable;
mod erase;
mod export;
mod guard;
pub mod guarded;
mod index;
mod order;
mod owned;
mod rows;
mod status;
mod steps;
mod usage;
mod value;
mod views;
mod wanted;
