//! Parameters that a PL/pgSQL function puts into dynamic SQL as they are. Follows concatenations,
//! format() with %s and variables that are executed later; whatever else touches a parameter, a
//! comparison above all, is taken for a check of it.

use crate::lint::sql::{Kind, Sql};
use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raw {
    pub parameter: String,
    pub line: usize,
    /// The parameter is the statement.
    pub whole: bool,
}

/// `parameters`: input parameters of types that hold any text, with their positions from 1.
pub fn raw_parameters(sql: Sql, parameters: &[(usize, String)]) -> Vec<Raw> {
    let unchecked: Vec<&(usize, String)> = parameters.iter().filter(|p| !checked(sql, p)).collect();
    if unchecked.is_empty() {
        return Vec::new();
    }
    let search = Search { sql, parameters: &unchecked };
    let mut found = BTreeSet::new();
    let mut variables = BTreeSet::new();
    for i in (0..sql.len()).filter(|i| executes(sql, *i)) {
        let end = search.end_of_expression(i + 1);
        search.expression(i + 1, end, true, &mut found, &mut variables);
    }
    // what is put into those variables, and into others that these are made of
    let mut known = 0;
    while variables.len() > known {
        known = variables.len();
        for i in 0..sql.len() {
            let Some((name, value)) = assignment(sql, i) else { continue };
            if variables.contains(&name) {
                let end = search.end_of_expression(value);
                search.expression(value, end, false, &mut found, &mut variables);
            }
        }
    }
    found.into_iter().collect()
}

const STARTS: &[&str] = &[";", "begin", "then", "else", "loop", ">>", "declare"];

/// EXECUTE of PL/pgSQL: not the privilege, not that of CREATE TRIGGER.
fn executes(sql: Sql, i: usize) -> bool {
    sql.is(i, "execute")
        && (sql.before_is(i, STARTS) || sql.before_is(i, &["query", "in", "for"]))
        && !sql.is_any(i + 1, &["function", "procedure", "on"])
}

/// `name := value`, `name = value` and `name type := value` at the start of a statement.
fn assignment(sql: Sql, i: usize) -> Option<(String, usize)> {
    if i > 0 && !sql.before_is(i, STARTS) {
        return None;
    }
    let name = sql.name(i)?;
    if sql.is_any(i + 1, &[":=", "="]) {
        return Some((name, i + 2));
    }
    let assign =
        (i + 1..i + 8).take_while(|j| !sql.is(*j, ";")).find(|j| sql.is_any(*j, &[":=", "default"]))?;
    Some((name, assign + 1))
}

fn means(sql: Sql, i: usize, (position, name): &(usize, String)) -> bool {
    match sql.kind(i) {
        Some(Kind::Parameter) => sql.raw(i) == format!("${position}"),
        Some(Kind::Word | Kind::Quoted) => !name.is_empty() && sql.name(i).as_ref() == Some(name),
        _ => false,
    }
}

fn checked(sql: Sql, parameter: &(usize, String)) -> bool {
    const AFTER: &[&str] =
        &["=", "<>", "!=", "in", "~", "~*", "!~", "!~*", "like", "ilike", "similar", "not", ":="];
    const BEFORE: &[&str] =
        &["=", "<>", "!=", "~", "~*", "!~", "!~*", "like", "ilike", "into", "using", "case"];
    const LOOKS_UP: &[&str] =
        &["to_regclass", "to_regtype", "to_regproc", "any", "unnest", "array", "foreach"];
    (0..sql.len()).filter(|i| means(sql, *i, parameter)).any(|i| {
        let cast = sql.is(i + 1, "::") && !sql.is_any(i + 2, &["text", "varchar", "character"]);
        let looked_up = i >= 2 && sql.is(i - 1, "(") && sql.is_any(i - 2, LOOKS_UP);
        sql.is_any(i + 1, AFTER) || sql.before_is(i, BEFORE) || cast || looked_up
    })
}

struct Search<'a> {
    sql: Sql<'a>,
    parameters: &'a [&'a (usize, String)],
}

