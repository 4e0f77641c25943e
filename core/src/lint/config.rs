//! What users chose about rules: on or off, severity, numbers; for all schemas or for some.

use crate::lint::finding::Severity;
use crate::lint::rule::{Category, Rule};
use crate::lint::select::{glob, means};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A choice that is not about a rule: whether `*` may be ignored for all rules.
pub const BLANKET: &str = "allow_blanket_ignore";
/// The weights of the score.
pub const SCORE: &str = "score";

/// How a rule came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// It is in the profile, or was switched on everywhere.
    #[default]
    Everywhere,
    /// It was switched on for some schemas.
    WhereOn,
    /// The caller named it.
    Named,
}

/// One row of dbguard.lint_config.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// A code, a category or a glob over codes.
    pub rule: String,
    /// A glob over the names of schemas.
    pub schemas: String,
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    pub params: Map<String, Value>,
}

/// All choices, from the general to the particular: later ones win.
#[derive(Debug, Clone, Default)]
pub struct Config(Vec<Choice>);

impl Config {
    pub fn new(mut choices: Vec<Choice>) -> Config {
        let is_glob = |text: &str| text.contains(['*', '?']);
        let is_category = |text: &str| Category::parse(text).is_some();
        choices.sort_by_cached_key(|c| {
            let rule = if is_glob(&c.rule) { 0 } else { 2 - u8::from(is_category(&c.rule)) };
            let schemas = (c.schemas != "*", !is_glob(&c.schemas), c.schemas.len());
            (rule, schemas, c.rule.len(), c.rule.clone(), c.schemas.clone())
        });
        Config(choices)
    }

    fn of<'a>(&'a self, rule: &'a Rule) -> impl DoubleEndedIterator<Item = &'a Choice> {
        self.0.iter().filter(move |c| means(&c.rule, rule))
    }

    /// Whether a rule was switched on or off everywhere.
    pub fn enabled(&self, rule: &Rule) -> Option<bool> {
        self.of(rule).filter(|c| c.schemas == "*").filter_map(|c| c.enabled).next_back()
    }

    /// Whether a rule that runs speaks about a schema ('' is the database).
    pub fn speaks(&self, rule: &Rule, schema: &str, how: How) -> bool {
        let here = self.of(rule).filter(|c| glob(&c.schemas, schema));
        how == How::Named || here.filter_map(|c| c.enabled).next_back().unwrap_or(how == How::Everywhere)
    }

    /// A rule that is on for some schemas only has to run as well.
    pub fn somewhere(&self, rule: &Rule) -> bool {
        self.of(rule).any(|c| c.schemas != "*" && c.enabled == Some(true))
    }

    /// The severity chosen for findings of a rule in a schema.
    pub fn severity(&self, rule: &Rule, schema: &str) -> Option<Severity> {
        self.of(rule).filter(|c| glob(&c.schemas, schema)).filter_map(|c| c.severity).next_back()
    }

    /// The numbers chosen, by code and name; under `SCORE` those of the score.
    pub fn params(&self, rules: &[&Rule]) -> HashMap<(String, String), f64> {
        let mut chosen = HashMap::new();
        let mut choose = |code: &str, choice: &Choice| {
            for (name, value) in &choice.params {
                if let Some(number) = value.as_f64() {
                    chosen.insert((code.to_owned(), name.clone()), number);
                }
            }
        };
        for choice in &self.0 {
            if choice.rule == SCORE {
                choose(SCORE, choice);
            }
        }
        for rule in rules {
            self.of(rule).for_each(|choice| choose(rule.code, choice));
        }
        chosen
    }

    pub fn allows_blanket_ignores(&self) -> bool {
        self.0.iter().any(|c| c.rule == BLANKET && c.enabled == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules;
    use serde_json::json;

    fn choice(rule: &str, schemas: &str, enabled: Option<bool>, severity: Option<Severity>) -> Choice {
        Choice { rule: rule.into(), schemas: schemas.into(), enabled, severity, params: Map::new() }
    }

    #[test]
    fn the_particular_wins() {
        let config = Config::new(vec![
            choice("INT023", "*", Some(true), Some(Severity::Error)),
            choice("INT*", "*", Some(false), Some(Severity::Info)),
            choice("INT023", "legacy_*", Some(false), None),
            choice("INT023", "legacy_new", Some(true), Some(Severity::Warning)),
        ]);
        let god = rules::find("INT023").unwrap();
        assert_eq!(config.enabled(god), Some(true));
        assert_eq!(config.enabled(rules::find("INT001").unwrap()), Some(false));
        assert_eq!(config.enabled(rules::find("TYP001").unwrap()), None);
        let speaks = |schema| config.speaks(god, schema, How::Everywhere);
        assert!(speaks("public") && speaks("legacy_new") && !speaks("legacy_old"));
        assert!(config.speaks(god, "legacy_old", How::Named));
        assert_eq!(config.severity(god, "public"), Some(Severity::Error));
        assert_eq!(config.severity(god, "legacy_new"), Some(Severity::Warning));
    }

    #[test]
    fn numbers() {
        let mut all = choice("integrity", "*", None, None);
        all.params = json!({"columns": 30}).as_object().cloned().unwrap();
        let mut one = choice("INT001", "*", None, None);
        one.params = json!({"columns": 50}).as_object().cloned().unwrap();
        let config = Config::new(vec![one, all]);
        let key = |code: &str| (code.to_owned(), "columns".to_owned());
        let params = config.params(&rules::all());
        assert_eq!(params.get(&key("INT001")), Some(&50.0));
        assert_eq!(params.get(&key("INT023")), Some(&30.0));
    }
}
