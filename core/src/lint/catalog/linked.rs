//! The facts tied together: who refers to whom, and what is looked at at all.

use crate::lint::catalog::*;
use crate::lint::rule::Rule;
use crate::lint::scope::{is_framework_table, Scope};
use crate::lint::sql::Named;
use crate::lint::text::only_not_null;

/// The facts with their cross references resolved and the scope marked.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    facts: Facts,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<String, Vec<usize>>,
    function_by_oid: HashMap<Oid, usize>,
    /// Relation and constraint positions of the foreign keys that refer to a relation.
    referring: HashMap<Oid, Vec<(usize, usize)>>,
    partitions: HashMap<Oid, Vec<usize>>,
    sequence_by_column: HashMap<(Oid, i16), usize>,
    linted_schemas: HashSet<String>,
    all_schemas: bool,
}

impl std::ops::Deref for Catalog {
    type Target = Facts;
    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl Catalog {
    /// `schemas`: only these are linted; None is all that `scope` does not leave out.
    pub fn new(mut facts: Facts, schemas: Option<&[String]>) -> Catalog {
        let scope = Scope::new(&facts, schemas);
        for s in &mut facts.sequences {
            s.linted = scope.has(&s.schema) && !facts.member_relations.contains(&s.oid);
        }
        for f in &mut facts.functions {
            f.linted = scope.has(&f.schema) && !facts.member_functions.contains(&f.oid);
        }
        let referenced: HashSet<Oid> = facts
            .relations
            .iter()
            .flat_map(|r| r.constraints.iter().filter(|c| c.kind == 'f').map(|c| c.index))
            .collect();
        for r in &mut facts.relations {
            r.linted =
                scope.has(&r.schema) && !facts.member_relations.contains(&r.oid) && !is_framework_table(r);
            for a in &mut r.attributes {
                resolve_domain(&facts.domains, a);
            }
            let owners: HashMap<Oid, &str> = r
                .constraints
                .iter()
                .filter(|c| matches!(c.kind, 'p' | 'u' | 'x'))
                .map(|c| (c.index, c.name.as_str()))
                .collect();
            for i in &mut r.indexes {
                i.constraint = owners.get(&i.oid).map(|n| (*n).to_owned());
                i.referenced = referenced.contains(&i.oid);
            }
        }
        let mut referring: HashMap<Oid, Vec<(usize, usize)>> = HashMap::new();
        let mut partitions: HashMap<Oid, Vec<usize>> = HashMap::new();
        for (n, r) in facts.relations.iter().enumerate() {
            if let Some(parent) = r.parent {
                partitions.entry(parent).or_default().push(n);
            }
            for (m, c) in r.constraints.iter().enumerate() {
                if c.kind == 'f' && !c.inherited {
                    referring.entry(c.ref_relation).or_default().push((n, m));
                }
            }
        }
        let sequence_by_column = facts
            .sequences
            .iter()
            .enumerate()
            .flat_map(|(n, s)| s.feeds.iter().map(move |f| (*f, n)))
            .collect();
        facts.read_comments();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (n, r) in facts.relations.iter().enumerate() {
            by_name.entry(r.name.clone()).or_default().push(n);
        }
        let by_oid = facts.relations.iter().enumerate().map(|(n, r)| (r.oid, n)).collect();
        let function_by_oid = facts.functions.iter().enumerate().map(|(n, f)| (f.oid, n)).collect();
        let linted_schemas = scope.into_names();
        Catalog {
            by_oid,
            by_name,
            function_by_oid,
            referring,
            partitions,
            sequence_by_column,
            linted_schemas,
            all_schemas: schemas.is_none(),
            facts,
        }
    }

    /// No schema was left out by the caller.
    pub fn all_schemas(&self) -> bool {
        self.all_schemas
    }

    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        self.by_oid.get(&oid).and_then(|n| self.relations.get(*n))
    }

    /// Relations that a text may mean by a name: without a schema, those of all schemas.
    pub fn called<'c>(&'c self, n: &'c Named) -> impl Iterator<Item = &'c Relation> {
        let all = self.by_name.get(&n.name).into_iter().flatten().filter_map(|i| self.relations.get(*i));
        all.filter(|r| n.schema.as_ref().is_none_or(|s| *s == r.schema))
    }

