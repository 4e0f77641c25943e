//! What comments say about lint, and what an object is part of.

use super::{Catalog, Facts, Oid};
use crate::lint::finding::Object;
use crate::lint::ignore::{annotations, without, Ignore, Origin};
use crate::lint::select::means;
use crate::lint::{rule::Rule, rules};
use crate::quote::{ident, literal};
use jiff::civil::Date;
use std::collections::HashMap;

/// A comment with an annotation in it.
#[derive(Debug, Clone)]
pub struct Comment {
    /// The catalog: r(elation, column or index), c(onstraint), t(rigger), p(olicy), f(unction),
    /// n(amespace), d(atabase).
    pub catalog: char,
    pub oid: Oid,
    /// The column, or 0.
    pub column: i16,
    pub text: String,
}

impl Facts {
    /// What the comments say, as ignores. Comments of what is not looked at are passed over.
    pub(super) fn read_comments(&mut self) {
        let mut read = Vec::new();
        for comment in &self.comments {
            let Some((object, target)) = self.commented(comment) else { continue };
            for a in annotations(&comment.text) {
                let rest = without(&comment.text, &a.range).map_or("NULL".to_owned(), |r| literal(&r));
                read.push(Ignore {
                    rules: a.rules,
                    reason: a.reason,
                    until: a.until,
                    origin: Origin::Comment {
                        object: object.clone(),
                        sql: format!("COMMENT ON {target} IS {rest};"),
                    },
                    fault: a.fault,
                });
            }
        }
        self.ignores.extend(read);
        let all = rules::all();
        for ignore in &mut self.ignores {
            ignore.fault = ignore.fault.take().or_else(|| fault(&ignore.rules, &all, self.blanket_ignores));
        }
    }

    /// The object of a comment, and how COMMENT ON names it.
    fn commented(&self, c: &Comment) -> Option<(Object, String)> {
        let relation = || self.relations.iter().filter(|r| r.linted);
        let of_table = |object: Object, name: &str, table: String| {
            let target = format!("{} {} ON {table}", object.kind.to_uppercase(), ident(name));
            Some((object, target))
        };
        let simple = |object: Object| {
            let kind =
                if object.kind == "function" { "ROUTINE".to_owned() } else { object.kind.to_uppercase() };
            let target = format!("{kind} {}", object.identity);
            Some((object, target))
        };
        match c.catalog {
            'd' => simple(Object::database(&self.database)),
            'n' => simple(self.schemas.iter().find(|s| s.oid == c.oid)?.object()),
            'f' => simple(self.functions.iter().find(|f| f.linted && f.oid == c.oid)?.object()),
            'c' => relation().find_map(|r| {
                let k = r.constraints.iter().find(|k| k.oid == c.oid)?;
                of_table(r.constraint_object(k), &k.name, r.sql_name())
            }),
            't' => relation().find_map(|r| {
                let t = r.triggers.iter().find(|t| t.oid == c.oid)?;
                of_table(r.trigger_object(t), &t.name, r.sql_name())
            }),
            'p' => relation().find_map(|r| {
                let p = r.policies.iter().find(|p| p.oid == c.oid)?;
                of_table(r.policy_object(p), &p.name, r.sql_name())
            }),
            _ => relation().find_map(|r| match c.column {
                0 if r.oid == c.oid => simple(r.object()),
                0 => simple(r.indexes.iter().find(|i| i.oid == c.oid)?.object()),
                n => simple(r.column_object(r.attribute(n).filter(|_| r.oid == c.oid)?)),
            }),
        }
    }
}

/// Why the words of an ignore cannot be followed.
fn fault(words: &[String], all: &[&Rule], blanket: bool) -> Option<String> {
    words.iter().find_map(|word| match word.trim() {
        "*" if !blanket => Some("\"*\" for all rules is not allowed here".to_owned()),
        w if !all.iter().any(|r| means(w, r)) => Some(format!("there is no rule \"{w}\"")),
        _ => None,
    })
}

impl Catalog {
    /// The day now() is, in UTC.
    pub fn today(&self) -> Date {
        let now = jiff::Timestamp::from_microsecond(self.now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        now.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// By kind and OID of a part: the identity of its table. Columns are told by their table's OID.
    pub fn tables_of_parts(&self) -> HashMap<(&'static str, Oid), String> {
        let mut tables = HashMap::new();
        for r in self.relations.iter().filter(|r| r.linted) {
            let name = r.sql_name();
            tables.insert(("column", r.oid), name.clone());
            tables.extend(r.indexes.iter().map(|i| (("index", i.oid), name.clone())));
            tables.extend(r.constraints.iter().map(|k| (("constraint", k.oid), name.clone())));
            tables.extend(r.triggers.iter().map(|t| (("trigger", t.oid), name.clone())));
            tables.extend(r.policies.iter().map(|p| (("policy", p.oid), name.clone())));
        }
        tables
    }
}
