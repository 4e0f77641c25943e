//! Reads just enough of a PL/pgSQL body to tell what it does with NEW. Not a parser: comments and
//! string constants are dropped, the rest is words and marks.

use crate::lint::sql::{tokens, Kind, Sql};

#[derive(Debug, PartialEq, Eq)]
pub struct Body(Vec<String>);

impl Body {
    pub fn new(source: &str) -> Body {
        Body(words(source))
    }

    fn windows(&self, n: usize) -> impl Iterator<Item = Vec<&str>> {
        self.0.windows(n).map(|w| w.iter().map(String::as_str).collect())
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|w| w == word)
    }

    /// `NEW.column :=`, `NEW.column =` or `INTO NEW.column`.
    pub fn assigns_new(&self, column: &str) -> bool {
        let column = column.to_lowercase();
        // A comparison looks like an assignment with `=`, but never starts a statement.
        self.windows(5).any(|w| {
            w[1..4] == ["new", ".", column.as_str()]
                && (w[4] == ":=" || (w[4] == "=" && STARTS_STATEMENT.contains(&w[0])))
        }) || self
            .windows(4)
            .any(|w| matches!(w[0], "into" | "strict" | ",") && w[1..4] == ["new", ".", column.as_str()])
    }

    /// The whole NEW is replaced (`NEW := ...`, `SELECT ... INTO NEW`): it may set any column.
    pub fn replaces_new(&self) -> bool {
        self.windows(3).any(|w| {
            w[..2] == ["new", ":="]
                || (w[..2] == ["into", "new"] && w[2] != ".")
                || (STARTS_STATEMENT.contains(&w[0]) && w[1..] == ["new", "="])
        })
    }

    /// What follows each RETURN, up to the semicolon.
    pub fn returns(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut rest = self.0.as_slice();
        while let Some(at) = rest.iter().position(|w| w == "return") {
            rest = &rest[at + 1..];
            let end = rest.iter().position(|w| w == ";").unwrap_or(rest.len());
            out.push(rest[..end].join(" "));
        }
        out
    }

    /// Reads a field of NEW.
    pub fn reads_new(&self) -> bool {
        self.windows(2).any(|w| w == ["new", "."])
    }

    /// RAISE that ends the statement: EXCEPTION, or no level at all.
    pub fn raises(&self) -> bool {
        const TELLS: &[&str] = &["notice", "info", "log", "debug", "warning"];
        self.windows(2).any(|w| w[0] == "raise" && !TELLS.contains(&w[1]))
    }

    /// The first statement of the body raises, so no path reaches a RETURN.
    pub fn always_raises(&self) -> bool {
        self.windows(3).find(|w| w[0] == "begin").is_some_and(|w| w[1] == "raise" && w[2] == "exception")
    }
}

const STARTS_STATEMENT: &[&str] = &[";", "begin", "then", "else", "loop", ">>"];

/// Words in lower case (quoted names without their quotes), `:=` and marks.
fn words(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let sql = Sql { source, tokens: &tokens };
    let word = |i| match sql.kind(i) {
        Some(Kind::Text) => "''".to_owned(),
        Some(Kind::Mark) | None => sql.raw(i).to_owned(),
        Some(_) => sql.name(i).unwrap_or_else(|| sql.raw(i).to_owned()).to_lowercase(),
    };
    (0..sql.len()).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments() {
        let b = |s| Body::new(s);
        assert!(b("BEGIN NEW.updated_at := now(); RETURN NEW; END").assigns_new("updated_at"));
        assert!(b("begin new . \"updated_at\" = now(); return new; end").assigns_new("updated_at"));
        assert!(b("BEGIN IF x THEN NEW.updated_at = now(); END IF; END").assigns_new("updated_at"));
        assert!(b("BEGIN SELECT now() INTO NEW.updated_at; END").assigns_new("updated_at"));
        assert!(!b("BEGIN -- NEW.updated_at := now()\n RETURN NEW; END").assigns_new("updated_at"));
        assert!(!b("BEGIN /* x /* y */ NEW.updated_at := 1; */ END").assigns_new("updated_at"));
        assert!(!b("BEGIN IF NEW.updated_at = OLD.updated_at THEN x; END IF; END").assigns_new("updated_at"));
        assert!(!b("BEGIN PERFORM 'NEW.updated_at := 1'; END").assigns_new("updated_at"));
        assert!(!b("BEGIN NEW.modified := 1; END").assigns_new("updated_at"));
        assert!(b("BEGIN NEW := jsonb_populate_record(NEW, x); END").replaces_new());
        assert!(!b("BEGIN SELECT 1 INTO NEW.a; END").replaces_new());
    }

    #[test]
    fn returns() {
        let b = Body::new("BEGIN IF a THEN RETURN NEW; END IF; RETURN coalesce(NEW, OLD); END");
        assert_eq!(b.returns(), ["new", "coalesce ( new , old )"]);
        assert!(Body::new("BEGIN RAISE EXCEPTION 'no'; RETURN NEW; END").always_raises());
        assert!(!Body::new("BEGIN IF x THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END").always_raises());
        assert!(!Body::new("BEGIN RAISE NOTICE 'no'; END").raises());
    }

    #[test]
    fn broken_text_is_survived() {
        for s in ["'", "\"", "/*", "--", "/* /*", "$$", ":", "NEW.", "é'é", "*/"] {
            let _ = Body::new(s).returns();
        }
    }
}
