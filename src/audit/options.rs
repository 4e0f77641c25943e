//! What a table's audit was asked to do. The trigger's own arguments hold it: they follow the table
//! through renames, dump and restore, are copied to its partitions, and go with it.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Of an UPDATE, the columns that changed.
    Changed,
    /// Of an UPDATE, the whole row before and after.
    Full,
}

/// A column that was excluded or redacted: its number names it as long as the table is the one it
/// was listed for, whatever it is called meanwhile; after a dump and restore its name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// 0 for one that was dropped.
    pub number: i16,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub capture: Capture,
    /// Columns the log never sees; a change to them alone is no change.
    pub exclude: Vec<Listed>,
    /// Columns whose change the log shows, but never the value.
    pub redact: Vec<Listed>,
    /// The table and database the column numbers are of.
    pub home: String,
}

/// Where a listed column stands in the table as it is now.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Under this name.
    As(&'a str),
    /// It was dropped, and no column has its name.
    Dropped,
    /// Not known: it was renamed where nobody could follow. What cannot be told apart from it must
    /// not be logged.
    Lost,
}

impl Capture {
    pub fn parse(word: &str) -> Result<Capture> {
        match word {
            "changed" => Ok(Capture::Changed),
            "full" => Ok(Capture::Full),
            _ => Err(Error::invalid_parameter(format!(
                "unrecognized value for argument \"capture\": \"{word}\""
            ))
            .detail("Valid values are \"changed\" and \"full\".")
            .hint("\"changed\" keeps the columns an UPDATE changed, \"full\" whole rows.")),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Capture::Changed => "changed",
            Capture::Full => "full",
        }
    }
}

impl Options {
    pub fn new(home: String) -> Options {
        Options { capture: Capture::Changed, exclude: vec![], redact: vec![], home }
    }

    /// From the arguments of a trigger, `name=value` each; a column as `number:name`.
    pub fn from_args<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Result<Options> {
        let mut options = Options::new(String::new());
        for arg in args {
            let arg = arg.as_ref();
            match arg.split_once('=') {
                Some(("capture", word)) => options.capture = Capture::parse(word)?,
                Some(("home", home)) => options.home = home.to_owned(),
                Some(("exclude", column)) => options.exclude.push(listed(column)?),
                Some(("redact", column)) => options.redact.push(listed(column)?),
                _ => return Err(bad_argument(arg)),
            }
        }
        Ok(options)
    }

    pub fn to_args(&self) -> Vec<String> {
        let mut args = vec![format!("capture={}", self.capture.word())];
        args.extend(self.exclude.iter().map(|c| format!("exclude={}:{}", c.number, c.name)));
        args.extend(self.redact.iter().map(|c| format!("redact={}:{}", c.number, c.name)));
        args.push(format!("home={}", self.home));
        args
    }

    /// Where `column` stands among `columns` (number and name) of the table known as `here`.
    pub fn find<'a>(&self, column: &Listed, columns: &'a [(i16, String)], here: &str) -> Found<'a> {
        let at_home = self.home == here;
        let by_number = columns.iter().find(|(number, _)| at_home && *number == column.number);
        // a column that comes back under the name of a dropped one is treated as that one was
        let by_name = || columns.iter().find(|(_, name)| *name == column.name);
        match by_number.or_else(by_name) {
            Some((_, name)) => Found::As(name),
            None if at_home || column.number == 0 => Found::Dropped,
            None => Found::Lost,
        }
    }

    /// Present names of listed columns; the last known one of a column that is not there.
    pub fn names(&self, listed: &[Listed], columns: &[(i16, String)], here: &str) -> Vec<String> {
        let name = |column: &Listed| match self.find(column, columns, here) {
            Found::As(name) => name.to_owned(),
            _ => column.name.clone(),
        };
        listed.iter().map(name).collect()
    }

    /// The same options in the terms of the table as it is now.
    pub fn brought_up_to_date(&self, columns: &[(i16, String)], here: &str) -> Options {
        let update = |column: &Listed| match self.find(column, columns, here) {
            Found::As(name) => {
                let number = columns.iter().find(|(_, n)| n == name).map_or(column.number, |(n, _)| *n);
                Listed { number, name: name.to_owned() }
            }
            Found::Dropped => Listed { number: 0, name: column.name.clone() },
            Found::Lost => column.clone(),
        };
        let lost = |column: &Listed| self.find(column, columns, here) == Found::Lost;
        let any_lost = self.exclude.iter().chain(&self.redact).any(lost);
        Options {
            capture: self.capture,
            exclude: self.exclude.iter().map(update).collect(),
            redact: self.redact.iter().map(update).collect(),
            // what is lost must stay so until somebody says which column it is
            home: if any_lost { self.home.clone() } else { here.to_owned() },
        }
    }
}

fn listed(column: &str) -> Result<Listed> {
    let parts = column.split_once(':').and_then(|(number, name)| Some((number.parse().ok()?, name)));
    let (number, name) = parts.ok_or_else(|| bad_argument(column))?;
    Ok(Listed { number, name: name.to_owned() })
}

fn bad_argument(arg: &str) -> Error {
    Error::invalid_parameter(format!("unrecognized trigger argument \"{arg}\""))
        .hint("Let dbguard.audit_enable make the trigger.")
}
