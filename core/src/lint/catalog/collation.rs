//! Which order text was sorted in.

/// Only collations whose provider has versions.
#[derive(Debug, Clone, Default)]
pub struct CollationVersion {
    pub schema: String,
    pub name: String,
    /// The order that was in force when it was made, and the one in force now.
    pub recorded: String,
    pub actual: String,
}
