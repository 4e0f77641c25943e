//! What a caller asked for, argument by argument: what is not given stays as it is.

use super::audited;
use super::options::{Bulk, Capture, Found, Listed, Operations, Options, Redaction};
use crate::error::{Error, Result};
use crate::pg::relation::Relation;
use crate::settings;

/// The options as SQL gives them; an array's element may be NULL there.
pub type Names = Option<Vec<Option<String>>>;

#[derive(Clone, Default)]
pub struct Wanted {
    pub capture: Option<Capture>,
    pub exclude: Option<Vec<String>>,
    pub redact: Option<Vec<String>>,
    pub operations: Option<Operations>,
    /// Empty: none any more.
    pub tenant: Option<String>,
    pub redact_with: Option<Redaction>,
    pub bulk: Option<Bulk>,
    pub always: Option<bool>,
}

/// The arguments that audit_enable, audit_enable_all and audit_auto_enable share, in their order.
pub struct Arguments<'a> {
    pub capture: Option<&'a str>,
    pub exclude: Names,
    pub redact: Names,
    pub operations: Names,
    pub tenant: Option<&'a str>,
    pub redact_with: Option<&'a str>,
    pub bulk: Option<&'a str>,
    pub always: Option<bool>,
}

impl Wanted {
    /// # Errors
    /// 22023 for a word that is none of the valid ones, 22004 for an array with a null element.
    pub fn parse(arguments: Arguments) -> Result<Wanted> {
        let operations = arguments.operations.map(|words| elements("operations", words)).transpose()?;
        Ok(Wanted {
            capture: arguments.capture.map(Capture::parse).transpose()?,
            exclude: arguments.exclude.map(|names| elements("exclude", names)).transpose()?,
            redact: arguments.redact.map(|names| elements("redact", names)).transpose()?,
            operations: operations.map(Operations::parse).transpose()?,
            tenant: arguments.tenant.map(str::to_owned),
            redact_with: arguments.redact_with.map(Redaction::parse).transpose()?,
            bulk: arguments.bulk.map(Bulk::parse).transpose()?,
            always: arguments.always,
        })
    }

    /// The columns it names.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let tenant = self.tenant.iter().filter(|name| !name.is_empty());
        let exclude = self.exclude.iter().flatten().map(|name| ("exclude", name));
        exclude
            .chain(self.redact.iter().flatten().map(|name| ("redact", name)))
            .chain(tenant.map(|name| ("tenant", name)))
    }

    /// For one of many tables, not all of which have all the columns.
    pub fn as_far_as_it_concerns(&self, table: &Relation) -> Wanted {
        let has = |name: &String| name.is_empty() || table.columns.iter().any(|c| c.name == *name);
        let those =
            |names: &Option<Vec<String>>| names.clone().map(|n| n.into_iter().filter(|c| has(c)).collect());
        Wanted {
            exclude: those(&self.exclude),
            redact: those(&self.redact),
            tenant: self.tenant.clone().filter(has),
            ..self.clone()
        }
    }

    /// The options of `table` as they are to be; `before` as they are.
    ///
    /// # Errors
    /// 42703 for a column the table has not got, 22023 for one that cannot be listed so, 55000 for
    /// hashes without a key.
    pub fn applied(&self, table: &Relation, before: Option<&Options>) -> Result<Options> {
        self.check_columns(table)?;
        let (columns, here) = (audited::columns(table), audited::home(table));
        let mut options = match before {
            Some(options) => options.brought_up_to_date(&columns, &here),
            None => Options::new(here.clone()),
        };
        let number = |name: &str| table.columns.iter().find(|c| c.name == name).map_or(0, |c| c.number);
        let listed = |name: &String| Listed { number: number(name), name: name.clone() };
        options.capture = self.capture.unwrap_or(options.capture);
        options.operations = self.operations.unwrap_or(options.operations);
        options.redact_with = self.redact_with.unwrap_or(options.redact_with);
        options.bulk = self.bulk.unwrap_or(options.bulk);
        if let Some(names) = &self.exclude {
            options.exclude = names.iter().map(listed).collect();
        }
        if let Some(names) = &self.redact {
            options.redact = names.iter().map(listed).collect();
        }
        if let Some(name) = &self.tenant {
            options.tenant = Some(name).filter(|name| !name.is_empty()).map(listed);
        }
        check_together(&options, &columns, &here)?;
        if options.redact_with == Redaction::Hash && before.is_none_or(|b| b.redact_with != Redaction::Hash) {
            require_key()?;
        }
        Ok(options)
    }

    fn check_columns(&self, table: &Relation) -> Result<()> {
        let key = table.key();
        let (exclude, redact) = (self.exclude.as_deref(), self.redact.as_deref());
        let listed = |names: Option<&[String]>, name: &String| {
            names.unwrap_or_default().iter().filter(|n| *n == name).count()
        };
        for (argument, name) in self.columns() {
            if !table.columns.iter().any(|c| c.name == *name) {
                return Err(Error::undefined_column(name, &table.name));
            }
            if argument == "tenant" {
                continue;
            }
            if listed(exclude, name) + listed(redact, name) > 1 {
                return Err(Error::invalid_parameter(format!("column \"{name}\" is listed more than once"))
                    .hint("Name a column either in exclude or in redact, once."));
            }
            if key.contains(name) {
                return Err(Error::invalid_parameter(format!(
                    "column \"{name}\" is part of the primary key"
                ))
                .detail("The log names a row by its key.")
                .hint("Exclude or redact other columns."));
            }
        }
        Ok(())
    }
}

/// What was given now and what was given before must go together.
fn check_together(options: &Options, columns: &[(i16, String)], here: &str) -> Result<()> {
    let names = |list: &[Listed]| options.names(list, columns, here);
    let (exclude, redact) = (names(&options.exclude), names(&options.redact));
    if let Some(twice) = exclude.iter().find(|name| redact.contains(name)) {
        return Err(Error::invalid_parameter(format!("column \"{twice}\" is both excluded and redacted"))
            .hint("Give both lists: dbguard.audit_enable(..., exclude => ..., redact => ...)."));
    }
    let Some(Found::As(tenant)) = options.tenant.as_ref().map(|t| options.find(t, columns, here)) else {
        return Ok(());
    };
    for (names, what) in [(&exclude, "excluded"), (&redact, "redacted")] {
        if names.iter().any(|name| name == tenant) {
            return Err(Error::invalid_parameter(format!(
                "column \"{tenant}\" is the tenant column and cannot be {what}"
            ))
            .detail("The log shows the tenant beside each change.")
            .hint("Take it off the list, or give tenant => '' to have no tenant column."));
        }
    }
    Ok(())
}

/// # Errors
/// 55000 if there is no key to hash with.
pub fn require_key() -> Result<()> {
    match settings::REDACT_KEY.get() {
        Some(key) if !key.is_empty() => Ok(()),
        _ => Err(Error::not_in_state("there is no key to hash redacted values with")
            .detail("Setting \"dbguard.redact_key\" is empty.")
            .hint("Let a superuser set it: ALTER DATABASE ... SET dbguard.redact_key = '...'; it counts for new sessions.")),
    }
}

/// The elements of an array argument: 22004 if one is null.
pub fn elements(argument: &str, names: Vec<Option<String>>) -> Result<Vec<String>> {
    names
        .into_iter()
        .map(|name| {
            name.ok_or_else(|| {
                Error::null_argument(argument).detail("The array has an element that is null.")
            })
        })
        .collect()
}
