//! touch_enable_all: all tables of a schema that have the columns.

use super::enable::{elements, enable, keeper};
use super::kept::Keeper;
use crate::catalog::schema_with;
use crate::error::{Error, Result};
use crate::pg::guc;
use crate::pg::subxact::{look, subtransaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

type Names = Option<Vec<Option<String>>>;
/// The table, what is kept, what was done, and why it was not.
type Row = (Oid, &'static str, &'static str, Option<String>);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn touch_enable_all(
    schema: Option<&str>,
    what: Names,
    options: Names,
    skip: Names,
    dry_run: Option<bool>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(what, &'static str),
            name!(action, &'static str),
            name!(message, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let schema = schema.ok_or_else(|| Error::null_argument("schema"))?;
    let wanted = Wanted::parse(what, options)?;
    let skip = elements("skip", skip)?;
    let tables = tables(schema, &wanted, &skip)?;
    let all =
        || tables.iter().map(|(table, keeper)| one(*table, keeper, &wanted)).collect::<Result<Vec<_>>>();
    if !dry_run.unwrap_or_default() {
        return Ok(TableIterator::new(all()?));
    }
    // what would be done is what is done, and taken back
    let mut rows = vec![];
    look(|| {
        rows = all()?;
        Ok(())
    })?;
    Ok(TableIterator::new(rows))
}

/// What is to be kept, and how.
pub struct Wanted {
    pub keepers: Vec<&'static Keeper>,
    options: Vec<String>,
}

impl Wanted {
    /// # Errors
    /// 22023 for what cannot be kept, and for an option that none of them has.
    pub fn parse(what: Names, options: Names) -> Result<Wanted> {
        let keepers: Vec<&'static Keeper> =
            elements("what", what)?.iter().map(|w| keeper(Some(w))).collect::<Result<_>>()?;
        let options = elements("options", options)?;
        let wanted = Wanted { keepers, options };
        for option in &wanted.options {
            if !wanted.keepers.iter().any(|k| concerns(k, option)) {
                return Err(Error::invalid_parameter(format!(
                    "nothing that is kept has the option \"{option}\""
                ))
                .hint("Options are those of the trigger functions: \\df+ dbguard.set_*"));
            }
        }
        Ok(wanted)
    }

    /// The options that one of them has.
    pub fn options_of(&self, keeper: &Keeper) -> Vec<String> {
        self.options.iter().filter(|o| concerns(keeper, o)).cloned().collect()
    }
}

fn concerns(keeper: &Keeper, option: &str) -> bool {
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    keeper.choices.iter().any(|c| c.name == name)
}

/// One table, whose failure must not stop the others; nor may whoever holds it.
fn one(relation: Oid, keeper: &'static Keeper, wanted: &Wanted) -> Result<Row> {
    pgrx::check_for_interrupts!();
    let done = guc::with(&[(c"lock_timeout", c"1s")], || {
        subtransaction(|| enable(relation, keeper, keeper.column, &wanted.options_of(keeper)))
    });
    Ok(match done {
        Ok(action) => (relation, keeper.column, action, None),
        Err(e) => (relation, keeper.column, "failed", Some(e.message().to_owned())),
    })
}

/// Tables of the schema, by name, with what each has a column for.
///
/// # Errors
/// 3F000 if there is no such schema, 42P01 if a table to skip is not in it.
fn tables(schema: &str, wanted: &Wanted, skip: &[String]) -> Result<Vec<(Oid, &'static Keeper)>> {
    const TABLES: &str = "
        SELECT c.oid, a.attname::text
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
          AND a.attname = ANY ($3) AND c.relname <> ALL ($2)
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relname, a.attnum";
    let namespace = schema_with(schema, skip)?;
    let columns: Vec<String> = wanted.keepers.iter().map(|k| k.column.to_owned()).collect();
    Spi::connect(|client| {
        let mut tables = vec![];
        let args = [namespace.into(), skip.to_vec().into(), columns.into()];
        for row in client.select(TABLES, None, &args)? {
            let column = row.get::<String>(2)?;
            let keeper = wanted.keepers.iter().find(|k| column.as_deref() == Some(k.column));
            tables.extend(row.get::<Oid>(1)?.zip(keeper.copied()));
        }
        Ok(tables)
    })
}
