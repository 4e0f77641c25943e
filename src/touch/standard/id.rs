//! The steps to an id that is the primary key. To give each row of a filled table its own in the ALTER would rewrite it:
//! so all get the same one first, which costs nothing, and their own in batches.

use super::plan::{fit, How, Plan, EXCLUSIVE, VALIDATING};
use super::wanted::Id;
use crate::ddl::standard as ddl;
use crate::error::Result;

impl Plan<'_> {
    pub fn id(&mut self) -> Result<()> {
        let (table, id) = (self.table, "id");
        if table.indexes.iter().any(|index| index.primary) {
            return Ok(());
        }
        if table.is_parent {
            let why = match table.partitioned {
                true => "no primary key: that of a partitioned table has the partition key in it, so choose its columns yourself",
                false => "no primary key: it would not cover the tables that inherit from this one, so choose yourself",
            };
            self.advise(id, why.to_owned());
            return Ok(());
        }
        let Id { type_name, made, unset, default, .. } = self.wanted.id;
        let backfill;
        if let Some(column) = table.column(id) {
            if !column.not_null && self.filled {
                if column.check.as_ref().is_none_or(|(_, valid)| !valid) && table.has_null(id)? {
                    self.advise(id, "rows have none: give them one, and call again".to_owned());
                    return Ok(());
                }
                self.not_null(id, column)?;
            }
            backfill =
                column.missing.as_deref() == Some(self.wanted.id.missing) && table.has_value(id, unset)?;
        } else if self.filled {
            let sql = ddl::add_column(table.id(), id, &format!("{type_name} NOT NULL DEFAULT {unset}"));
            self.push(id, How::Call, sql, EXCLUSIVE, "rows that are there have no id of their own yet; a default that were different for each would rewrite the table");
            let sql = match default {
                Some(value) => ddl::set_default(table.id(), id, value),
                None => ddl::make_identity(table.id(), id),
            };
            self.push(id, How::Call, sql, EXCLUSIVE, "new rows get an id");
            backfill = true;
        } else {
            let sql = ddl::add_column(table.id(), id, made);
            self.push(id, How::Call, sql, EXCLUSIVE, "the table is empty");
            return Ok(());
        }
        if backfill {
            let sql = ddl::backfill(table.id(), id, unset);
            let why = "rows that are there get an id, a few pages a transaction; not to be run inside one. Triggers on UPDATE fire";
            self.push(id, How::User, sql, Some("ROW EXCLUSIVE"), why);
        }
        self.primary_key(id)
    }

    fn primary_key(&mut self, id: &'static str) -> Result<()> {
        let table = self.table;
        if !self.filled {
            self.push(id, How::Call, ddl::add_primary_key(table.id(), id), EXCLUSIVE, "the table is empty");
            return Ok(());
        }
        let there = table.indexes.iter().find(|index| index.unique && index.first_column == id);
        let index = match there {
            Some(index) => index.name.clone(),
            None => fit(table, "_pkey")?,
        };
        if there.is_some_and(|index| !index.valid) {
            self.broken_index(id, &index);
        }
        if there.is_none_or(|index| !index.valid) {
            let sql = ddl::unique_index_concurrently(table.id(), &index, id);
            self.push(id, How::User, sql, VALIDATING, "reads the table twice; others go on");
        }
        let sql = ddl::primary_key_using(table.id(), &index);
        self.push(id, How::User, sql, EXCLUSIVE, "the index is there, and no row is read");
        Ok(())
    }
}
