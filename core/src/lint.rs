//! Lint: rules as pure functions over a picture of the catalogs. Nothing here asks a server.
//!
//! `catalog` is the picture, `rule` the form every rule fills in, `rules` the rules, `engine` runs
//! them, `score` weighs what they found.

pub mod baseline;
pub mod bounds;
pub mod catalog;
pub mod config;
pub mod engine;
pub mod explain;
pub mod finding;
pub mod fix_script;
pub mod ignore;
pub mod injection;
pub mod made;
pub mod names;
pub mod own;
pub mod paths;
pub mod plpgsql;
pub mod profile;
pub mod report;
pub mod rule;
pub mod rules;
pub mod scope;
pub mod score;
pub mod secrets;
pub mod select;
pub mod sql;
pub mod summary;
pub mod text;
pub mod tree;
pub mod verdict;
