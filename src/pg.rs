//! What the server has and pgrx does not wrap: the only code the compiler cannot check.
//! Each file wraps one thing and gives the rest of the code a safe function.

pub mod activity;
pub mod attribute;
pub mod clock;
pub mod compat;
pub mod datetime;
pub mod event;
pub mod guc;
pub mod heap;
pub mod identity;
pub mod inval;
pub mod jsonb;
pub mod kept;
pub mod leaf;
pub mod lock;
pub mod message;
pub mod moment;
pub mod names;
pub mod notify;
pub mod plan;
pub mod populate;
pub mod procedure;
pub mod query;
pub mod relation;
pub mod sequence;
pub mod snapshot;
pub mod statement;
pub mod subxact;
pub mod text;
pub mod timer;
pub mod trigger;
pub mod type_name;
pub mod types;
pub mod user;
pub mod varlena;
pub mod xact;
