//! Small helpers to read and write SQL text.

use crate::lint::catalog::Relation;
use crate::quote::ident;

/// A list of names for SQL.
pub fn idents(names: &[&str]) -> String {
    names.iter().map(|n| ident(n)).collect::<Vec<_>>().join(", ")
}

/// Whether an expression as the server prints it names this column: the name as a word of its own.
pub fn mentions(expression: &str, column: &str) -> bool {
    let name = ident(column);
    expression.match_indices(&name).any(|(at, _)| {
        let before = expression[..at].chars().next_back();
        let after = expression[at + name.len()..].chars().next();
        let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '"');
        !before.is_some_and(|c| part_of_name(c) || c == '\'')
            && !after.is_some_and(|c| part_of_name(c) || c == '(')
    })
}

/// Whether a predicate says nothing but that some of these columns are not null.
pub fn only_not_null(predicate: &str, columns: &[&str]) -> bool {
    strip_parens(predicate).split(" AND ").all(|term| {
        strip_parens(term).strip_suffix(" IS NOT NULL").is_some_and(|c| columns.iter().any(|n| ident(n) == c))
    })
}

fn strip_parens(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        if !balanced(inner) {
            break;
        }
        text = inner.trim();
    }
    text
}

fn balanced(text: &str) -> bool {
    let mut depth = 0i32;
    text.chars().all(|c| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth >= 0
    }) && depth == 0
}

/// The predicate of an index in its definition: what follows WHERE outside all quotes and parentheses.
pub fn index_predicate(definition: &str) -> Option<&str> {
    let (mut depth, mut quote) = (0i32, None);
    for (at, c) in definition.char_indices() {
        match (quote, c) {
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 && quote.is_none() {
            if let Some(predicate) = definition[at..].strip_prefix(" WHERE ") {
                return Some(predicate);
            }
        }
    }
    None
}

/// A name not taken by another column of the table.
pub fn free_column_name(t: &Relation, candidates: &[&str]) -> Option<String> {
    candidates.iter().find(|c| t.column(c).is_none()).map(|c| (*c).to_owned())
}

/// `n thing` or `n things`.
pub fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_expression() {
        assert!(mentions("(deleted_at IS NULL)", "deleted_at"));
        assert!(mentions("((\"Del\" IS NULL) AND (a > 1))", "Del"));
        assert!(!mentions("(is_deleted_at IS NULL)", "deleted_at"));
        assert!(!mentions("(deleted_at2 IS NULL)", "deleted_at"));
        assert!(!mentions("(lower(a) = 'x'::text)", "lower"));
        assert!(!mentions("(a = 'b'::text)", "b"));
    }

    #[test]
    fn predicates_of_definitions() {
        let p = index_predicate;
        assert_eq!(p("CREATE INDEX i ON s.t USING btree (a)"), None);
        assert_eq!(p("CREATE INDEX i ON s.t USING btree (a) WHERE (a > 0)"), Some("(a > 0)"));
        assert_eq!(
            p("CREATE INDEX \"x WHERE (\" ON s.\"'\" USING btree (f(' WHERE ')) WHERE (b = ' WHERE '::text)"),
            Some("(b = ' WHERE '::text)")
        );
    }

    #[test]
    fn not_null_predicates() {
        assert!(only_not_null("(a IS NOT NULL)", &["a"]));
        assert!(only_not_null("((a IS NOT NULL) AND (\"B\" IS NOT NULL))", &["a", "B"]));
        assert!(!only_not_null("((a IS NOT NULL) AND (c IS NOT NULL))", &["a"]));
        assert!(!only_not_null("((a IS NOT NULL) OR (a IS NOT NULL))", &["a"]));
        assert!(!only_not_null("(a > 0)", &["a"]));
    }
}
