//! What comments say about lint, and what an object is part of.

use super::{Catalog, Facts, Oid};
use crate::lint::finding::Object;
use crate::lint::ignore::{annotations, without, Ignore, Origin, Standing};
use crate::lint::select::means;
use crate::lint::{rule::Rule, rules};
use crate::quote::{ident, literal};
use jiff::civil::Date;
use std::collections::HashMap;
use std::ops::Range;

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
    /// Ours and the user's own.
    pub fn all_rules(&self) -> Vec<&'static Rule> {
        let mut all = rules::all();
        all.extend(&self.own_rules);
        all
    }

    /// What the comments say, as ignores. Comments of what is not looked at are passed over.
    pub(super) fn read_comments(&mut self) {
        let (all, today) = (self.all_rules(), today(self.now));
        for ignore in &mut self.ignores {
            ignore.fault = ignore.fault.take().or_else(|| fault(&ignore.rules, &all, self.blanket_ignores));
        }
        let mut read = Vec::new();
        for comment in &self.comments {
            let Some((object, target)) = self.commented(comment) else { continue };
            let mut ignores: Vec<(Ignore, Range<usize>)> = Vec::new();
            for a in annotations(&comment.text) {
                let fault = a.fault.or_else(|| fault(&a.rules, &all, self.blanket_ignores));
                let origin = Origin::Comment { object: object.clone(), sql: None };
                let (rules, reason, until) = (a.rules, a.reason, a.until);
                ignores.push((Ignore { rules, reason, until, origin, fault }, a.range));
            }
            let alone = ignores.len() == 1;
            let goes = |ignore: &Ignore| alone || ignore.standing(today) != Standing::Holds;
            // from the end on, so that the places of those before stay right
            let mut rest = Some(comment.text.clone());
            for (_, range) in ignores.iter().rev().filter(|(ignore, _)| goes(ignore)) {
                rest = rest.and_then(|text| without(&text, range));
            }
            let rest = rest.map_or("NULL".to_owned(), |r| literal(&r));
            for (mut ignore, _) in ignores {
                let sql = goes(&ignore).then(|| format!("COMMENT ON {target} IS {rest};"));
                ignore.origin = Origin::Comment { object: object.clone(), sql };
                read.push(ignore);
            }
        }
        self.ignores.extend(read);
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

/// Whether a word stands for every rule there is, however it is written.
pub fn means_all(word: &str, all: &[&Rule]) -> bool {
    all.iter().all(|r| means(word, r))
}

/// Why the words of an ignore cannot be followed.
fn fault(words: &[String], all: &[&Rule], blanket: bool) -> Option<String> {
    words.iter().find_map(|word| match word.trim() {
        w if !blanket && means_all(w, all) => Some(format!("\"{w}\" for all rules is not allowed here")),
        w if !all.iter().any(|r| means(w, r)) => Some(format!("there is no rule \"{w}\"")),
        _ => None,
    })
}

fn today(now: i64) -> Date {
    let now = jiff::Timestamp::from_microsecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

impl Catalog {
    /// The day now() is, in UTC.
    pub fn today(&self) -> Date {
        today(self.now)
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
        for s in self.sequences.iter().filter(|s| s.linted && s.owned) {
            let owner = s.feeds.first().and_then(|(oid, _)| self.relation(*oid));
            tables.extend(owner.map(|r| (("sequence", s.oid), r.sql_name())));
        }
        tables
    }
}
