//! Whether a PL/pgSQL body can come to its end without RETURN. Reads the statements that steer; the
//! rest is passed over up to the semicolon.

use crate::lint::sql::{Kind, Sql};

struct Reader<'a> {
    sql: Sql<'a>,
    at: usize,
}

/// None: not understood.
pub fn reaches_end(sql: Sql) -> Option<bool> {
    let mut r = Reader { sql, at: 0 };
    // #variable_conflict use_column
    while r.sql.is(r.at, "#") {
        r.at += 3;
    }
    let falls = r.block()?;
    (r.at >= r.sql.len()).then_some(falls)
}

const LEVELS: &[&str] = &["notice", "info", "log", "debug", "warning"];

impl Reader<'_> {
    fn is(&self, word: &str) -> bool {
        self.sql.is(self.at, word)
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.is(word).then(|| self.at += 1)
    }

    fn label(&mut self) -> Option<()> {
        while self.is("<<") {
            self.at += 2;
            self.take(">>")?;
        }
        Some(())
    }

    /// Past a word outside parentheses and CASE expressions.
    fn past(&mut self, word: &str) -> Option<()> {
        let (mut depth, mut cases) = (0, 0);
        while self.at < self.sql.len() {
            let found = depth == 0 && cases == 0 && self.is(word);
            match self.sql.raw(self.at) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ if self.is("case") => cases += 1,
                _ if self.is("end") && cases > 0 => cases -= 1,
                _ => {}
            }
            self.at += 1;
            if found {
                return Some(());
            }
        }
        None
    }

    /// `END [label] [;]`, where nothing but the end of the text may stand for the semicolon.
    fn end(&mut self, of: &[&str]) -> Option<()> {
        self.take("end")?;
        of.iter().try_for_each(|w| self.take(w))?;
        if self.sql.name(self.at).is_some() {
            self.at += 1;
        }
        if self.at < self.sql.len() {
            self.take(";")?;
        }
        Some(())
    }

    fn block(&mut self) -> Option<bool> {
        self.label()?;
        if self.is("declare") {
            self.past("begin")?;
        } else {
            self.take("begin")?;
        }
        let mut falls = self.list(&["exception", "end"])?;
        if self.take("exception").is_some() {
            while self.take("when").is_some() {
                self.past("then")?;
                falls |= self.list(&["when", "end"])?;
            }
        }
        self.end(&[])?;
        Some(falls)
    }

    /// Statements up to one of these words.
    fn list(&mut self, stops: &[&str]) -> Option<bool> {
        let mut falls = true;
        while !self.sql.is_any(self.at, stops) {
            if self.at >= self.sql.len() {
                return None;
            }
            falls &= self.statement()?;
        }
        Some(falls)
    }

    fn statement(&mut self) -> Option<bool> {
        self.label()?;
        if self.is("begin") || self.is("declare") {
            return self.block();
        }
        if self.take("if").is_some() {
            return self.branches();
        }
        if self.take("case").is_some() {
            return self.case();
        }
        if self.is("loop") || self.is("while") || self.is("for") || self.is("foreach") {
            return self.repeated();
        }
        let leaves = match self.sql.raw(self.at).to_ascii_lowercase().as_str() {
            "return" => !self.sql.is_any(self.at + 1, &["next", "query"]),
            "raise" => !self.sql.is_any(self.at + 1, LEVELS),
            "exit" | "continue" => {
                let start = self.at;
                self.past(";")?;
                return Some((start..self.at).any(|i| self.sql.is(i, "when")));
            }
            _ => false,
        };
        self.past(";")?;
        Some(!leaves)
    }

    /// Without ELSE, all conditions may be false; but not where they go through the operations of the
    /// trigger (which of them it has is not looked at).
    fn branches(&mut self) -> Option<bool> {
        let start = self.at;
        self.past("then")?;
        let mut by_operation = self.names_operation(start);
        let mut falls = self.list(&["elsif", "elseif", "else", "end"])?;
        let mut several = false;
        loop {
            if self.take("else").is_some() {
                falls |= self.list(&["end"])?;
                break;
            }
            if self.take("elsif").or_else(|| self.take("elseif")).is_none() {
                falls |= !(by_operation && several);
                break;
            }
            several = true;
            let start = self.at;
            self.past("then")?;
            by_operation &= self.names_operation(start);
            falls |= self.list(&["elsif", "elseif", "else", "end"])?;
        }
        self.end(&["if"])?;
        Some(falls)
    }

    fn names_operation(&self, start: usize) -> bool {
        (start..self.at).any(|i| self.sql.is(i, "tg_op"))
    }

    /// Without ELSE, a CASE that finds nothing raises.
    fn case(&mut self) -> Option<bool> {
        self.past("when")?;
        let mut falls = false;
        loop {
            self.past("then")?;
            falls |= self.list(&["when", "else", "end"])?;
            if self.take("when").is_none() {
                break;
            }
        }
        if self.take("else").is_some() {
            falls |= self.list(&["end"])?;
        }
        self.end(&["case"])?;
        Some(falls)
    }

    /// A loop without a condition ends by EXIT alone.
    fn repeated(&mut self) -> Option<bool> {
        let endless = self.is("loop");
        self.past("loop")?;
        let start = self.at;
        self.list(&["end"])?;
        let exits = (start..self.at).any(|i| self.sql.kind(i) == Some(Kind::Word) && self.sql.is(i, "exit"));
        self.end(&["loop"])?;
        Some(!endless || exits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::sql::tokens;

    fn falls(source: &str) -> Option<bool> {
        let tokens = tokens(source);
        reaches_end(Sql { source, tokens: &tokens })
    }

    #[test]
    fn paths() {
        for (source, wanted) in [
            ("BEGIN RETURN NEW; END", Some(false)),
            ("DECLARE c CURSOR FOR SELECT 1; BEGIN NULL; END;", Some(true)),
            ("begin if a then return new; end if; end", Some(true)),
            ("BEGIN IF CASE WHEN a THEN b ELSE c END THEN RETURN NEW; ELSIF x THEN RETURN OLD; ELSE RAISE 'no'; END IF; END;", Some(false)),
            ("BEGIN IF a THEN RETURN NEW; ELSIF x THEN RETURN OLD; END IF; END;", Some(true)),
            ("BEGIN CASE TG_OP WHEN 'INSERT' THEN RETURN NEW; WHEN 'DELETE' THEN RETURN OLD; END CASE; END", Some(false)),
            ("BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; ELSIF (tg_op = 'INSERT') THEN RETURN NEW; END IF; END", Some(false)),
            ("BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; END", Some(true)),
            ("BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; ELSIF a THEN RETURN NEW; END IF; END", Some(true)),
            ("BEGIN CASE WHEN a THEN RETURN NEW; ELSE NULL; END CASE; END", Some(true)),
            ("<<l>> BEGIN BEGIN RETURN NEW; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'x'; END; END l", Some(true)),
            ("BEGIN BEGIN RETURN NEW; EXCEPTION WHEN OTHERS THEN RAISE; END; END", Some(false)),
            ("BEGIN LOOP UPDATE t SET a = 1; IF found THEN RETURN NEW; END IF; END LOOP; END", Some(false)),
            ("BEGIN LOOP EXIT WHEN a; END LOOP; END", Some(true)),
            ("BEGIN FOR r IN SELECT 1 LOOP RETURN NEW; END LOOP; END", Some(true)),
            ("#variable_conflict use_column\nBEGIN RETURN NULL; END", Some(false)),
            ("BEGIN x := CASE WHEN a THEN 1 END; RETURN NEW; END", Some(false)),
            ("BEGIN RAISE EXCEPTION 'no'; END", Some(false)),
            ("BEGIN RETURN NEW", None),
            ("BEGIN IF a THEN RETURN NEW; END; END", None),
            ("", None),
        ] {
            assert_eq!(falls(source), wanted, "{source}");
        }
    }
}