    pub fn function(&self, oid: Oid) -> Option<&Function> {
        self.function_by_oid.get(&oid).and_then(|n| self.functions.get(*n))
    }

    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.iter().find(|s| s.name == name)
    }

    pub fn linted_schemas(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.iter().filter(|s| self.linted_schemas.contains(&s.name))
    }

    /// Everything with columns that rules look at; partitions are seen through their parent.
    pub fn linted_relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(|r| r.linted && !r.is_partition)
    }

    /// Ordinary and partitioned tables that rules look at.
    pub fn tables(&self) -> impl Iterator<Item = &Relation> {
        self.linted_relations().filter(|r| r.is_table())
    }

    /// Columns of those tables, each where it is defined.
    pub fn columns(&self) -> impl Iterator<Item = (&Relation, &Attribute)> {
        self.tables().flat_map(|t| t.attributes.iter().map(move |a| (t, a))).filter(|(_, a)| !a.inherited)
    }

    /// Foreign keys of tables that rules look at; copies on partitions are left out.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (&Relation, &Constraint)> {
        self.tables()
            .flat_map(|t| t.constraints.iter().map(move |c| (t, c)))
            .filter(|(_, c)| c.kind == 'f' && !c.inherited)
    }

    /// Direct partitions of a partitioned table.
    pub fn partitions_of(&self, oid: Oid) -> impl Iterator<Item = &Relation> {
        self.partitions.get(&oid).into_iter().flatten().filter_map(|n| self.relations.get(*n))
    }

    /// The table at the top of a partition's tree; any other relation itself.
    pub fn root_of<'a>(&'a self, relation: &'a Relation) -> &'a Relation {
        let mut root = relation;
        while let Some(parent) = root.parent.and_then(|oid| self.relation(oid)) {
            root = parent;
        }
        root
    }

    /// The planner's estimate of a table's rows, those of its partitions together. None: never analyzed.
    pub fn rows(&self, t: &Relation) -> Option<f64> {
        if t.kind != RelationKind::PartitionedTable {
            return (t.tuples >= 0.0).then_some(t.tuples);
        }
        let known: Vec<f64> = self.partitions_of(t.oid).filter_map(|p| self.rows(p)).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }

    /// The sequence a column takes its values from.
    pub fn sequence_of(&self, relation: Oid, attnum: i16) -> Option<&Sequence> {
        self.sequence_by_column.get(&(relation, attnum)).and_then(|n| self.sequences.get(*n))
    }

    /// Foreign keys, wherever they are, that refer to this column.
    pub fn references_to(
        &self,
        relation: Oid,
        attnum: i16,
    ) -> impl Iterator<Item = (&Relation, &Constraint)> {
        self.referring
            .get(&relation)
            .into_iter()
            .flatten()
            .filter_map(|(r, c)| self.relations.get(*r).and_then(|r| r.constraints.get(*c).map(|c| (r, c))))
            .filter(move |(_, c)| c.ref_columns.contains(&attnum))
    }

    /// Whether foreign keys, its own ones too, refer to a table.
    pub fn is_referred_to(&self, relation: Oid) -> bool {
        self.referring.contains_key(&relation)
    }

    /// Policies that are in force on tables that rules look at.
    pub fn policies(&self) -> impl Iterator<Item = (&Relation, &Policy)> {
        self.tables().filter(|t| t.row_security).flat_map(|t| t.policies.iter().map(move |p| (t, p)))
    }

    /// A number of a rule: the user's, or the rule's own.
    pub fn param(&self, rule: &Rule, name: &str) -> f64 {
        let own = rule.params.iter().find(|p| p.name == name).map_or(0.0, |p| p.default);
        self.params.get(&(rule.code.to_owned(), name.to_owned())).copied().unwrap_or(own)
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}

impl Relation {
    pub fn is_table(&self) -> bool {
        matches!(self.kind, RelationKind::Table | RelationKind::PartitionedTable)
    }

    /// Whether the index compares each column by the column's own collation.
    pub fn plain_collations(&self, index: &Index) -> bool {
        let plain = |k: &IndexKey| self.attribute(k.attnum).is_none_or(|a| a.collation == k.collation);
        index.keys.iter().all(plain)
    }

    pub fn attribute(&self, num: i16) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.num == num)
    }

    pub fn column(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    pub fn names(&self, nums: &[i16]) -> Vec<&str> {
        nums.iter().filter_map(|n| self.attribute(*n)).map(|a| a.name.as_str()).collect()
    }

    /// An index by which rows are found by this column alone.
    pub fn finds_by(&self, column: i16) -> bool {
        let names = self.names(&[column]);
        self.indexes.iter().any(|i| {
            i.valid
                && matches!(i.method.as_str(), "btree" | "hash")
                && i.keys.first().is_some_and(|k| k.attnum == column)
                && i.predicate.as_deref().is_none_or(|p| only_not_null(p, &names))
        })
    }

    pub fn primary_key(&self) -> Option<&Constraint> {
        self.constraints.iter().find(|c| c.kind == 'p')
    }

    /// NOT NULL by the column, its domain, or a validated CHECK that says just that.
    pub fn never_null(&self, a: &Attribute) -> bool {
        let check = format!("CHECK (({} IS NOT NULL))", crate::quote::ident(&a.name));
        a.not_null
            || self
                .constraints
                .iter()
                .any(|c| c.kind == 'c' && c.validated && c.definition.as_deref() == Some(check.as_str()))
    }
}

fn resolve_domain(domains: &HashMap<Oid, Domain>, a: &mut Attribute) {
    (a.base_type, a.base_typmod) = (a.type_oid, a.typmod);
    while let Some(d) = domains.get(&a.base_type) {
        a.not_null |= d.not_null;
        (a.base_type, a.base_typmod) = (d.base_type, d.typmod);
    }
}
