//! Who may do what.

use crate::lint::catalog::Oid;
use crate::lint::tree::Node;

/// The grantee that stands for everybody.
pub const PUBLIC: Oid = 0;

#[derive(Debug, Clone, Default)]
pub struct Grant {
    pub grantee: Oid,
    /// 0 is the whole relation.
    pub column: i16,
    /// SELECT, INSERT and so on.
    pub privileges: Vec<String>,
}

impl Grant {
    pub fn has(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|p| p == privilege)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub oid: Oid,
    pub name: String,
    /// polcmd: r (SELECT), a (INSERT), w (UPDATE), d (DELETE), * (ALL).
    pub command: char,
    pub permissive: bool,
    pub roles: Vec<Oid>,
    pub using: Option<Node>,
    pub check: Option<Node>,
    /// Columns of its table that it names.
    pub columns: Vec<i16>,
}

impl Policy {
    pub fn for_everybody(&self) -> bool {
        self.roles.contains(&PUBLIC)
    }

    /// USING and WITH CHECK, those that are there.
    pub fn expressions(&self) -> impl Iterator<Item = &Node> {
        self.using.iter().chain(&self.check)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Role {
    pub name: String,
    pub login: bool,
    pub superuser: bool,
    /// Superuser or BYPASSRLS: no policy binds it.
    pub bypasses_policies: bool,
}

/// A comment on a relation or column, or the options of a foreign server.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// 0: of the foreign server `name`.
    pub relation: Oid,
    pub column: i16,
    pub name: String,
    pub text: String,
}
