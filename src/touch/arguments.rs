//! Arguments in CREATE TRIGGER: the column, then options as `name=value`.

use crate::error::{Error, Result};
use crate::pg::attribute::Attribute;

/// An option of a trigger function and the values it may have; none: any text, and it may be given
/// more than once.
pub struct Choice {
    pub name: &'static str,
    pub values: &'static [&'static str],
}

pub const CLOCK: Choice = Choice { name: "clock", values: &["now", "clock_timestamp"] };
/// What becomes of a value the statement gave itself.
pub const GIVEN: Choice = Choice { name: "given", values: &["overwrite", "keep"] };
/// The same where a value that came with the row is as good.
pub const COMES_WITH: Choice = Choice { name: "given", values: &["keep", "overwrite"] };
/// What becomes of an attempt to change what stays as it is.
pub const CHANGE: Choice = Choice { name: "change", values: &["undo", "error"] };
/// When nobody said who is acting.
pub const MISSING: Choice = Choice { name: "missing", values: &["null", "user", "error"] };
/// When that is no value of the column's type.
pub const INVALID: Choice = Choice { name: "invalid", values: &["error", "null"] };
/// Whether the version after the stored one may be given as well.
pub const NEXT: Choice = Choice { name: "next", values: &["refuse", "accept"] };
/// A column whose change does not count.
pub const IGNORE: Choice = Choice { name: "ignore", values: &[] };

/// The arguments of one trigger.
pub struct Arguments {
    pub column: String,
    options: Vec<(&'static str, String)>,
}

impl Arguments {
    /// # Errors
    /// 22023 for an option that `function` has not, or a value that it may not have.
    pub fn parse(function: &str, default: &str, choices: &[Choice], args: Vec<String>) -> Result<Arguments> {
        let mut args = args.into_iter();
        let column = args.next().unwrap_or_else(|| default.to_owned());
        let mut options = vec![];
        for arg in args {
            let (name, value) = arg.split_once('=').unwrap_or((&arg, ""));
            let Some(choice) = choices.iter().find(|c| c.name == name) else {
                return Err(unknown(function, default, choices, &arg));
            };
            if !choice.values.is_empty() && !choice.values.contains(&value) {
                return Err(Error::invalid_parameter(format!(
                    "option \"{name}\" of trigger function \"{function}\" cannot be \"{value}\""
                ))
                .detail(format!("It is one of {}.", choice.values.join(", ")))
                .hint(format!("Say '{name}={}', or leave it out.", choice.values[0])));
            }
            options.push((choice.name, value.to_owned()));
        }
        Ok(Arguments { column, options })
    }

    /// Whether an option has this value; its first one is what it has when it is not given.
    pub fn is(&self, choice: &Choice, value: &str) -> bool {
        let given = self.options.iter().rev().find(|(name, _)| *name == choice.name);
        given.map_or(choice.values.first().copied(), |(_, v)| Some(v.as_str())) == Some(value)
    }

    /// Columns whose change does not count.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        self.options.iter().filter(|(name, _)| *name == IGNORE.name).map(|(_, column)| column.as_str())
    }

    /// One of those that is not there.
    pub fn unknown_column(&self, attributes: &[Attribute]) -> Option<&str> {
        self.ignored().find(|ignored| attributes.iter().all(|a| a.name != *ignored))
    }
}

fn unknown(function: &str, default: &str, choices: &[Choice], arg: &str) -> Error {
    let names: Vec<&str> = choices.iter().map(|c| c.name).collect();
    let example = choices.first().map_or("", |c| c.values.last().copied().unwrap_or_default());
    Error::invalid_parameter(format!("trigger function \"{function}\" has no option \"{arg}\""))
        .detail(format!("Options are {}.", names.join(", ")))
        .hint(format!(
            "The column first, then options: dbguard.{function}('{default}', '{}={example}').",
            names.first().copied().unwrap_or_default()
        ))
}
