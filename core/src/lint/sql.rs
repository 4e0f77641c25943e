//! SQL and PL/pgSQL text cut into tokens: enough to tell words from strings, comments and quoted
//! names. Not a parser.

use std::collections::HashSet;

mod cut;

pub use cut::tokens;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string constant, of any form.
    Text,
    /// `$1`
    Parameter,
    Number,
    Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// A text and its tokens.
#[derive(Debug, Clone, Copy)]
pub struct Sql<'a> {
    pub source: &'a str,
    pub tokens: &'a [Token],
}

/// A relation as a text names it, and the token where the name starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub at: usize,
    /// The token behind the name.
    pub end: usize,
    pub schema: Option<String>,
    pub name: String,
    /// A parenthesis follows: a function, or a list of columns.
    pub called: bool,
}

impl<'a> Sql<'a> {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|t| t.kind)
    }

    pub fn raw(&self, i: usize) -> &'a str {
        self.tokens.get(i).and_then(|t| self.source.get(t.start..t.end)).unwrap_or("")
    }

    /// A word, whatever its case, or a mark.
    pub fn is(&self, i: usize, what: &str) -> bool {
        matches!(self.kind(i), Some(Kind::Word | Kind::Mark)) && self.raw(i).eq_ignore_ascii_case(what)
    }

    pub fn is_any(&self, i: usize, of: &[&str]) -> bool {
        of.iter().any(|w| self.is(i, w))
    }

    /// The same of the token before.
    pub fn before_is(&self, i: usize, of: &[&str]) -> bool {
        i.checked_sub(1).is_some_and(|i| self.is_any(i, of))
    }

    pub fn has(&self, word: &str) -> bool {
        (0..self.len()).any(|i| self.is(i, word))
    }

    /// A word or quoted name as the server would fold it.
    pub fn name(&self, i: usize) -> Option<String> {
        match self.kind(i)? {
            Kind::Word => Some(self.raw(i).to_lowercase()),
            Kind::Quoted => {
                let inner = self.raw(i).split_once('"')?.1;
                Some(inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// What is between the quotes of a string constant.
    pub fn text(&self, i: usize) -> Option<&'a str> {
        if self.kind(i)? != Kind::Text {
            return None;
        }
        let raw = self.raw(i);
        if raw.starts_with('$') {
            let tag = raw.get(1..)?.find('$')? + 2;
            return raw.get(tag..raw.len().checked_sub(tag)?);
        }
        raw.get(raw.find('\'')? + 1..raw.len().checked_sub(1)?)
    }

    pub fn line(&self, i: usize) -> usize {
        let end = self.tokens.get(i).map_or(self.source.len(), |t| t.start);
        self.source.get(..end).map_or(0, |s| s.matches('\n').count()) + 1
    }

    /// The token behind the parenthesis that closes the one at `open`.
    pub fn behind_parenthesis(&self, open: usize) -> usize {
        let mut depth = 0;
        for i in open..self.len() {
            match self.raw(i) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return i + 1;
            }
        }
        self.len()
    }

    /// A name, qualified or not, at a token.
    pub fn named(&self, at: usize) -> Option<Named> {
        let first = self.name(at)?;
        let (schema, name, end) = match (self.is(at + 1, "."), self.name(at + 2)) {
            (true, Some(second)) => (Some(first), second, at + 3),
            (true, None) => return None,
            _ => (None, first, at + 1),
        };
        Some(Named { at, end, schema, name, called: self.is(end, "(") })
    }

    /// What FROM and JOIN name in queries: tables, views, functions; not what WITH defines. The FROM of
    /// extract(), substring(), IS DISTINCT FROM and FETCH is another one.
    pub fn from(&self) -> Vec<Named> {
        let ctes = self.with_names();
        let mut found = Vec::new();
        let mut query = vec![false];
        for i in 0..self.len() {
            match self.raw(i) {
                "(" => query.push(false),
                ")" if query.len() > 1 => {
                    query.pop();
                }
                ";" => query = vec![false],
                _ => {}
            }
            let Some(here) = query.last_mut() else { break };
            if self.is_any(i, &["select", "delete"]) {
                *here = true;
            } else if self.is_any(i, &["loop", "fetch"]) && self.kind(i + 1) != Some(Kind::Mark) {
                // a statement of PL/pgSQL, unless it is the FETCH FIRST that ends a query: nothing follows then
                *here = false;
            }
            let distinct = self.before_is(i, &["distinct"])
                && i.checked_sub(1).is_some_and(|d| self.before_is(d, &["is", "not"]));
            let reads = (self.is(i, "from") && *here && !distinct) || (self.is(i, "join") && *here);
            if !reads {
                continue;
            }
            let mut at = i + 1;
            while self.is_any(at, &["only", "lateral"]) {
                at += 1;
            }
            if let Some(n) = self.named(at) {
                if n.schema.is_some() || !ctes.contains(&n.name) {
                    found.push(n);
                }
            }
        }
        found
    }

    /// Names of WITH queries: `name AS (SELECT`, `name (columns) AS MATERIALIZED (SELECT`.
    fn with_names(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        for i in 1..self.len() {
            if !self.is(i, "as") {
                continue;
            }
            let mut open = i + 1;
            while self.is_any(open, &["not", "materialized"]) {
                open += 1;
            }
            let starts = &["select", "insert", "update", "delete", "with", "values", "merge", "("];
            if !self.is(open, "(") || !self.is_any(open + 1, starts) {
                continue;
            }
            let mut at = i - 1;
            if self.is(at, ")") {
                let mut depth = 0;
                while at > 0 {
                    match self.raw(at) {
                        ")" => depth += 1,
                        "(" => depth -= 1,
                        _ => {}
                    }
                    at -= 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            names.extend(self.name(at));
        }
        names
    }
}

#[cfg(test)]
mod tests;
