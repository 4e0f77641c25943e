//! Rules of the user's own: a view whose rows are the findings.

use crate::lint::catalog::{Catalog, Oid};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{Category, Rollup, Rule, Section};
use crate::lint::rules;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// A row of dbguard.lint_registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Definition {
    pub code: String,
    /// The name of the view, which is the rule's.
    pub name: String,
    pub category: Category,
    pub severity: Severity,
    pub title: String,
    pub why: String,
    pub remedy: String,
}

thread_local! {
    /// Findings, reports and configuration refer to rules that live as long as the program. So a
    /// definition becomes one once, and stays: what a session ever saw registered, a few hundred bytes each.
    static KNOWN: RefCell<HashMap<Definition, &'static Rule>> = RefCell::new(HashMap::new());
}

impl Definition {
    pub fn rule(self) -> &'static Rule {
        KNOWN
            .with_borrow_mut(|known| *known.entry(self).or_insert_with_key(|d| Box::leak(Box::new(d.form()))))
    }

    fn form(&self) -> Rule {
        fn keep(text: &str) -> &'static str {
            Box::leak(text.to_owned().into_boxed_str())
        }
        Rule {
            code: keep(&self.code),
            name: keep(&self.name),
            category: self.category,
            severity: self.severity,
            title: keep(&self.title),
            why: keep(&self.why),
            bad: "",
            good: "",
            remedy: keep(&self.remedy),
            peers: "",
            hides: &[],
            rollup: Rollup::NEVER,
            reads: &[Section::View],
            params: &[],
            recommended: true,
            // the view says it
            check: |_, _| {},
            fires: &[],
            silent: &[],
        }
    }
}

/// Why a code cannot be one of the user's own: it must never be a later rule of ours.
pub fn code_fault(code: &str) -> Option<String> {
    let letters = |code: &str| code.chars().take_while(char::is_ascii_uppercase).collect::<String>();
    let form = code.starts_with(|c: char| c.is_ascii_uppercase())
        && (3..=32).contains(&code.len())
        && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let ours = rules::all().into_iter().map(|r| letters(r.code)).chain(["MIG".to_owned()]);
    if !form {
        return Some(
            "A code is 3 to 32 capital letters, digits and underscores, and begins with a letter.".to_owned(),
        );
    }
    ours.collect::<HashSet<_>>()
        .contains(&letters(code))
        .then(|| format!("Codes that begin with {} are dbguard's own.", letters(code)))
}

/// A row of the view.
#[derive(Debug, Default)]
pub struct Said {
    pub relation: Option<Oid>,
    pub attribute: Option<String>,
    pub function: Option<Oid>,
    pub message: Option<String>,
    pub severity: Option<String>,
    pub fix_sql: Option<String>,
    pub key: Option<String>,
    pub confidence: Option<f64>,
    /// All other columns.
    pub details: Map<String, Value>,
}

/// What the rows of a view say, of objects that lint looks at; of a partition through its parent.
pub fn judge(catalog: &Catalog, rule: &Rule, rows: Vec<Said>, out: &mut Report) {
    for table in catalog.tables() {
        out.examine(&table.schema);
    }
    let others = Others::new(catalog);
    let mut told = HashSet::new();
    for said in rows {
        let Some(object) = others.object(&said) else { continue };
        let message = said.message.unwrap_or_else(|| rule.title.to_owned());
        // two partitions, one parent
        if !told.insert((object.kind, object.identity.clone(), message.clone(), said.key.clone())) {
            continue;
        }
        let severity = match said.severity.as_deref() {
            None => rule.severity,
            Some(text) => match Severity::parse(text) {
                Some(severity) => severity,
                None => {
                    out.skip(
                        object,
                        format!("its view says the severity \"{text}\": there are info, warning, error"),
                    );
                    continue;
                }
            },
        };
        let mut finding = Finding::new(object, message)
            .severity(severity)
            .fix(said.fix_sql.map(|sql| Fix::new(sql, Safety::Review)))
            .confidence(said.confidence.map_or(1.0, |c| c.clamp(0.0, 1.0) as f32));
        if let Some(key) = said.key {
            finding.key = format!("{}|{key}", finding.key);
        }
        finding.evidence = said.details;
        out.find(finding);
    }
}

/// Objects by OID, beside those that a catalog finds itself.
struct Others<'c> {
    catalog: &'c Catalog,
    relations: HashMap<Oid, Object>,
}

impl<'c> Others<'c> {
    fn new(catalog: &'c Catalog) -> Others<'c> {
        let linted = || catalog.relations.iter().filter(|r| r.linted);
        let indexes = linted().flat_map(|r| &r.indexes).map(|i| (i.oid, i.object()));
        let sequences = catalog.sequences.iter().filter(|s| s.linted).map(|s| (s.oid, s.object()));
        Others { catalog, relations: indexes.chain(sequences).collect() }
    }

    /// None: nothing that this run looks at. Without any OID it is about the database.
    fn object(&self, said: &Said) -> Option<Object> {
        if let Some(oid) = said.function.filter(|_| said.relation.is_none()) {
            return self.catalog.function(oid).filter(|f| f.linted).map(|f| f.object());
        }
        let Some(oid) = said.relation else { return Some(Object::database(&self.catalog.database)) };
        let Some(relation) = self.catalog.relation(oid) else { return self.relations.get(&oid).cloned() };
        let root = self.catalog.root_of(relation);
        let column =
            said.attribute.as_ref().and_then(|name| root.attributes.iter().find(|a| a.name == *name));
        root.linted.then(|| column.map_or_else(|| root.object(), |a| root.column_object(a)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(code_fault("ACME001"), None);
        assert_eq!(code_fault("OUR_ORDERS_7"), None);
        assert!(code_fault("INT001").is_some_and(|why| why.contains("INT")));
        assert!(
            code_fault("SEC999").is_some() && code_fault("MIG1").is_some() && code_fault("DBG_1").is_some()
        );
        for bad in ["", "A", "AB", "acme001", "ACME 1", "1ACME", "ACME*", "ÄCME1", &"A".repeat(33)] {
            assert!(code_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_definition_is_one_rule() {
        let definition = |title: &str| Definition {
            code: "ACME001".into(),
            name: "v".into(),
            category: Category::Own,
            severity: Severity::Warning,
            title: title.into(),
            why: String::new(),
            remedy: String::new(),
        };
        assert!(std::ptr::eq(definition("a").rule(), definition("a").rule()));
        assert_eq!(definition("b").rule().title, "b");
    }
}
