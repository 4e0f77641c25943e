//! What was found at one time, to be compared with what is found later. Its JSON is the file that
//! a project keeps beside its migrations.

use crate::lint::engine::{Row, Run, Status};
use crate::lint::rule::Section;
use serde_json::{json, Value};
use std::collections::HashSet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub fingerprint: String,
    pub code: String,
    pub severity: String,
    pub object: String,
    /// Of the object; '' is the database.
    pub schema: String,
    pub message: String,
    /// The fingerprints of what it stands for, where that is several findings.
    pub members: Vec<String>,
}

impl Found {
    fn stands_for(&self) -> &[String] {
        match self.members.is_empty() {
            true => std::slice::from_ref(&self.fingerprint),
            false => &self.members,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    pub findings: Vec<Found>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    New,
    Fixed,
    /// In the baseline, but its rule was not run, or not on its schema, or could not look.
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
    /// What is open in a run.
    pub fn of(run: &Run) -> Baseline {
        let open = run.rows.iter().filter(|r| matches!(r.status, Status::Open | Status::Accepted));
        Baseline { findings: open.map(found).collect() }
    }

    /// All fingerprints, those behind a convention too.
    pub fn accepted(&self) -> HashSet<String> {
        self.findings.iter().flat_map(Found::stands_for).cloned().collect()
    }

    /// What changed since, new things first. `looked`: whether the later run looked for such a thing.
    pub fn changes(&self, now: &Baseline, looked: impl Fn(&Found) -> bool) -> Vec<(Change, Found)> {
        let (before, present) = (self.accepted(), now.accepted());
        let new = now.findings.iter().filter(|f| f.stands_for().iter().any(|m| !before.contains(m)));
        let gone = self.findings.iter().filter(|f| f.stands_for().iter().all(|m| !present.contains(m)));
        let gone = gone.map(|f| (if looked(f) { Change::Fixed } else { Change::NotChecked }, f.clone()));
        let mut changes: Vec<(Change, Found)> = new.map(|f| (Change::New, f.clone())).chain(gone).collect();
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

    /// Takes out what is no longer found, also from conventions. Returns how many findings that were.
    pub fn prune(&mut self, now: &Baseline, looked: impl Fn(&Found) -> bool) -> usize {
        let present = now.accepted();
        let before = self.findings.len();
        self.findings.retain(|f| !looked(f) || f.stands_for().iter().any(|m| present.contains(m)));
        for f in self.findings.iter_mut().filter(|f| looked(f)) {
            f.members.retain(|m| present.contains(m));
        }
        before - self.findings.len()
    }

    pub fn to_json(&self) -> Value {
        let mut findings: Vec<&Found> = self.findings.iter().collect();
        findings
            .sort_by(|a, b| (&a.code, &a.object, &a.fingerprint).cmp(&(&b.code, &b.object, &b.fingerprint)));
        let findings: Vec<Value> = findings
            .into_iter()
            .map(|f| {
                json!({"fingerprint": f.fingerprint, "code": f.code, "severity": f.severity,
                       "object": f.object, "schema": f.schema, "message": f.message, "members": f.members})
            })
            .collect();
        json!({"version": 1, "findings": findings})
    }

    /// Or why it is no baseline.
    pub fn parse(value: &Value) -> Result<Baseline, String> {
        if value.get("version").and_then(Value::as_u64) != Some(1) {
            return Err("\"version\" is not 1".to_owned());
        }
        let findings = value.get("findings").and_then(Value::as_array).ok_or("\"findings\" is no list")?;
        Ok(Baseline { findings: findings.iter().map(parse_found).collect::<Result<_, _>>()? })
    }
}

/// Who may read a baseline may not be one who may see sessions, statements or values: of rules that
/// read them it keeps the title only.
fn found(row: &Row) -> Found {
    Found {
        fingerprint: row.fingerprint.clone(),
        code: row.rule.code.to_owned(),
        severity: row.severity.as_str().to_owned(),
        object: row.object.identity.clone(),
        schema: row.object.schema.clone(),
        message: match row.rule.reads.iter().all(|s| *s == Section::Rows) {
            true => row.message.clone(),
            false => row.rule.title.to_owned(),
        },
        members: row.members.clone(),
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
    let members = value.get("members").and_then(Value::as_array);
    let members = members.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Found {
        fingerprint: text("fingerprint")?,
        code: text("code")?,
        severity: text("severity")?,
        object: text("object")?,
        schema: text("schema")?,
        message: text("message")?,
        members,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fingerprint: &str, code: &str, members: &[&str]) -> Found {
        let text = || "x".to_owned();
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        Found {
            fingerprint: fingerprint.into(),
            code: code.into(),
            severity: text(),
            object: text(),
            schema: text(),
            message: text(),
            members,
        }
    }

    fn baseline(findings: &[Found]) -> Baseline {
        Baseline { findings: findings.to_vec() }
    }

    #[test]
    fn what_changed() {
        let before = [
            found("1", "A", &[]),
            found("2", "B", &[]),
            found("3", "C", &["a", "b"]),
            found("6", "C", &["d", "e"]),
        ];
        // of one convention single findings are left, the other has a new member
        let now = [found("a", "C", &[]), found("4", "C", &[]), found("6", "C", &["d", "e", "f"])];
        let looked = |f: &Found| f.code != "B";
        let changes = baseline(&before).changes(&baseline(&now), looked);
        let changes: Vec<(Change, &str)> =
            changes.iter().map(|(c, f)| (*c, f.fingerprint.as_str())).collect();
        assert_eq!(
            changes,
            [(Change::New, "4"), (Change::New, "6"), (Change::Fixed, "1"), (Change::NotChecked, "2")]
        );
        let mut pruned = baseline(&before);
        assert_eq!(pruned.prune(&baseline(&now), looked), 1);
        let left = [found("2", "B", &[]), found("3", "C", &["a"]), found("6", "C", &["d", "e"])];
        assert_eq!(pruned.findings, left);
    }

    #[test]
    fn json_and_back() {
        let one = baseline(&[found("1", "A", &["x"])]);
        assert_eq!(Baseline::parse(&one.to_json()), Ok(one));
        assert!(Baseline::parse(&json!([])).is_err());
        assert!(Baseline::parse(&json!({"version": 1, "findings": [{"code": "A"}]})).is_err());
    }
}
