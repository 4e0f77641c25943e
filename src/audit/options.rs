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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub capture: Capture,
    /// Columns the log never sees; a change to them alone is no change.
    pub exclude: Vec<String>,
    /// Columns whose change the log shows, but never the value.
    pub redact: Vec<String>,
    /// Of both lists, the columns that were dropped since. They stay listed: a column that comes back
    /// under such a name is treated as it was.
    pub dropped: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { capture: Capture::Changed, exclude: vec![], redact: vec![], dropped: vec![] }
    }
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
    /// From the arguments of a trigger, `name=value` each.
    pub fn from_args<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Result<Options> {
        let mut options = Options::default();
        for arg in args {
            let arg = arg.as_ref();
            match arg.split_once('=') {
                Some(("capture", word)) => options.capture = Capture::parse(word)?,
                Some(("exclude", column)) => options.exclude.push(column.to_owned()),
                Some(("redact", column)) => options.redact.push(column.to_owned()),
                Some(("dropped", column)) => options.dropped.push(column.to_owned()),
                _ => {
                    return Err(Error::invalid_parameter(format!("unrecognized trigger argument \"{arg}\""))
                        .hint("Let dbguard.audit_enable make the trigger."))
                }
            }
        }
        Ok(options)
    }

    pub fn to_args(&self) -> Vec<String> {
        let mut args = vec![format!("capture={}", self.capture.word())];
        args.extend(self.exclude.iter().map(|c| format!("exclude={c}")));
        args.extend(self.redact.iter().map(|c| format!("redact={c}")));
        args.extend(self.dropped.iter().map(|c| format!("dropped={c}")));
        args
    }

    /// Follows the table's columns, which are now `columns`; `renamed` is the present name of the
    /// column that was just renamed, if that is what happened.
    pub fn follow(&mut self, columns: &[String], renamed: Option<&str>) {
        let listed = self.exclude.iter_mut().chain(self.redact.iter_mut());
        // before a rename all listed columns were there, but for those known as dropped: the one that
        // is missing now is the one that was renamed
        let missing: Vec<&mut String> =
            listed.filter(|c| !columns.contains(c) && !self.dropped.contains(c)).collect();
        match renamed {
            Some(name) => missing.into_iter().for_each(|c| *c = name.to_owned()),
            None => {
                let gone: Vec<String> = missing.into_iter().map(|c| c.clone()).collect();
                self.dropped.extend(gone);
            }
        }
        self.dropped.retain(|c| !columns.contains(c));
    }
}
