//! dbguard on a real server: folders as the parts.

mod house;
