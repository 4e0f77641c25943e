//! What pg_stat_statements counted.

use crate::lint::catalog::Oid;
use crate::lint::sql::{tokens, Sql, Token};
use std::cell::OnceCell;

/// A statement that clients sent, with its constants taken out.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    pub queryid: i64,
    pub query: String,
    /// Roles that ran it.
    pub users: Vec<Oid>,
    pub calls: f64,
    pub total_ms: f64,
    pub rows: f64,
    /// Blocks of tables and indexes it asked for, found in memory or not.
    pub blocks: f64,
    pub tokens: OnceCell<Vec<Token>>,
}

impl Statement {
    pub fn sql(&self) -> Sql<'_> {
        Sql { source: &self.query, tokens: self.tokens.get_or_init(|| tokens(&self.query)) }
    }

    pub fn mean_ms(&self) -> f64 {
        self.total_ms / self.calls.max(1.0)
    }

    pub fn rows_per_call(&self) -> f64 {
        self.rows / self.calls.max(1.0)
    }

    pub fn blocks_per_call(&self) -> f64 {
        self.blocks / self.calls.max(1.0)
    }
}
