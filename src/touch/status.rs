//! Where the triggers are, and what is wrong with them.

use super::arguments::Arguments;
use super::kept::{fits, Keeper, KEEPERS};
use crate::error::Result;
use crate::pg::attribute::attributes_of_relation;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Trigger {
    pub relation: Oid,
    pub name: String,
    pub keeper: &'static Keeper,
    pub args: Vec<String>,
    /// pg_trigger.tgenabled
    pub enabled: char,
}

impl Trigger {
    pub fn column(&self) -> &str {
        self.args.first().map_or(self.keeper.column, String::as_str)
    }

    pub fn keeps(&self, column: &str) -> bool {
        self.column() == column && self.enabled != 'D'
    }
}

/// Triggers that call one of our functions, made by touch_enable or by hand; copies on partitions are not listed.
pub fn triggers(relation: Option<Oid>) -> Result<Vec<Trigger>> {
    const TRIGGERS: &str = "
        SELECT t.tgrelid, t.tgname::text, p.proname::text, t.tgargs, t.tgenabled::text
        FROM pg_trigger t
        JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'dbguard'::regnamespace
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgparentid = 0 AND ($1 IS NULL OR t.tgrelid = $1)
        ORDER BY n.nspname, c.relname, t.tgname";
    let list = Spi::connect(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(TRIGGERS, None, &[relation.into()])? {
            let function = row.get::<String>(3)?.unwrap_or_default();
            let Some(keeper) = KEEPERS.into_iter().find(|k| k.function == function) else { continue };
            // each argument ends with a zero byte
            let args = row.get::<Vec<u8>>(4)?.unwrap_or_default();
            let args =
                args.split_inclusive(|b| *b == 0).map(|a| String::from_utf8_lossy(a).replace('\0', ""));
            list.push(Trigger {
                relation: row.get::<Oid>(1)?.unwrap_or(pgrx::pg_sys::InvalidOid),
                name: row.get::<String>(2)?.unwrap_or_default(),
                keeper,
                args: args.collect(),
                enabled: row.get::<String>(5)?.and_then(|e| e.chars().next()).unwrap_or('D'),
            });
        }
        Ok(list)
    })?;
    Ok(list)
}

type Row = (Oid, String, &'static str, String, &'static str, Option<String>);

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn touch_status() -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(relation, Oid),
            name!(column, String),
            name!(what, &'static str),
            name!(trigger_name, String),
            name!(state, &'static str),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let triggers = triggers(None)?;
    Ok(TableIterator::new(triggers.iter().map(|t| row(t, &triggers)).collect::<Vec<_>>()))
}

fn row(t: &Trigger, all: &[Trigger]) -> Row {
    let state = match t.enabled {
        'O' => "enabled",
        'A' => "always",
        'R' => "replica only",
        _ => "disabled",
    };
    let column = t.column();
    let kept = matches!(state, "enabled" | "always");
    let mut others = all.iter().filter(|o| o.relation == t.relation && o.name != t.name);
    let problem = wrong(t, column)
        .or_else(|| (!kept).then(|| format!("the column is not kept: the trigger is {state}")))
        .or_else(|| {
            others
                .find(|o| o.keeps(column))
                .map(|o| format!("trigger \"{}\" keeps the column as well", o.name))
        });
    (t.relation, column.to_owned(), t.keeper.column, t.name.clone(), state, problem)
}

/// Why every write that fires it fails.
fn wrong(t: &Trigger, column: &str) -> Option<String> {
    let fails = |why: String| Some(format!("{why}: writes fail"));
    let arguments =
        match Arguments::parse(t.keeper.function, t.keeper.column, t.keeper.choices, t.args.clone()) {
            Ok(arguments) => arguments,
            Err(e) => return fails(e.message().to_owned()),
        };
    let attributes = attributes_of_relation(t.relation);
    let Some(attribute) = attributes.iter().find(|a| a.name == column) else {
        return fails(format!("column \"{column}\" does not exist"));
    };
    if let Some(ignored) = arguments.unknown_column(&attributes) {
        return fails(format!("column \"{ignored}\" does not exist"));
    }
    fits(attribute, t.keeper).err().and_then(|e| fails(e.message().to_owned()))
}
