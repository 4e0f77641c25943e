//! Which rules run for whom, when nobody names rules.

use crate::lint::config::Config;
use crate::lint::finding::Severity;
use crate::lint::rule::{Rule, Section};
use crate::lint::select::{means, select, Unknown};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Errors that the catalogs alone show.
    Minimal,
    /// What the schema shows, with a look into tables where that is needed.
    #[default]
    Recommended,
    /// The same with the rules that not everybody wants.
    Strict,
    /// What the schema alone shows: a database made by a build has no rows and no past.
    Ci,
    /// Also how the database is used and how the server is set up.
    Production,
}

impl Profile {
    pub const ALL: [Profile; 5] =
        [Profile::Minimal, Profile::Recommended, Profile::Strict, Profile::Ci, Profile::Production];

    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Minimal => "minimal",
            Profile::Recommended => "recommended",
            Profile::Strict => "strict",
            Profile::Ci => "ci",
            Profile::Production => "production",
        }
    }

    pub fn parse(text: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|p| p.as_str() == text)
    }

    /// Whether a rule may run in it at all.
    fn reaches(self, rule: &Rule) -> bool {
        match self {
            Profile::Minimal | Profile::Ci => rule.reads.is_empty(),
            Profile::Recommended | Profile::Strict => {
                rule.reads.iter().all(|s| matches!(s, Section::Rows | Section::Samples))
            }
            Profile::Production => true,
        }
    }

    pub fn has(self, rule: &Rule) -> bool {
        self.reaches(rule)
            && match self {
                Profile::Minimal => rule.recommended && rule.severity == Severity::Error,
                Profile::Strict => true,
                _ => rule.recommended,
            }
    }

    /// The rules of the profile, those switched on and off by `lint_configure` applied.
    fn rules<'r>(self, all: &[&'r Rule], config: &Config) -> Vec<&'r Rule> {
        let runs = |rule: &Rule| {
            let everywhere = config.enabled(rule).unwrap_or_else(|| self.has(rule));
            self.reaches(rule) && (everywhere || config.somewhere(rule))
        };
        all.iter().filter(|r| runs(r)).copied().collect()
    }
}

/// The rules to run: words choose among those of the profile, or among all recommended ones when
/// no profile is given; a rule named by its code or name runs in any case.
pub fn chosen<'r>(
    all: &[&'r Rule],
    words: Option<&[String]>,
    profile: Option<Profile>,
    config: &Config,
) -> Result<Vec<&'r Rule>, Unknown> {
    let Some(words) = words else { return Ok(profile.unwrap_or_default().rules(all, config)) };
    let mut chosen: Vec<&Rule> = select(all, Some(words))?;
    let leaving_out = words.first().is_some_and(|w| w.starts_with('-'));
    let among = match profile {
        None if leaving_out => Profile::default().rules(all, config),
        Some(profile) => profile.rules(all, config),
        None => all.iter().filter(|r| config.enabled(r).unwrap_or(r.recommended)).copied().collect(),
    };
    let named = |rule: &Rule| {
        words.iter().any(|w| {
            !w.starts_with('-') && !w.contains(['*', '?']) && means(w, rule) && w != rule.category.as_str()
        })
    };
    chosen.retain(|rule| among.iter().any(|r| r.code == rule.code) || named(rule));
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::config::Choice;
    use crate::lint::rules;

    fn codes(words: &[&str], profile: Option<Profile>, config: &Config) -> Vec<&'static str> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let words = (!words.is_empty()).then_some(words.as_slice());
        chosen(&rules::all(), words, profile, config).unwrap().iter().map(|r| r.code).collect()
    }

    #[test]
    fn a_rule_that_is_off_runs_when_named() {
        let off =
            Choice { rule: "TYP001".into(), schemas: "*".into(), enabled: Some(false), ..Choice::default() };
        let config = Config::new(vec![off]);
        assert!(!codes(&[], None, &config).contains(&"TYP001"));
        assert!(!codes(&["TYP*"], None, &config).contains(&"TYP001"));
        assert!(!codes(&["-IDX*"], None, &config).contains(&"TYP001"));
        assert_eq!(codes(&["timestamp_without_time_zone"], None, &config), ["TYP001"]);
        assert_eq!(codes(&["typ001"], Some(Profile::Minimal), &config), ["TYP001"]);
    }

    #[test]
    fn profiles() {
        let config = Config::default();
        assert!(!codes(&[], Some(Profile::Ci), &config).contains(&"PAR003"));
        assert!(codes(&[], None, &config).contains(&"PAR003"));
        assert!(codes(&[], Some(Profile::Minimal), &config).contains(&"INT002"));
        assert!(!codes(&[], Some(Profile::Minimal), &config).contains(&"TYP001"));
        assert_eq!(
            codes(&["types"], Some(Profile::Minimal), &config).len(),
            codes(&["TYP*"], Some(Profile::Minimal), &config).len()
        );
    }

    #[test]
    fn on_for_one_schema_only() {
        let choice = |schemas: &str, on| Choice {
            rule: "TYP001".into(),
            schemas: schemas.into(),
            enabled: Some(on),
            ..Choice::default()
        };
        let config = Config::new(vec![choice("*", false), choice("new", true)]);
        assert!(codes(&[], None, &config).contains(&"TYP001"));
        let rule = rules::find("TYP001").unwrap();
        assert!(config.speaks(rule, "new") && !config.speaks(rule, "old"));
    }
}
