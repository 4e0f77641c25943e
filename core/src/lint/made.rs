//! Relations that a body makes when it runs, by their names: what checks it before cannot know them.

use crate::lint::sql::{tokens, Sql};
use std::collections::HashSet;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub names: HashSet<String>,
    /// Some have names that are put together.
    pub unknown: bool,
}

impl Made {
    /// By statements of the body and by those in its string constants.
    pub fn read(&mut self, sql: Sql) {
        self.read_level(sql, true);
    }

    fn read_level(&mut self, sql: Sql, constants: bool) {
        for i in 0..sql.len() {
            if sql.is(i, "create") {
                self.created(sql, i + 1);
            } else if sql.is(i, "into") && sql.is_any(i + 1, &["temp", "temporary", "unlogged"]) {
                let at = if sql.is(i + 2, "table") { i + 3 } else { i + 2 };
                self.add(sql, at);
            } else if sql.is(i, "rename") && sql.is(i + 1, "to") {
                self.add(sql, i + 2);
            } else if let Some(text) = sql.text(i).filter(|_| constants) {
                let text = text.replace("''", "'");
                let inner = tokens(&text);
                self.read_level(Sql { source: &text, tokens: &inner }, false);
            }
        }
    }

    fn created(&mut self, sql: Sql, start: usize) {
        const BEFORE: &[&str] = &[
            "or",
            "replace",
            "global",
            "local",
            "temp",
            "temporary",
            "unlogged",
            "materialized",
            "recursive",
            "foreign",
        ];
        let mut at = start;
        while sql.is_any(at, BEFORE) {
            at += 1;
        }
        if !sql.is_any(at, &["table", "view", "sequence"]) {
            return;
        }
        at += 1;
        while sql.is_any(at, &["if", "not", "exists"]) {
            at += 1;
        }
        self.add(sql, at);
    }

    fn add(&mut self, sql: Sql, at: usize) {
        let named = sql.named(at);
        // a constant that ends with the name may go on elsewhere; format() has marks for names
        let whole =
            named.as_ref().is_some_and(|n| sql.kind(n.end).is_some() && !sql.is_any(n.end, &["%", "||"]));
        self.unknown |= !whole;
        self.names.extend(named.map(|n| n.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(source: &str) -> String {
        let tokens = tokens(source);
        let mut made = Made::default();
        made.read(Sql { source, tokens: &tokens });
        let mut names: Vec<String> = made.names.into_iter().collect();
        names.sort();
        format!("{}{}", names.join(" "), if made.unknown { " ?" } else { "" })
    }

    #[test]
    fn names() {
        assert_eq!(made("CREATE TEMP TABLE IF NOT EXISTS a (b int);"), "a");
        assert_eq!(made("create temporary table \"A b\" on commit drop as select 1;"), "A b");
        assert_eq!(
            made("SELECT 1 INTO TEMP TABLE t FROM x; CREATE OR REPLACE TEMP VIEW s.v AS SELECT 1;"),
            "t v"
        );
        assert_eq!(made("EXECUTE 'CREATE TEMP TABLE a (b text DEFAULT ''x'')';"), "a");
        assert_eq!(made("ALTER TABLE a RENAME TO b;"), "b");
        assert_eq!(made("EXECUTE 'CREATE TABLE ' || n || ' (a int)';"), " ?");
        assert_eq!(made("EXECUTE format('CREATE TEMP TABLE %I (a int)', n);"), " ?");
        assert_eq!(made("EXECUTE format('CREATE TEMP TABLE tmp_%s (a int)', n);"), "tmp_ ?");
        assert_eq!(made("SELECT a INTO b FROM t; CREATE INDEX ON t (a); -- CREATE TABLE c (d int)"), "");
    }
}
