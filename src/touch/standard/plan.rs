//! The steps that bring a table to the standard, in their order.

use super::table::{is_taken, Column, Table};
use super::wanted::Wanted;
use crate::ddl::standard as ddl;
use crate::error::{Error, Result};
use crate::touch::kept::KEEPERS;
use crate::touch::status::triggers;
use dbguard_core::partition::name;
use pgrx::PgSqlErrorCode;

/// Who does it.
#[derive(Clone, Copy, PartialEq)]
pub enum How {
    /// The call: quick whatever the table's size.
    Call,
    /// The user, in transactions of its own: it takes its time, and is in nobody's way.
    User,
    /// Nobody, unasked.
    Advice,
}

pub enum Work {
    Sql(String),
    /// touch_enable, by what is to be kept.
    Keep(&'static str),
    None,
}

pub struct Step {
    pub column: &'static str,
    pub how: How,
    pub work: Work,
    pub lock: Option<&'static str>,
    pub rewrites: bool,
    pub why: String,
}

pub const EXCLUSIVE: Option<&str> = Some("ACCESS EXCLUSIVE");
pub const VALIDATING: Option<&str> = Some("SHARE UPDATE EXCLUSIVE");
const MOST_COLUMNS: i16 = 1600;

pub struct Plan<'a> {
    pub wanted: &'a Wanted,
    pub table: &'a Table,
    pub filled: bool,
    steps: Vec<Step>,
}

/// # Errors
/// 54011 if the table can have no more columns.
pub fn steps(wanted: &Wanted, table: &Table) -> Result<Vec<Step>> {
    let missing = wanted.columns.iter().filter(|c| table.column(c).is_none()).count();
    if missing as i16 > MOST_COLUMNS - table.width {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_TOO_MANY_COLUMNS,
            format!("table \"{}\" cannot have {missing} more columns", table.name),
        )
        .detail(format!(
            "It has or had {} of at most {MOST_COLUMNS}; dropped ones count until it is made anew.",
            table.width
        ))
        .hint("Ask for fewer columns, or move some to a table of their own."));
    }
    let filled = !wanted.columns.is_empty() && table.has_rows()?;
    let mut plan = Plan { wanted, table, filled, steps: vec![] };
    for column in &wanted.columns {
        match *column {
            "id" => plan.id()?,
            "deleted_at" => plan.deleted_at(),
            "tenant_id" => plan.tenant()?,
            time => plan.time(time)?,
        }
    }
    plan.triggers()?;
    Ok(plan.steps)
}

