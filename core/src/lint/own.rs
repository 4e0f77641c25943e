//! Rules of the user's own: a view whose rows are the findings.

use crate::lint::catalog::{Catalog, Oid, Relation};
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
    let places = Places::new(catalog);
    let mut told = HashSet::new();
    for said in rows {
        let Some(place) = places.find(&said) else { continue };
        // what is said of many partitions is said of their parent once
        let same = (
            place.object.oid,
            said.attribute.clone(),
            said.message.clone(),
            said.severity.clone(),
            said.key.clone(),
        );
        if place.of_partition && !told.insert(same) {
            continue;
        }
        match finding(rule, &place, said) {
            Ok(finding) => out.find(finding),
            Err(why) => out.skip(place.object, why),
        }
    }
}

/// Or why the row cannot be told.
fn finding(rule: &Rule, place: &Place, said: Said) -> Result<Finding, String> {
    let severity = match said.severity.as_deref() {
        None => rule.severity,
        Some(text) => Severity::parse(text).ok_or_else(|| {
            format!("its view says the severity \"{text}\": there are info, warning, error")
        })?,
    };
    let object = match said.attribute {
        None => place.object.clone(),
        Some(name) => place
            .relation
            .and_then(|r| r.attributes.iter().find(|a| a.name == name).map(|a| r.column_object(a)))
            .ok_or_else(|| format!("its view names the attribute \"{name}\", which there is not"))?,
    };
    let message = said.message.unwrap_or_else(|| rule.title.to_owned());
    let confidence = said.confidence.filter(|c| !c.is_nan()).map_or(1.0, |c| c.clamp(0.0, 1.0));
    let mut finding = Finding::new(object, message)
        .severity(severity)
        .fix(said.fix_sql.and_then(|sql| fix(&sql)))
        .confidence(confidence as f32);
    if let Some(key) = said.key {
        finding.key = format!("{}|{key}", finding.key);
    }
    finding.evidence = said.details;
    Ok(finding)
}

/// Whole statements, that others may follow.
fn fix(sql: &str) -> Option<Fix> {
    let sql = sql.trim();
    // the last line may end with a comment
    let end = match sql.lines().last() {
        Some(line) if line.contains("--") => "\n;",
        Some(line) if line.ends_with(';') => "",
        _ => ";",
    };
    (!sql.is_empty()).then(|| Fix::new(format!("{sql}{end}"), Safety::Review))
}

/// What a row is about.
#[derive(Clone)]
struct Place<'c> {
    object: Object,
    /// The object is a table or view.
    relation: Option<&'c Relation>,
    /// It was said of a partition of it.
    of_partition: bool,
}

/// Objects by OID: those that a catalog does not find by itself, too.
struct Places<'c> {
    catalog: &'c Catalog,
    parts: HashMap<Oid, Place<'c>>,
}

impl<'c> Places<'c> {
    fn new(catalog: &'c Catalog) -> Places<'c> {
        let place = |object| Place { object, relation: None, of_partition: false };
        let mut parts = HashMap::new();
        for r in catalog.relations.iter().filter(|r| r.linted) {
            for i in &r.indexes {
                let here = if r.is_partition { Places::of_table(catalog, r) } else { place(i.object()) };
                parts.insert(i.oid, here);
            }
        }
        let sequences = catalog.sequences.iter().filter(|s| s.linted);
        parts.extend(sequences.map(|s| (s.oid, place(s.object()))));
        Places { catalog, parts }
    }

    fn of_table(catalog: &'c Catalog, relation: &'c Relation) -> Place<'c> {
        let root = catalog.root_of(relation);
        Place { object: root.object(), relation: Some(root), of_partition: root.oid != relation.oid }
    }

    /// None: nothing that this run looks at. Without any OID it is about the database.
    fn find(&self, said: &Said) -> Option<Place<'c>> {
        let place = |object| Place { object, relation: None, of_partition: false };
        match (said.relation, said.function) {
            (Some(oid), _) => match self.catalog.relation(oid) {
                Some(relation) => Some(Places::of_table(self.catalog, relation))
                    .filter(|p| p.relation.is_some_and(|r| r.linted)),
                None => self.parts.get(&oid).cloned(),
            },
            (None, Some(oid)) => self.catalog.function(oid).filter(|f| f.linted).map(|f| place(f.object())),
            (None, None) => Some(place(Object::database(&self.catalog.database))),
        }
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
