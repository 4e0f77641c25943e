//! The steps to NOT NULL that hold nobody up while rows are read.

use super::plan::{fit, How, Plan, EXCLUSIVE, VALIDATING};
use super::table::Column;
use crate::ddl::standard as ddl;
use crate::error::Result;

impl Plan<'_> {
    /// NOT NULL, which is believed at once when a valid CHECK says the same.
    pub fn not_null(&mut self, name: &'static str, column: &Column) -> Result<()> {
        let (table, how) = (self.table, self.quick_if_empty());
        if !self.filled {
            let sql = ddl::set_not_null(table.id(), name);
            self.push(name, how, sql, EXCLUSIVE, "the table is empty");
            return Ok(());
        }
        let suffix = format!("_{name}_not_null");
        let (check, there, valid) = match &column.check {
            Some((check, valid)) => (check.clone(), true, *valid),
            None => (fit(table, &suffix)?, false, false),
        };
        if !there {
            let sql = ddl::add_check(table.id(), &check, name);
            self.push(name, how, sql, EXCLUSIVE, "new rows are checked from now on; no row is read");
        }
        if !valid {
            let sql = ddl::validate(table.id(), &check);
            self.push(name, how, sql, VALIDATING, "reads the table once; others go on");
        }
        let sql = ddl::set_not_null(table.id(), name);
        self.push(name, how, sql, EXCLUSIVE, "the constraint says so already, and no row is read");
        if !there || check.ends_with(&suffix) {
            let sql = ddl::drop_constraint(table.id(), &check);
            self.push(name, how, sql, EXCLUSIVE, "the column says so itself");
        }
        Ok(())
    }

    /// The constraint of `not_null`, where that was interrupted before its last step.
    pub fn left_over(&mut self, name: &'static str, column: &Column) -> Result<()> {
        let suffix = format!("_{name}_not_null");
        if let Some((check, _)) = column.check.as_ref().filter(|(check, _)| check.ends_with(&suffix)) {
            let sql = ddl::drop_constraint(self.table.id(), check);
            self.push(name, How::Call, sql, EXCLUSIVE, "the column says so itself");
        }
        Ok(())
    }
}
