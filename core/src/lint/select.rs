//! Which rules to run: codes, globs over codes (`IDX*`), rule names, categories; `-` leaves out.

use crate::lint::rule::{Category, Rule};

/// A word of the selection that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub word: String,
}

/// Words are applied in order. A selection that starts by leaving out starts from all rules.
pub fn select<'r>(rules: &[&'r Rule], words: Option<&[String]>) -> Result<Vec<&'r Rule>, Unknown> {
    let Some(words) = words else { return Ok(rules.to_vec()) };
    let mut chosen = vec![words.first().is_some_and(|w| w.starts_with('-')); rules.len()];
    for word in words {
        let (wanted, include) = match word.strip_prefix('-') {
            Some(rest) => (rest, false),
            None => (word.as_str(), true),
        };
        let mut any = false;
        for (rule, chosen) in rules.iter().zip(&mut chosen) {
            if means(wanted, rule) {
                any = true;
                *chosen = include;
            }
        }
        if !any {
            return Err(Unknown { word: word.clone() });
        }
    }
    Ok(rules.iter().zip(&chosen).filter(|(_, c)| **c).map(|(r, _)| *r).collect())
}

/// Whether a word is a rule's code, a glob over it, its name or its category.
pub fn means(word: &str, rule: &Rule) -> bool {
    let word = word.trim().to_ascii_lowercase();
    glob(&word, &rule.code.to_ascii_lowercase()) || word == rule.name || word == rule.category.as_str()
}

/// `*` is any run of characters, `?` any one. Whoever may write a comment writes patterns: so this
/// neither recurses nor tries more than the last star again.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // after the last star, and up to where in the text it reaches so far
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                p += 1;
                t += 1;
            }
            _ => match star {
                None => return false,
                Some((after, reached)) => {
                    star = Some((after, reached + 1));
                    (p, t) = (after, reached + 1);
                }
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// What a selection may name.
pub fn valid_words(rules: &[&Rule]) -> String {
    let codes: Vec<&str> = rules.iter().map(|r| r.code).collect();
    let categories: Vec<&str> = Category::ALL.iter().map(|c| c.as_str()).collect();
    format!("Rules are {}. Categories are {}.", codes.join(", "), categories.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules;

    fn codes(words: &[&str]) -> Result<Vec<&'static str>, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        select(&rules::all(), Some(&words)).map(|r| r.iter().map(|r| r.code).collect()).map_err(|u| u.word)
    }

    #[test]
    fn globs() {
        assert!(glob("idx*", "idx001") && glob("*", "") && glob("i?x*1", "idx001") && glob("**1", "a1"));
        assert!(glob("*a*b", "xaxxaxb") && glob("é*", "éa") && !glob("*a*b", "xaxbx") && glob("", ""));
        // a pattern made to take for ever
        assert!(!glob(&format!("{}z", "*".repeat(200_000)), "idx001"));
        assert!(!glob(&format!("{}b", "*a".repeat(30)), &"a".repeat(63)));
        assert!(!glob("idx", "idx001") && !glob("?", "") && !glob("idx?", "idx001"));
    }

    #[test]
    fn words() {
        assert_eq!(codes(&["TYP001"]), Ok(vec!["TYP001"]));
        assert_eq!(codes(&["typ00?", "-TYP004", "-TYP009", "-money_type"]), Ok(vec!["TYP001", "TYP007"]));
        assert_eq!(codes(&["security"]).map(|c| c.len()), Ok(20));
        assert_eq!(codes(&["-naming"]).map(|c| c.len()), Ok(rules::all().len() - 6));
        assert_eq!(codes(&["*", "-*"]), Ok(vec![]));
        assert_eq!(codes(&[]), Ok(vec![]));
        assert_eq!(codes(&["IDX9*"]), Err("IDX9*".to_owned()));
        assert_eq!(codes(&[""]), Err(String::new()));
    }
}
