//! Findings in the forms that other programs read.

use crate::lint::engine::{Row, Run, Status};
use crate::lint::finding::{Object, Severity};
use crate::lint::rule::Rule;
use serde_json::Value;
use std::collections::HashMap;

mod csv;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod sarif;
mod tap;
#[cfg(test)]
mod tests;

/// What a report is made of.
#[derive(Debug)]
pub struct Report<'r> {
    pub database: &'r str,
    pub run: &'r Run,
    pub sources: &'r Sources,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Sarif,
    Junit,
    Tap,
    Markdown,
    Csv,
    Github,
    Gitlab,
}

impl Format {
    pub const ALL: [Format; 8] = [
        Format::Json,
        Format::Sarif,
        Format::Junit,
        Format::Tap,
        Format::Markdown,
        Format::Csv,
        Format::Github,
        Format::Gitlab,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Sarif => "sarif",
            Format::Junit => "junit",
            Format::Tap => "tap",
            Format::Markdown => "markdown",
            Format::Csv => "csv",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
        }
    }

    pub fn parse(text: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|f| f.as_str() == text)
    }
}

/// The report as text, or why a library could not write it.
pub fn write(report: &Report, format: Format) -> Result<String, String> {
    match format {
        Format::Json => json::write(report),
        Format::Sarif => sarif::write(report),
        Format::Junit => junit::write(report),
        Format::Tap => Ok(tap::write(report)),
        Format::Markdown => Ok(markdown::write(report)),
        Format::Csv => csv::write(report),
        Format::Github => Ok(github::write(report)),
        Format::Gitlab => gitlab::write(report),
    }
}

impl<'r> Report<'r> {
    fn rows(&self, status: Status) -> impl Iterator<Item = &'r Row> {
        self.run.rows.iter().filter(move |r| r.status == status)
    }

    fn rules(&self) -> impl Iterator<Item = &'static Rule> + 'r {
        self.run.examined.iter().map(|e| e.rule)
    }

    /// How many findings are open, by severity from the worst.
    fn counts(&self) -> [(Severity, usize); 3] {
        let mut counts =
            Severity::ALL.map(|s| (s, self.rows(Status::Open).filter(|r| r.severity == s).count()));
        counts.reverse();
        counts
    }
}

/// In which files objects are made: `{"public.orders": ["db/structure.sql", 812]}`. What is not
/// there is looked for by the table it is part of.
#[derive(Debug, Default)]
pub struct Sources {
    files: HashMap<String, (String, i64)>,
    tables: HashMap<(&'static str, u32), String>,
}

impl Sources {
    /// Or why the map cannot be read.
    pub fn new(map: Option<&Value>, tables: HashMap<(&'static str, u32), String>) -> Result<Sources, String> {
        let mut files = HashMap::new();
        let entries = match map {
            None => return Ok(Sources { files, tables }),
            Some(map) => map.as_object().ok_or("it is not an object")?,
        };
        for (object, place) in entries {
            let file = place.get(0).or(Some(place)).and_then(Value::as_str);
            let line = place.get(1).map_or(Some(1), Value::as_i64).filter(|line| *line > 0);
            let (Some(file), Some(line)) = (file, line) else {
                return Err(format!("\"{object}\" is not at [\"file\", line]"));
            };
            files.insert(object.clone(), (file.to_owned(), line));
        }
        Ok(Sources { files, tables })
    }

    fn find(&self, object: &Object) -> Option<(&str, i64)> {
        let table = || self.tables.get(&(object.kind, object.oid)).and_then(|t| self.files.get(t));
        self.files.get(&object.identity).or_else(table).map(|(file, line)| (file.as_str(), *line))
    }
}
