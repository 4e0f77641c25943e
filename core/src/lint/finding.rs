//! What a rule hands back.

use crate::lint::catalog::{
    Attribute, Constraint, Function, Index, Oid, Policy, Relation, RelationKind, Schema, Sequence, Trigger,
};
use crate::quote::{ident, qualified};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub enum Severity {
    #[default]
    Info,
    Warning,
    Error,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// What running the fix costs or risks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Blocks neither readers nor writers.
    Online,
    /// Needs a strong lock, but only for a moment.
    BriefLock,
    /// Reads or rewrites the whole table under a strong lock.
    Rewrite,
    /// Changes what the application sees: look before running.
    Review,
}

impl Safety {
    pub fn as_str(self) -> &'static str {
        match self {
            Safety::Online => "online",
            Safety::BriefLock => "brief_lock",
            Safety::Rewrite => "rewrite",
            Safety::Review => "review",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Fix {
    /// Complete statements. Those with CONCURRENTLY stand alone, since they cannot share a
    /// transaction with another.
    pub sql: String,
    pub safety: Safety,
    pub undo: Option<String>,
    /// What `sql` begins with, where other fixes may begin with it too: a script says it once.
    pub first: Option<String>,
}

impl Fix {
    pub fn new(sql: impl Into<String>, safety: Safety) -> Fix {
        Fix { sql: sql.into(), safety, undo: None, first: None }
    }

    /// A statement that has to come before, which other fixes may need too.
    pub fn after(mut self, first: impl Into<String>) -> Fix {
        let first = first.into();
        self.sql = format!("{first}\n{}", self.sql);
        self.first = Some(first);
        self
    }

    pub fn undo(mut self, sql: impl Into<String>) -> Fix {
        self.undo = Some(sql.into());
        self
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub kind: &'static str,
    /// Empty for the database itself.
    pub schema: String,
    /// Quoted and qualified.
    pub identity: String,
    pub oid: Oid,
}

impl Object {
    pub fn database(name: &str) -> Object {
        Object { kind: "database", schema: String::new(), identity: ident(name), oid: 0 }
    }
}

impl Schema {
    pub fn object(&self) -> Object {
        Object { kind: "schema", schema: self.name.clone(), identity: ident(&self.name), oid: self.oid }
    }
}

impl Relation {
    pub fn sql_name(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// As object_type says it.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            RelationKind::Table | RelationKind::PartitionedTable => "table",
            RelationKind::ForeignTable => "foreign table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
        }
    }

    pub fn object(&self) -> Object {
        let kind = self.kind_name();
        Object { kind, schema: self.schema.clone(), identity: self.sql_name(), oid: self.oid }
    }

    fn part(&self, kind: &'static str, name: &str, oid: Oid) -> Object {
        let identity = format!("{}.{}", self.sql_name(), ident(name));
        Object { kind, schema: self.schema.clone(), identity, oid }
    }

    /// objid of a column is its table's.
    pub fn column_object(&self, a: &Attribute) -> Object {
        self.part("column", &a.name, self.oid)
    }

    pub fn constraint_object(&self, c: &Constraint) -> Object {
        self.part("constraint", &c.name, c.oid)
    }

    pub fn policy_object(&self, p: &Policy) -> Object {
        self.part("policy", &p.name, p.oid)
    }

    pub fn trigger_object(&self, t: &Trigger) -> Object {
        self.part("trigger", &t.name, t.oid)
    }
}

impl Index {
    pub fn sql_name(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    pub fn object(&self) -> Object {
        Object { kind: "index", schema: self.schema.clone(), identity: self.sql_name(), oid: self.oid }
    }
}

impl Function {
    pub fn object(&self) -> Object {
        let identity = format!("{}({})", qualified(&self.schema, &self.name), self.arguments);
        Object { kind: "function", schema: self.schema.clone(), identity, oid: self.oid }
    }
}

impl Sequence {
    pub fn object(&self) -> Object {
        let identity = qualified(&self.schema, &self.name);
        Object { kind: "sequence", schema: self.schema.clone(), identity, oid: self.oid }
    }
}

#[derive(Debug, Clone)]
pub struct Finding {
    pub object: Object,
    pub message: String,
    /// None is the rule's own.
    pub severity: Option<Severity>,
    /// What makes this finding the same one next time, beside the rule: names, never OIDs. The
    /// object's identity, unless the object has a name that may change without the matter changing.
    pub key: String,
    pub fix: Option<Fix>,
    pub confidence: f32,
    pub evidence: Map<String, Value>,
}

impl Finding {
    pub fn new(object: Object, message: impl Into<String>) -> Finding {
        let key = object.identity.clone();
        Finding {
            object,
            message: message.into(),
            severity: None,
            key,
            fix: None,
            confidence: 1.0,
            evidence: Map::new(),
        }
    }

    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = Some(severity);
        self
    }

    /// For an index or constraint: its table and columns, so that renaming it does not reopen the finding.
    pub fn key(mut self, relation: &Relation, discriminator: &str) -> Finding {
        self.key = format!("{}|{discriminator}", relation.sql_name());
        self
    }

    pub fn fix(mut self, fix: impl Into<Option<Fix>>) -> Finding {
        self.fix = fix.into();
        self
    }

    pub fn confidence(mut self, confidence: f32) -> Finding {
        self.confidence = confidence;
        self
    }

    pub fn evidence(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }
}

/// Something a rule wanted to look at and could not.
#[derive(Debug, Clone)]
pub struct Skipped {
    pub object: Object,
    pub reason: String,
}

/// All that one rule has to say.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub skipped: Vec<Skipped>,
    /// How many objects the rule could have objected to, by kind, for a rule about several kinds of
    /// objects, and by schema ('' for the database).
    pub examined: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

impl Report {
    pub fn examine(&mut self, schema: &str) {
        self.examine_kind(schema, "");
    }

    pub fn examine_kind(&mut self, schema: &str, kind: &'static str) {
        let schemas = self.examined.entry(kind).or_default();
        // mostly it is there: no copy of the name then
        match schemas.get_mut(schema) {
            Some(n) => *n += 1,
            None => _ = schemas.insert(schema.to_owned(), 1),
        }
    }

    /// How many objects like this one were looked at.
    pub fn examined_like(&self, object: &Object) -> usize {
        let of = |kind| self.examined.get(kind).and_then(|schemas| schemas.get(&object.schema));
        of(object.kind).or_else(|| of("")).copied().unwrap_or(0)
    }

    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub fn skip(&mut self, object: Object, reason: impl Into<String>) {
        self.skipped.push(Skipped { object, reason: reason.into() });
    }

    pub fn examined_total(&self) -> usize {
        self.examined.values().flat_map(BTreeMap::values).sum()
    }
}
