//! Reads just enough of a PL/pgSQL body to tell what it does with NEW. Not a parser: comments and
//! string constants are dropped, the rest is words and marks.

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

/// Words in lower case (quoted names without their quotes), `:=` and single marks.
fn words(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        let start = i;
        if c == '-' && at(i + 1) == '-' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = end_of_comment(&chars, i);
        } else if c == '\'' || c == '"' {
            i = end_of_quoted(&chars, i, c);
            if c == '"' {
                out.push(
                    chars[start + 1..i.saturating_sub(1).max(start + 1)]
                        .iter()
                        .collect::<String>()
                        .to_lowercase(),
                );
            } else {
                out.push("''".to_owned());
            }
        } else if c.is_alphanumeric() || c == '_' {
            while at(i).is_alphanumeric() || matches!(at(i), '_' | '$') {
                i += 1;
            }
            out.push(chars[start..i].iter().collect::<String>().to_lowercase());
        } else if c == ':' && at(i + 1) == '=' {
            i += 2;
            out.push(":=".to_owned());
        } else if c == '>' && at(i + 1) == '>' {
            i += 2;
            out.push(">>".to_owned());
        } else {
            i += 1;
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
        }
    }
    out
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        if chars[i] == quote {
            if chars.get(i + 1) == Some(&quote) {
                i += 1;
            } else {
                return i + 1;
            }
        }
        i += 1;
    }
    i
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0usize);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
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
