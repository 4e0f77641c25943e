//! Lint: rules as pure functions over a picture of the catalogs. Nothing here asks a server.
//!
//! `catalog` is the picture, `rule` the form every rule fills in, `rules` the rules, `engine` runs
//! them, `score` weighs what they found.

pub mod bounds;
pub mod catalog;
pub mod engine;
pub mod explain;
pub mod finding;
pub mod plpgsql;
pub mod rule;
pub mod rules;
pub mod scope;
pub mod score;
pub mod select;
pub mod text;
pub mod tree;