impl Search<'_> {
    /// Up to the semicolon, INTO, USING or LOOP outside parentheses.
    fn end_of_expression(&self, start: usize) -> usize {
        let mut depth = 0;
        for i in start..self.sql.len() {
            match self.sql.raw(i) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth <= 0 && self.sql.is_any(i, &[";", "into", "using", "loop"]) {
                return i;
            }
        }
        self.sql.len()
    }

    fn parameter(&self, i: usize) -> Option<String> {
        // a field of something, or a call
        if self.sql.is_any(i + 1, &[".", "("]) || self.sql.before_is(i, &["."]) {
            return None;
        }
        let p = self.parameters.iter().find(|p| means(self.sql, i, p))?;
        Some(if p.1.is_empty() { format!("${}", p.0) } else { p.1.clone() })
    }

    /// What an expression takes as it is: operands of ||, arguments for %s. Those of other functions
    /// are left alone.
    fn expression(
        &self,
        start: usize,
        end: usize,
        executed: bool,
        found: &mut BTreeSet<Raw>,
        variables: &mut BTreeSet<String>,
    ) {
        let sql = self.sql;
        let mut i = start;
        while i < end {
            let alone = i == start && i + 1 == end;
            let joined = sql.is(i + 1, "||") && i + 1 < end || i > start && sql.before_is(i, &["||"]);
            if sql.is(i, "(") {
                let behind = sql.behind_parenthesis(i).min(end);
                let function = i.checked_sub(1).filter(|f| *f >= start).and_then(|f| sql.name(f));
                match function.as_deref() {
                    Some("format") => self.format(i + 1, behind.saturating_sub(1), found),
                    // parentheses of the expression itself
                    None => {
                        i += 1;
                        continue;
                    }
                    Some(_) => {}
                }
                i = behind;
                continue;
            }
            if sql.is(i, "case") || sql.is(i, "select") {
                return;
            }
            if joined || alone {
                match self.parameter(i) {
                    Some(parameter) if joined || executed => {
                        found.insert(Raw { parameter, line: sql.line(i), whole: alone });
                    }
                    Some(_) => {}
                    None => variables.extend(sql.name(i).filter(|_| !sql.is(i + 1, "("))),
                }
            }
            i += 1;
        }
    }

    /// The arguments that %s of a constant format takes.
    fn format(&self, start: usize, end: usize, found: &mut BTreeSet<Raw>) {
        let Some(text) = self.sql.text(start).filter(|_| self.sql.is(start + 1, ",")) else { return };
        let mut arguments = vec![];
        let (mut depth, mut from) = (0, start + 2);
        for i in start + 2..=end {
            match self.sql.raw(i) {
                "(" => depth += 1,
                ")" if i < end => depth -= 1,
                _ => {}
            }
            if i == end || (depth == 0 && self.sql.is(i, ",")) {
                arguments.push((from, i));
                from = i + 1;
            }
        }
        for n in plain_arguments(text) {
            // one token: the parameter itself
            if let Some((from, to)) = arguments.get(n).filter(|(from, to)| from + 1 == *to) {
                if let Some(parameter) = self.parameter(*from) {
                    found.insert(Raw { parameter, line: self.sql.line(*to), whole: false });
                }
            }
        }
    }
}

/// Which arguments %s takes, counted from 0: `%s`, `%2$s`, `%-10s`.
fn plain_arguments(format: &str) -> Vec<usize> {
    let mut found = vec![];
    let mut next = 0;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        rest = rest.get(at + 1..).unwrap_or("");
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        if let Some(r) = behind.strip_prefix('$') {
            next = number.parse::<usize>().unwrap_or(1).saturating_sub(1);
            rest = r;
        }
        rest = rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
        match rest.chars().next() {
            Some('s') => {
                found.push(next);
                next += 1;
            }
            Some('I' | 'L') => next += 1,
            _ => {}
        }
        rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::sql::tokens;

    fn raw(source: &str) -> String {
        let tokens = tokens(source);
        let p = [(1, "p".to_owned()), (2, "q".to_owned())];
        let found = raw_parameters(Sql { source, tokens: &tokens }, &p);
        found
            .iter()
            .map(|r| format!("{}{}", r.parameter, if r.whole { "!" } else { "" }))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn found() {
        assert_eq!(raw("BEGIN EXECUTE 'SELECT ' || p; END"), "p");
        assert_eq!(raw("BEGIN EXECUTE 'SELECT ' || $2 || 'x' INTO a; END"), "q");
        assert_eq!(raw("BEGIN EXECUTE p; END"), "p!");
        assert_eq!(raw("DECLARE s text := 'a' || p; BEGIN EXECUTE s USING p; END"), "");
        assert_eq!(raw("DECLARE s text := 'a' || p; BEGIN EXECUTE s; END"), "p");
        assert_eq!(raw("BEGIN a := 'x' || p; s := a || ' y'; RETURN QUERY EXECUTE s; END"), "p");
        assert_eq!(raw("BEGIN EXECUTE format('SELECT %I FROM %s', p, q); END"), "q");
        assert_eq!(raw("BEGIN EXECUTE format('%2$s %1$I %%s', p, q); END"), "q");
        assert_eq!(raw("BEGIN FOR r IN EXECUTE ('x' || (p)) LOOP END LOOP; END"), "");
        assert_eq!(raw("BEGIN FOR r IN EXECUTE ('x' || p) LOOP END LOOP; END"), "p");
    }

    #[test]
    fn not_found() {
        for source in [
            "BEGIN EXECUTE 'SELECT ' || quote_ident(p); END",
            "BEGIN EXECUTE 'SELECT ' || quote_literal('a' || p || 'b'); END",
            "BEGIN EXECUTE format('SELECT %I %L', p, q); END",
            "BEGIN EXECUTE 'SELECT $1' USING p; END",
            "BEGIN IF p NOT IN ('a', 'b') THEN RAISE 'no'; END IF; EXECUTE 'x' || p; END",
            "BEGIN IF p !~ '^[a-z]+$' THEN RAISE 'no'; END IF; EXECUTE 'x' || p; END",
            "BEGIN p := quote_ident(p); EXECUTE 'x' || p; END",
            "BEGIN PERFORM p::regclass; EXECUTE 'x' || p; END",
            "BEGIN EXECUTE 'x' || r.p; END",
            "BEGIN RAISE NOTICE 'a' || p; s := 'b' || p; RETURN s; END",
            "BEGIN -- EXECUTE 'x' || p;\n END",
            "BEGIN EXECUTE 'EXECUTE ''x'' || p'; END",
            "BEGIN GRANT EXECUTE ON FUNCTION f TO p; END",
            "BEGIN EXECUTE CASE WHEN a THEN 'x' || b ELSE p END; END",
        ] {
            assert_eq!(raw(source), "", "{source}");
        }
    }
}
