//! The statement that counts what refers to rows that are to go.

use super::revert::Column;
use dbguard_core::quote::{ident, qualified};

/// A foreign key, from the side of the table that has it.
pub struct Referrer<'a> {
    pub schema: &'a str,
    pub name: &'a str,
    pub partitioned: bool,
    /// Its columns, each with the column it refers to and the operator, by schema and name, that compares
    /// that one with it.
    pub columns: Vec<(&'a str, &'a Column, (&'a str, &'a str))>,
    /// The table's primary key, to leave rows out.
    pub key: Vec<&'a Column>,
}

impl Referrer<'_> {
    /// How many rows refer to each of the rows in $1, an array of objects of `n` and `f0`..., without the
    /// rows in $2, an array of objects of `k0`...
    pub fn count(&self) -> String {
        let record = |prefix: &str, columns: &mut dyn Iterator<Item = &Column>| -> Vec<String> {
            columns.enumerate().map(|(i, c)| format!("{prefix}{i} {}{}", c.type_name, c.collated())).collect()
        };
        let fields = record("f", &mut self.columns.iter().map(|(_, c, _)| *c));
        let refers: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (name, _, (schema, operator)))| {
                format!("r.f{i} OPERATOR({}.{operator}) c.{}", ident(schema), ident(name))
            })
            .collect();
        let mut query = format!(
            "SELECT r.n, pg_catalog.count(*) FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS r(n pg_catalog.int4, {}) \
             JOIN {}{} AS c ON {}",
            fields.join(", "),
            if self.partitioned { "" } else { "ONLY " },
            qualified(self.schema, self.name),
            refers.join(" AND ")
        );
        if !self.key.is_empty() {
            let same: Vec<String> = self
                .key
                .iter()
                .enumerate()
                .map(|(i, c)| c.equal(&format!("c.{}", ident(&c.name)), &format!("x.k{i}")))
                .collect();
            query += &format!(
                " WHERE NOT EXISTS (SELECT FROM pg_catalog.json_to_recordset($2::pg_catalog.json) AS x({}) WHERE {})",
                record("k", &mut self.key.iter().copied()).join(", "),
                same.join(" AND ")
            );
        }
        query + " GROUP BY r.n"
    }
}
