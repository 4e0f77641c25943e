//! Which rules run for whom, when nobody names rules.

use crate::lint::config::{Config, How};
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
            Profile::Minimal | Profile::Ci => rule.reads.iter().all(|s| matches!(s, Section::View)),
            Profile::Recommended | Profile::Strict => {
                let strict = self == Profile::Strict;
                let looks = |s: &Section| matches!(s, Section::Rows | Section::Samples | Section::View);
                rule.reads.iter().all(|s| looks(s) || (strict && *s == Section::Bodies))
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
    fn rules<'r>(self, all: &[&'r Rule], config: &Config) -> Vec<(&'r Rule, How)> {
        let how = |rule: &'r Rule| {
            // what somebody switched on runs, but where there is nothing it could read
            let possible = self.reaches(rule) || !matches!(self, Profile::Minimal | Profile::Ci);
            let everywhere = config.enabled(rule).unwrap_or_else(|| self.has(rule));
            let how = if everywhere { How::Everywhere } else { How::WhereOn };
            (possible && (everywhere || config.somewhere(rule))).then_some((rule, how))
        };
        all.iter().filter_map(|rule| how(rule)).collect()
    }
}

/// The rules to run: words choose among those of the profile, or among all recommended ones when
/// no profile is given; a rule named by its code or name runs in any case.
pub fn chosen<'r>(
    all: &[&'r Rule],
    words: Option<&[String]>,
    profile: Option<Profile>,
    config: &Config,
) -> Result<Vec<(&'r Rule, How)>, Unknown> {
    let Some(words) = words else { return Ok(profile.unwrap_or_default().rules(all, config)) };
    let leaving_out = words.first().is_some_and(|w| w.starts_with('-'));
    let among = match profile {
        None if leaving_out => Profile::default().rules(all, config),
        Some(profile) => profile.rules(all, config),
        None => Profile::Production.rules(all, config),
    };
    let named = |rule: &Rule| {
        let names =
            |w: &String| w != rule.category.as_str() && !w.starts_with('-') && !w.contains(['*', '?']);
        words.iter().any(|w| names(w) && means(w, rule))
    };
    let how = |rule: &'r Rule| match named(rule) {
        true => Some((rule, How::Named)),
        false => among.iter().find(|(r, _)| r.code == rule.code).copied(),
    };
    Ok(select(all, Some(words))?.into_iter().filter_map(how).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::config::Choice;
    use crate::lint::rules;

    fn codes(words: &[&str], profile: Option<Profile>, config: &Config) -> Vec<&'static str> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let words = (!words.is_empty()).then_some(words.as_slice());
        chosen(&rules::all(), words, profile, config).unwrap().iter().map(|(r, _)| r.code).collect()
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
        let how = chosen(&rules::all(), None, None, &config).unwrap();
        let how = how.iter().find(|(r, _)| r.code == "TYP001").unwrap().1;
        assert!(config.speaks(rule, "new", how) && !config.speaks(rule, "old", how));
        // and where the profile has it not at all
        let config = Config::new(vec![choice("new", true)]);
        let minimal = chosen(&rules::all(), None, Some(Profile::Minimal), &config).unwrap();
        let how = minimal.iter().find(|(r, _)| r.code == "TYP001").unwrap().1;
        assert!(config.speaks(rule, "new", how) && !config.speaks(rule, "old", how));
    }
}
