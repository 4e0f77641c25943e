//! Functions and what relies on them.

use crate::lint::catalog::Oid;
use crate::lint::sql::{tokens, Sql, Token};
use std::cell::OnceCell;

#[derive(Debug, Clone, Default)]
pub struct Function {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    pub language: String,
    /// pg_get_function_identity_arguments.
    pub arguments: String,
    /// prorettype.
    pub returns: Oid,
    pub security_definer: bool,
    /// PUBLIC may call it.
    pub public_execute: bool,
    /// Called by a trigger or an event trigger, not by users.
    pub trigger: bool,
    /// provolatile: i(mmutable), s(table), v(olatile).
    pub volatility: char,
    /// `name=value`, as in proconfig.
    pub config: Vec<String>,
    /// Body of a function in SQL or PL/pgSQL, and of trigger functions; none where it was parsed
    /// when the function was made (BEGIN ATOMIC).
    pub source: Option<String>,
    /// Relations that such a parsed body names.
    pub reads: Vec<Oid>,
    /// A parsed body asks for the time, the session, a setting, a sequence or chance.
    pub unsteady: bool,
    pub parameters: Vec<Parameter>,
    /// Returns rows of a named composite type, or one of them.
    pub row_type: bool,
    /// Others than the owner may call it.
    pub shared: bool,
    pub linted: bool,
    /// The body cut once, when the first rule asks.
    pub tokens: OnceCell<Vec<Token>>,
}

impl Function {
    pub fn body(&self) -> Option<Sql<'_>> {
        let source = self.source.as_deref()?;
        Some(Sql { source, tokens: self.tokens.get_or_init(|| tokens(source)) })
    }
}

#[derive(Debug, Clone, Default)]
pub struct Parameter {
    pub name: String,
    pub type_oid: Oid,
    /// proargmodes: i(n), o(ut), b(oth), v(ariadic), t(able).
    pub mode: char,
}

/// Something that relies on a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionUse {
    pub function: Oid,
    /// i(ndex), p(artition key), g(enerated column), c(heck).
    pub kind: char,
    pub relation: Oid,
    /// OID of the index or constraint.
    pub object: Oid,
    pub column: i16,
}
