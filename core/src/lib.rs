//! The pure logic of dbguard: plain Rust in, plain Rust out. Knows nothing of PostgreSQL's memory,
//! so all of it is tested without a server.

pub mod audit;
pub mod datetime;
pub mod hash;
pub mod image;
pub mod jsonb;
pub mod lint;
pub mod pack;
pub mod partition;
pub mod quote;
pub mod rewind;
pub mod seal;
pub mod secret;
pub mod tenant;
