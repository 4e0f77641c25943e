//! All fixes as one script for psql: to be read, then run by somebody. dbguard never runs it.

use crate::lint::engine::{Row, Status};
use crate::lint::finding::{Fix, Safety};
use std::collections::HashSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What blocks nobody for longer than a moment and changes no data.
    Online,
    /// All of them.
    All,
}

impl Mode {
    pub const ALL: [Mode; 2] = [Mode::Online, Mode::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Online => "online",
            Mode::All => "all",
        }
    }

    pub fn parse(text: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|m| m.as_str() == text)
    }
}

/// In which part of the script a fix stands: what is quick first, what cannot be taken back last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Metadata,
    NotValid,
    Alone,
    Rewrite,
    Review,
    Drop,
}

impl Part {
    const ALL: [Part; 6] =
        [Part::Metadata, Part::NotValid, Part::Alone, Part::Rewrite, Part::Review, Part::Drop];

    fn of(fix: &Fix) -> Part {
        let has = |words: &str| fix.sql.contains(words);
        match fix.safety {
            Safety::Rewrite => Part::Rewrite,
            Safety::Review => Part::Review,
            _ if fix.sql.trim_start().starts_with("DROP ") => Part::Drop,
            _ if has(" CONCURRENTLY ") => Part::Alone,
            _ if has(" NOT VALID") || has(" VALIDATE ") => Part::NotValid,
            _ => Part::Metadata,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Part::Metadata => "changes of the catalogs: each takes a lock for a moment",
            Part::NotValid => "constraints: added without a look at the rows, then validated",
            Part::Alone => "built beside the running work: each outside a transaction",
            Part::Rewrite => "reads or rewrites the whole table under a strong lock: choose the hour",
            Part::Review => "changes what the application sees: read before you run",
            Part::Drop => "drops",
        }
    }
}

/// The script. Findings without SQL are left out.
pub fn script(rows: &[Row], mode: Mode) -> String {
    let open: Vec<&Row> = rows.iter().filter(|r| r.status == Status::Open).collect();
    let risky = |fix: &Fix| matches!(fix.safety, Safety::Rewrite | Safety::Review);
    let wanted: Vec<(&Row, &Fix)> = open
        .iter()
        .filter_map(|r| Some((*r, r.fix.as_ref()?)))
        .filter(|(_, fix)| mode == Mode::All || !risky(fix))
        .collect();
    let mut out = format!(
        "-- {} of {} findings; the others have no SQL{}.\n-- For psql: statements with CONCURRENTLY cannot run \
         in a transaction.\n\\set ON_ERROR_STOP on\nSET lock_timeout = '2s';\n",
        wanted.len(),
        open.len(),
        if mode == Mode::Online { " or are not for a running system (mode => 'all')" } else { "" },
    );
    let mut waits = "2s";
    let mut said: HashSet<&str> = HashSet::new();
    for part in Part::ALL {
        let here: Vec<&(&Row, &Fix)> = wanted.iter().filter(|(_, fix)| Part::of(fix) == part).collect();
        if !here.is_empty() {
            out.push_str(&format!("\n-- == {}\n", part.title()));
        }
        for (row, fix) in here {
            out.push_str(&format!(
                "\n-- {} {}: {}\n",
                row.rule.code,
                comment(&row.object.identity),
                comment(&row.message)
            ));
            // one statement may end several findings
            if !said.insert(&fix.sql) {
                out.push_str("-- the same statement as above\n");
                continue;
            }
            let mut sql = fix.sql.as_str();
            if let Some(first) = fix.first.as_deref().filter(|first| !said.insert(first)) {
                out.push_str("-- what has to come before is above\n");
                sql = sql.strip_prefix(first).unwrap_or(sql).trim_start();
            }
            // given up half-way, CONCURRENTLY leaves an invalid index behind; it blocks nobody while it waits
            let patience = if fix.sql.contains(" CONCURRENTLY ") { "0" } else { "2s" };
            if patience != waits {
                out.push_str(&format!("SET lock_timeout = '{patience}';\n"));
                waits = patience;
            }
            out.push_str(&format!("{}\n", sql.trim_end()));
            if let Some(undo) = &fix.undo {
                out.push_str(&undo.lines().map(|l| format!("-- undo: {}\n", comment(l))).collect::<String>());
            }
        }
    }
    out
}

/// A comment ends with its line: no name may end it.
fn comment(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::finding::{Object, Severity};
    use crate::lint::rules;

    fn row(sql: &str, safety: Safety) -> Row {
        Row {
            rule: rules::find("INT002").unwrap(),
            severity: Severity::Error,
            status: Status::Open,
            object: Object { kind: "table", schema: "s".into(), identity: "s.\"a\nDROP\"".into(), oid: 1 },
            message: "m".into(),
            fix: Some(Fix::new(sql, safety).undo("UNDO")),
            confidence: 1.0,
            fingerprint: String::new(),
            affected: 1,
            members: vec![],
            details: serde_json::Map::new(),
        }
    }

    #[test]
    fn ordered_and_safe() {
        let rows = [
            row("DROP INDEX CONCURRENTLY i;", Safety::Online),
            row("CREATE INDEX CONCURRENTLY i;", Safety::Online),
            row("ALTER TABLE t ADD CHECK (a) NOT VALID;", Safety::BriefLock),
            row("ALTER TABLE t SET (x);", Safety::BriefLock),
            row("ALTER TABLE t SET (x);", Safety::BriefLock),
            row("ALTER TABLE t ALTER a TYPE b;", Safety::Rewrite),
        ];
        let text = script(&rows, Mode::Online);
        let at = |word: &str| text.find(word).unwrap();
        assert!(
            at("SET (x)") < at("NOT VALID;")
                && at("NOT VALID;") < at("CREATE INDEX")
                && at("CREATE INDEX") < at("DROP INDEX")
        );
        assert!(!text.contains("TYPE b") && script(&rows, Mode::All).contains("TYPE b"));
        assert_eq!(text.matches("SET (x);").count(), 1, "{text}");
        assert!(
            at("SET lock_timeout = '0'") < at("CREATE INDEX")
                && at("NOT VALID;") < at("SET lock_timeout = '0'")
        );
        assert!(text.starts_with("-- 5 of 6 findings") && text.contains("-- undo: UNDO"));
        let key = |name: &str| {
            let mut row = row(name, Safety::Rewrite);
            row.fix = row.fix.map(|fix| fix.after("ADD UNIQUE;"));
            row
        };
        let shared = script(&[key("ADD KEY a;"), key("ADD KEY b;")], Mode::All);
        assert_eq!(shared.matches("ADD UNIQUE;").count(), 1, "{shared}");
        assert!(shared.find("ADD UNIQUE;\nADD KEY a;") < shared.find("\nADD KEY b;"), "{shared}");
        assert!(text.lines().all(|l| !l.starts_with("DROP\"")), "a name does not end a comment: {text}");
    }
}