impl Plan<'_> {
    pub fn push(
        &mut self,
        column: &'static str,
        how: How,
        sql: String,
        lock: Option<&'static str>,
        why: &str,
    ) {
        self.steps.push(Step {
            column,
            how,
            work: Work::Sql(sql),
            lock,
            rewrites: false,
            why: why.to_owned(),
        });
    }

    pub fn advise(&mut self, column: &'static str, why: String) {
        self.steps.push(Step {
            column,
            how: How::Advice,
            work: Work::None,
            lock: None,
            rewrites: false,
            why,
        });
    }

    /// What is quick on an empty table only.
    pub fn quick_if_empty(&self) -> How {
        if self.filled {
            How::User
        } else {
            How::Call
        }
    }

    pub fn broken_index(&mut self, column: &'static str, index: &str) {
        let sql = ddl::drop_index_concurrently(self.table.id(), index);
        self.push(column, How::User, sql, VALIDATING, "making it failed, or goes on in another session");
    }

    /// created_at and updated_at.
    fn time(&mut self, name: &'static str) -> Result<()> {
        let table = self.table;
        let Some(column) = table.column(name) else {
            let undated = self.filled && self.wanted.existing_null;
            if undated {
                let sql = ddl::add_column(table.id(), name, "timestamptz");
                self.push(name, How::Call, sql, EXCLUSIVE, "rows that are there have none");
                let sql = ddl::set_default(table.id(), name, "now()");
                self.push(name, How::Call, sql, EXCLUSIVE, "new rows get the time");
                return Ok(());
            }
            let sql = ddl::add_column(table.id(), name, "timestamptz NOT NULL DEFAULT now()");
            let why = match self.filled {
                true => "rows that are there get the time of this statement, which is kept once for all of them; existing => 'null' leaves them without",
                false => "the table is empty",
            };
            self.push(name, How::Call, sql, EXCLUSIVE, why);
            return Ok(());
        };
        if !self.fits(name, column, "timestamp with time zone") {
            return Ok(());
        }
        if !column.has_default {
            let sql = ddl::set_default(table.id(), name, "now()");
            self.push(name, How::Call, sql, EXCLUSIVE, "new rows get the time");
        }
        if column.not_null {
            return self.left_over(name, column);
        }
        if self.filled && column.check.as_ref().is_none_or(|(_, valid)| !valid) && table.has_null(name)? {
            if !self.wanted.existing_null {
                self.advise(
                    name,
                    "rows have none: give them one and call again, or leave them so by existing => 'null'"
                        .to_owned(),
                );
            }
            return Ok(());
        }
        self.not_null(name, column)
    }

    fn deleted_at(&mut self) {
        let (table, name) = (self.table, "deleted_at");
        let Some(column) = table.column(name) else {
            let sql = ddl::add_column(table.id(), name, "timestamptz");
            self.push(name, How::Call, sql, EXCLUSIVE, "no row is deleted");
            return;
        };
        if self.fits(name, column, "timestamp with time zone") && column.not_null {
            self.advise(name, "is NOT NULL, so that no row can be one that is not deleted".to_owned());
        }
    }

    fn tenant(&mut self) -> Result<()> {
        let (table, name) = (self.table, "tenant_id");
        if let Some(column) = table.column(name) {
            if !self.fits(name, column, self.wanted.tenant_type) {
                return Ok(());
            }
            if column.not_null {
                self.left_over(name, column)?;
            } else if self.filled
                && column.check.as_ref().is_none_or(|(_, valid)| !valid)
                && table.has_null(name)?
            {
                self.advise(name, "rows have none: give each its tenant, and call again".to_owned());
            } else {
                self.not_null(name, column)?;
            }
        } else {
            let (null, why) = match self.filled {
                true => ("", "rows that are there have none: give each its tenant, and call again"),
                false => (" NOT NULL", "the table is empty"),
            };
            let sql = ddl::add_column(table.id(), name, &format!("{}{null}", self.wanted.tenant_type));
            self.push(name, How::Call, sql, EXCLUSIVE, why);
        }
        let there = table.indexes.iter().find(|index| index.first_column == name);
        if there.is_some_and(|index| index.valid) {
            return Ok(());
        }
        if table.is_parent && self.filled {
            self.advise(name, "no index begins with it: make one of each partition or child CONCURRENTLY, then one of the table".to_owned());
            return Ok(());
        }
        if let Some(index) = there {
            self.broken_index(name, &index.name);
        }
        let sql = ddl::index(table.id(), name, self.filled);
        match self.filled {
            true => self.push(name, How::User, sql, VALIDATING, "reads the table twice; others go on"),
            false => self.push(name, How::Call, sql, Some("SHARE"), "the table is empty"),
        }
        Ok(())
    }

    /// Whether a column that is there has the type of the standard. What has not is left as it is.
    fn fits(&mut self, name: &'static str, column: &Column, wanted: &str) -> bool {
        if column.generated {
            self.advise(name, "is a generated column: rename it, or leave it out".to_owned());
            return false;
        }
        if column.base == wanted {
            return true;
        }
        let using = match &*column.base {
            "timestamp without time zone" => "AT TIME ZONE 'UTC'".to_owned(),
            _ => format!("::{wanted}"),
        };
        let sql = ddl::change_type(self.table.id(), name, wanted, &using);
        let why = format!("is {}, not {wanted}; what would mend it: {sql}", column.type_name);
        let (how, work) = (How::Advice, Work::None);
        self.steps.push(Step { column: name, how, work, lock: EXCLUSIVE, rewrites: true, why });
        false
    }

    /// Last, so that nobody's updated_at tells of our own work.
    fn triggers(&mut self) -> Result<()> {
        const KEPT: &[&str] = &["timestamp with time zone", "timestamp without time zone", "date"];
        let there = triggers(Some(self.table.oid))?;
        let rows_change = self.steps.iter().any(|s| s.lock == Some("ROW EXCLUSIVE"));
        for what in self.wanted.columns.iter().filter_map(|c| KEEPERS.iter().find(|k| k.column == *c)) {
            let name = what.column;
            let fits = self.table.column(name).is_none_or(|c| !c.generated && KEPT.contains(&&*c.base));
            if !fits || there.iter().any(|t| t.keeps(name)) {
                continue;
            }
            let (how, why) = match rows_change {
                true => (
                    How::User,
                    "keeps the column; after the rows have their id, which is no change of theirs",
                ),
                false => (How::Call, "keeps the column"),
            };
            let lock = Some("SHARE ROW EXCLUSIVE");
            self.steps.push(Step {
                column: name,
                how,
                work: Work::Keep(name),
                lock,
                rewrites: false,
                why: why.to_owned(),
            });
        }
        Ok(())
    }
}

/// A name of ours for something of the table.
pub fn fit(table: &Table, suffix: &str) -> Result<String> {
    name::fit(&table.name, suffix, &format!("{}.{}", table.schema, table.name), |name| is_taken(table, name))
}
