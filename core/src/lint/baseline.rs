//! What was found at one time, to be compared with what is found later. Its JSON is the file that
//! a project keeps beside its migrations.

use crate::lint::engine::{Row, Run, Status};
use serde_json::{json, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub fingerprint: String,
    pub code: String,
    pub severity: String,
    pub object: String,
    pub message: String,
    /// How many findings it stands for.
    pub affected: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// Codes of the rules that looked.
    pub rules: BTreeSet<String>,
    pub findings: Vec<Found>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    New,
    Fixed,
    /// In the baseline, but its rule was not run or could not look.
    NotChecked,
}

impl Change {
    pub fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Fixed => "fixed",
            Change::NotChecked => "not checked",
        }
    }
}

impl Baseline {
    /// What is open in a run. Rules that skipped something count as not having looked.
    pub fn of(run: &Run) -> Baseline {
        let skipped: HashSet<&str> =
            run.rows.iter().filter(|r| r.status == Status::Skipped).map(|r| r.rule.code).collect();
        let looked = run.examined.iter().map(|e| e.rule.code).filter(|c| !skipped.contains(c));
        let open = run.rows.iter().filter(|r| matches!(r.status, Status::Open | Status::Accepted));
        Baseline { rules: looked.map(str::to_owned).collect(), findings: open.map(found).collect() }
    }

    /// By fingerprint, how many findings each stands for.
    pub fn accepted(&self) -> HashMap<String, usize> {
        self.findings.iter().map(|f| (f.fingerprint.clone(), f.affected)).collect()
    }

    /// What changed since, new things first.
    pub fn changes(&self, now: &Baseline) -> Vec<(Change, Found)> {
        let before = self.accepted();
        let present = now.accepted();
        let new = |f: &&Found| before.get(&f.fingerprint).is_none_or(|n| f.affected > *n);
        let gone = self.findings.iter().filter(|f| !present.contains_key(&f.fingerprint)).map(|f| {
            let looked = now.rules.contains(&f.code);
            (if looked { Change::Fixed } else { Change::NotChecked }, f.clone())
        });
        let mut changes: Vec<(Change, Found)> =
            now.findings.iter().filter(new).map(|f| (Change::New, f.clone())).chain(gone).collect();
        changes.sort_by(|a, b| {
            (a.0, &a.1.code, &a.1.object, &a.1.fingerprint).cmp(&(
                b.0,
                &b.1.code,
                &b.1.object,
                &b.1.fingerprint,
            ))
        });
        changes
    }

    pub fn to_json(&self) -> Value {
        let mut findings: Vec<&Found> = self.findings.iter().collect();
        findings
            .sort_by(|a, b| (&a.code, &a.object, &a.fingerprint).cmp(&(&b.code, &b.object, &b.fingerprint)));
        let findings: Vec<Value> = findings
            .into_iter()
            .map(|f| {
                json!({"fingerprint": f.fingerprint, "code": f.code, "severity": f.severity,
                       "object": f.object, "message": f.message, "affected": f.affected})
            })
            .collect();
        json!({"version": 1, "rules": self.rules, "findings": findings})
    }

    /// Or why it is no baseline.
    pub fn parse(value: &Value) -> Result<Baseline, String> {
        if value.get("version").and_then(Value::as_u64) != Some(1) {
            return Err("\"version\" is not 1".to_owned());
        }
        let list = |name: &str| {
            value.get(name).and_then(Value::as_array).ok_or_else(|| format!("\"{name}\" is no list"))
        };
        let rules = list("rules")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let findings = list("findings")?.iter().map(parse_found).collect::<Result<_, _>>()?;
        Ok(Baseline { rules, findings })
    }
}

fn found(row: &Row) -> Found {
    Found {
        fingerprint: row.fingerprint.clone(),
        code: row.rule.code.to_owned(),
        severity: row.severity.as_str().to_owned(),
        object: row.object.identity.clone(),
        message: row.message.clone(),
        affected: row.affected,
    }
}

fn parse_found(value: &Value) -> Result<Found, String> {
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("a finding lacks \"{name}\""))
    };
    let affected = value.get("affected").and_then(Value::as_u64).unwrap_or(1);
    Ok(Found {
        fingerprint: text("fingerprint")?,
        code: text("code")?,
        severity: text("severity")?,
        object: text("object")?,
        message: text("message")?,
        affected: usize::try_from(affected).unwrap_or(usize::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fingerprint: &str, code: &str, affected: usize) -> Found {
        let text = || "x".to_owned();
        Found {
            fingerprint: fingerprint.into(),
            code: code.into(),
            severity: text(),
            object: text(),
            message: text(),
            affected,
        }
    }

    fn baseline(rules: &[&str], findings: &[Found]) -> Baseline {
        Baseline { rules: rules.iter().map(|r| (*r).to_owned()).collect(), findings: findings.to_vec() }
    }

    #[test]
    fn what_changed() {
        let before = baseline(
            &["A", "B", "C"],
            &[found("1", "A", 1), found("2", "B", 1), found("3", "C", 20), found("6", "C", 30)],
        );
        let now = baseline(&["A", "C"], &[found("3", "C", 21), found("4", "C", 1), found("6", "C", 29)]);
        let changes: Vec<(Change, String)> =
            before.changes(&now).into_iter().map(|(c, f)| (c, f.fingerprint)).collect();
        let wanted =
            [(Change::New, "3"), (Change::New, "4"), (Change::Fixed, "1"), (Change::NotChecked, "2")];
        assert_eq!(changes, wanted.map(|(c, f)| (c, f.to_owned())));
    }

    #[test]
    fn json_and_back() {
        let one = baseline(&["A"], &[found("1", "A", 3)]);
        assert_eq!(Baseline::parse(&one.to_json()), Ok(one));
        assert!(Baseline::parse(&json!([])).is_err());
        assert!(Baseline::parse(&json!({"version": 1, "rules": [], "findings": [{"code": "A"}]})).is_err());
    }
}
