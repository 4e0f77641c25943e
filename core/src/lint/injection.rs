//! Parameters that a PL/pgSQL function puts into dynamic SQL as they are. Follows concatenations,
//! concat(), format() with %s and variables that are executed later; whatever else touches a parameter, a
//! comparison above all (but not with an empty text), is taken for a check of it.

use crate::lint::sql::{Kind, Sql};
use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raw {
    pub parameter: String,
    pub line: usize,
    /// The parameter is the statement.
    pub whole: bool,
}

/// `function`: its name, by which the body may qualify them. `parameters`: input parameters of types that
/// hold any text, with their positions from 1.
pub fn raw_parameters(sql: Sql, function: &str, parameters: &[(usize, String)]) -> Vec<Raw> {
    let unchecked: Vec<&(usize, String)> = parameters.iter().filter(|p| !checked(sql, function, p)).collect();
    if unchecked.is_empty() {
        return Vec::new();
    }
    let search = Search { sql, function, parameters: &unchecked };
    let mut found = BTreeSet::new();
    let mut variables = BTreeSet::new();
    for i in (0..sql.len()).filter(|i| executes(sql, *i)) {
        let end = search.end_of_expression(i + 1);
        search.expression(i + 1, end, Part::Statement, &mut found, &mut variables);
    }
    // what is put into those variables, and into others that these are made of
    let mut known = 0;
    while variables.len() > known {
        known = variables.len();
        for i in 0..sql.len() {
            let Some((name, value)) = assignment(sql, i) else { continue };
            if variables.contains(&name) {
                let end = search.end_of_expression(value);
                search.expression(value, end, Part::Value, &mut found, &mut variables);
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

/// Whether the name at a token is qualified by the function's. None: it is a field of something else.
fn qualified(sql: Sql, i: usize, function: &str) -> Option<bool> {
    if !sql.before_is(i, &["."]) {
        return Some(false);
    }
    let qualifier = i.checked_sub(2)?;
    let mine = sql.name(qualifier).as_deref() == Some(function) && !sql.before_is(qualifier, &["."]);
    mine.then_some(true)
}

fn checked(sql: Sql, function: &str, parameter: &(usize, String)) -> bool {
    const AFTER: &[&str] =
        &["=", "<>", "!=", "in", "~", "~*", "!~", "!~*", "like", "ilike", "similar", "not", ":="];
    const BEFORE: &[&str] =
        &["=", "<>", "!=", "~", "~*", "!~", "!~*", "like", "ilike", "into", "using", "case"];
    const LOOKS_UP: &[&str] =
        &["to_regclass", "to_regtype", "to_regproc", "any", "unnest", "array", "foreach"];
    const COMPARE: &[&str] = &["=", "<>", "!="];
    // whether there is anything says nothing of what it is
    let empty = |i: usize| sql.text(i) == Some("") && !sql.is(i + 1, "||");
    (0..sql.len()).filter(|i| means(sql, *i, parameter)).any(|i| {
        let first = match qualified(sql, i, function) {
            None => return false,
            Some(true) => i - 2,
            Some(false) => i,
        };
        let cast = sql.is(i + 1, "::") && !sql.is_any(i + 2, &["text", "varchar", "character"]);
        let looked_up = first >= 2 && sql.is(first - 1, "(") && sql.is_any(first - 2, LOOKS_UP);
        let after = sql.is_any(i + 1, AFTER) && !(sql.is_any(i + 1, COMPARE) && empty(i + 2));
        let before = sql.before_is(first, BEFORE)
            && !(first >= 2 && sql.is_any(first - 1, COMPARE) && empty(first - 2));
        after || before || cast || looked_up
    })
}

/// What an expression is for.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// EXECUTE runs it.
    Statement,
    /// A variable gets it.
    Value,
    /// It is joined with others.
    Piece,
}

struct Search<'a> {
    sql: Sql<'a>,
    function: &'a str,
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

    /// The parameter that starts at a token, `name` or `function.name`, and the token behind it.
    fn parameter(&self, i: usize) -> Option<(String, usize)> {
        let qualified = self.sql.is(i + 1, ".") && self.sql.name(i).as_deref() == Some(self.function);
        let at = if qualified { i + 2 } else { i };
        // a field of something, or a call
        if self.sql.is_any(at + 1, &[".", "("]) || self.sql.before_is(i, &["."]) {
            return None;
        }
        let p = self.parameters.iter().find(|p| means(self.sql, at, p))?;
        Some((if p.1.is_empty() { format!("${}", p.0) } else { p.1.clone() }, at + 1))
    }

    /// What an expression takes as it is: operands of ||, arguments of concat() and for %s. Those of other
    /// functions are left alone.
    fn expression(
        &self,
        start: usize,
        end: usize,
        part: Part,
        found: &mut BTreeSet<Raw>,
        variables: &mut BTreeSet<String>,
    ) {
        let sql = self.sql;
        let mut i = start;
        while i < end {
            if sql.is(i, "(") {
                let behind = sql.behind_parenthesis(i).min(end);
                let inside = (i + 1, behind.saturating_sub(1));
                let function = i.checked_sub(1).filter(|f| *f >= start).and_then(|f| sql.name(f));
                match function.as_deref() {
                    Some("format") => self.format(inside, part, found, variables),
                    Some("concat" | "concat_ws") => {
                        for (from, to) in self.arguments(inside) {
                            self.expression(from, to, Part::Piece, found, variables);
                        }
                    }
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
            let parameter = self.parameter(i);
            let behind = parameter.as_ref().map_or(i + 1, |(_, behind)| *behind);
            let alone = i == start && behind == end;
            let piece = alone && part == Part::Piece;
            let joined =
                piece || (sql.is(behind, "||") && behind < end) || (i > start && sql.before_is(i, &["||"]));
            if joined || alone {
                match parameter {
                    Some((parameter, _)) if joined || part == Part::Statement => {
                        found.insert(Raw { parameter, line: sql.line(i), whole: alone && !piece });
                    }
                    Some(_) => {}
                    None => variables.extend(sql.name(i).filter(|_| !sql.is(i + 1, "("))),
                }
            }
            i = behind;
        }
    }

    /// Where each argument between parentheses starts and ends.
    fn arguments(&self, (start, end): (usize, usize)) -> Vec<(usize, usize)> {
        let mut arguments = vec![];
        let (mut depth, mut from) = (0, start);
        for i in start..=end {
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
        arguments
    }

    /// What is joined into the format, and the arguments that its %s take.
    fn format(
        &self,
        inside: (usize, usize),
        part: Part,
        found: &mut BTreeSet<Raw>,
        variables: &mut BTreeSet<String>,
    ) {
        let arguments = self.arguments(inside);
        let Some(((from, to), values)) = arguments.split_first() else { return };
        self.expression(*from, *to, part, found, variables);
        let format: String = (*from..*to).filter_map(|i| self.sql.text(i)).collect();
        for n in plain_arguments(&format) {
            // the parameter itself
            let Some((from, to)) = values.get(n) else { continue };
            if let Some((parameter, _)) = self.parameter(*from).filter(|(_, behind)| behind == to) {
                found.insert(Raw { parameter, line: self.sql.line(*to), whole: false });
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
mod tests;
