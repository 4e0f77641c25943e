//! The only place that builds SQL text. Names are quoted by `dbguard_core::quote`; one function
//! a statement kind; nothing else in the project glues a name or a value into a statement.

pub use dbguard_core::quote::{ident, literal, qualified};
