//! The words of audit_enable's arguments, and what they mean.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Of an UPDATE, the columns that changed.
    Changed,
    /// Of an UPDATE, the whole row before and after.
    Full,
}

/// What the log shows instead of a redacted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// The same words for every value.
    Mask,
    /// A keyed hash: equal values are seen to be equal, and no more.
    Hash,
}

/// How a statement that changes many rows is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// A row of the log each.
    Rows,
    /// Many in one row, packed.
    Pack,
}

/// The statements that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    pub truncate: bool,
}

/// One of the words an argument may be: 22023 with all of them in DETAIL if it is another.
fn word_of<T: Copy>(argument: &str, word: &str, valid: [(&str, T); 2], hint: &str) -> Result<T> {
    let [(first, _), (second, _)] = valid;
    valid.into_iter().find(|(w, _)| *w == word).map(|(_, value)| value).ok_or_else(|| {
        Error::invalid_parameter(format!("unrecognized value for argument \"{argument}\": \"{word}\""))
            .detail(format!("Valid values are \"{first}\" and \"{second}\"."))
            .hint(hint)
    })
}

impl Capture {
    pub fn parse(word: &str) -> Result<Capture> {
        let hint = "\"changed\" keeps the columns an UPDATE changed, \"full\" whole rows.";
        word_of("capture", word, [("changed", Capture::Changed), ("full", Capture::Full)], hint)
    }

    pub fn word(self) -> &'static str {
        match self {
            Capture::Changed => "changed",
            Capture::Full => "full",
        }
    }
}

impl Redaction {
    pub fn parse(word: &str) -> Result<Redaction> {
        let hint = "\"mask\" shows the same for every value, \"hash\" a keyed hash of it.";
        word_of("redact_with", word, [("mask", Redaction::Mask), ("hash", Redaction::Hash)], hint)
    }

    pub fn word(self) -> &'static str {
        match self {
            Redaction::Mask => "mask",
            Redaction::Hash => "hash",
        }
    }
}

impl Bulk {
    pub fn parse(word: &str) -> Result<Bulk> {
        let hint =
            "\"rows\" keeps a row of the log for each change, \"pack\" packs the many of one statement.";
        word_of("bulk", word, [("rows", Bulk::Rows), ("pack", Bulk::Pack)], hint)
    }

    pub fn word(self) -> &'static str {
        match self {
            Bulk::Rows => "rows",
            Bulk::Pack => "pack",
        }
    }
}

impl Operations {
    pub const ALL: Operations = Operations { insert: true, update: true, delete: true, truncate: true };

    /// From the words of an argument, in upper or lower case.
    pub fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Operations> {
        let mut operations = Operations { insert: false, update: false, delete: false, truncate: false };
        for word in words {
            let word = word.as_ref();
            match word.to_ascii_uppercase().as_str() {
                "INSERT" => operations.insert = true,
                "UPDATE" => operations.update = true,
                "DELETE" => operations.delete = true,
                "TRUNCATE" => operations.truncate = true,
                _ => {
                    return Err(Error::invalid_parameter(format!(
                        "unrecognized value for argument \"operations\": \"{word}\""
                    ))
                    .detail("Valid values are \"INSERT\", \"UPDATE\", \"DELETE\" and \"TRUNCATE\"."))
                }
            }
        }
        if operations.words().is_empty() {
            return Err(Error::invalid_parameter("argument \"operations\" must not be empty")
                .hint("To audit nothing of a table, call dbguard.audit_disable."));
        }
        Ok(operations)
    }

    pub fn words(self) -> Vec<&'static str> {
        let mut words = self.row_words();
        words.extend(self.truncate.then_some("TRUNCATE"));
        words
    }

    /// Those that change rows: what the row trigger fires for.
    pub fn row_words(self) -> Vec<&'static str> {
        let all = [("INSERT", self.insert), ("UPDATE", self.update), ("DELETE", self.delete)];
        all.into_iter().filter(|(_, on)| *on).map(|(word, _)| word).collect()
    }
}
