//! The tables that rows are copied into while nobody knows them: their names and statements.

use super::capture::NOTED;
use super::outside;
use super::source::Source;
use super::survey::Part;
use crate::ddl::moving as ddl;
use crate::ddl::partition::{self, Blueprint};
use crate::error::{Error, Result};
use crate::partition::make::{self, exists};
use crate::partition::set::Set;
use dbguard_core::partition::{civil, name, Micros};

/// A partition to be.
pub struct Piece {
    /// What it is called until it is one.
    pub name: String,
    /// What it is called then.
    pub partition: String,
    pub lower: Option<String>,
    pub upper: Option<String>,
    pub is_default: bool,
    pub is_wide: bool,
    pub rows: i64,
    /// The statements that make the table, and those that make indexes of its own.
    pub table: Vec<String>,
    pub indexes: Vec<String>,
}

impl Piece {
    pub fn bound(&self) -> String {
        match self.is_default {
            true => "DEFAULT".to_owned(),
            false => partition::values(self.lower.as_deref(), self.upper.as_deref()),
        }
    }
}

/// Everything that is made for one move.
pub struct Stage {
    pub pieces: Vec<Piece>,
    /// Keeps the new default partition apart from the ranges of others.
    pub outside: Option<String>,
    /// The parent of the pieces while they are filled, without indexes, and after that.
    pub filling: String,
    pub indexed: String,
    /// Keys of rows that changed, noted by the trigger; and these rows as they are now.
    pub noted: String,
    pub fresh: String,
    /// What the source is called afterwards.
    pub old: String,
}

/// A name that nobody has: that of a table, and what follows it.
fn free((schema, table): ddl::Table, suffix: &str, chosen: &mut Vec<String>) -> Result<String> {
    let identity = format!("{schema}.{table} {suffix}");
    let name = name::fit(table, suffix, &identity, |name| {
        Ok::<_, Error>(chosen.iter().any(|other| other == name) || exists(schema, name)?)
    })?;
    chosen.push(name.clone());
    Ok(name)
}

/// Chooses all names and statements; makes nothing.
pub fn plan(set: &Set, parent: &Blueprint, source: &Source, parts: Vec<Part>) -> Result<Stage> {
    let identity = format!("{}.{}", set.schema, set.name);
    let parent_table = (&*set.schema, &*set.name);
    let mut chosen = vec![];
    let old = free(source.table(), "_old", &mut chosen)?;
    let mut pieces = vec![];
    for part in parts {
        // the name of the source becomes free
        let taken = |name: &str, chosen: &[String]| -> Result<bool> {
            Ok(chosen.iter().any(|other| other == name)
                || (name != source.name || set.schema != source.schema) && exists(&set.schema, name)?)
        };
        let partition = match part.range.filter(|_| part.is_cell()) {
            // one of the grid takes the name that it would have
            Some(range) if part.is_wide => {
                let first = name::choose(&set.grid, range, &set.name, &identity, |_| Ok::<_, Error>(false))?;
                name::fit(&first, "_wide", &identity, |name| taken(name, &chosen))?
            }
            Some(range) => name::choose(&set.grid, range, &set.name, &identity, |name| taken(name, &chosen))?,
            None => name::fit(&source.name, "", &identity, |name| taken(name, &chosen))?,
        };
        chosen.push(partition.clone());
        let name = match partition == source.name {
            true => free(parent_table, "_dbguard_rest", &mut chosen)?,
            false => partition.clone(),
        };
        let bound = |at: Option<Micros>| match at {
            None | Some(Micros::MIN | Micros::MAX) => Ok(None),
            Some(at) => civil::literal(set.grid.key, at).map(Some),
        };
        let children = make::parts(set, parent, &partition, &chosen)?;
        chosen.extend(children.iter().cloned());
        pieces.push(Piece {
            lower: bound(part.range.map(|range| range.from))?,
            upper: bound(part.range.map(|range| range.to))?,
            is_default: part.range.is_none(),
            is_wide: part.is_wide,
            rows: part.rows,
            table: partition::table(parent, &name, &children),
            indexes: partition::own_indexes(parent, &name),
            name,
            partition,
        });
    }
    Ok(Stage {
        outside: outside::check(set, source, &pieces)?,
        pieces,
        filling: free(parent_table, "_dbguard_filling", &mut chosen)?,
        indexed: free(parent_table, "_dbguard_indexed", &mut chosen)?,
        noted: free(parent_table, NOTED, &mut chosen)?,
        fresh: free(parent_table, "_dbguard_fresh", &mut chosen)?,
        old,
    })
}
