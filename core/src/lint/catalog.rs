//! The picture of the catalogs that rules look at: plain structures, filled once a call.
//! Fields are named as the catalogs name them where that reads well.

use crate::lint::scope::Scope;
use std::collections::{HashMap, HashSet};

pub type Oid = u32;

/// OIDs of built-in types; fixed in every version of PostgreSQL.
pub mod types {
    use super::Oid;
    pub const BOOL: Oid = 16;
    pub const INT8: Oid = 20;
    pub const INT2: Oid = 21;
    pub const INT4: Oid = 23;
    pub const TEXT: Oid = 25;
    pub const JSON: Oid = 114;
    pub const FLOAT4: Oid = 700;
    pub const FLOAT8: Oid = 701;
    pub const MONEY: Oid = 790;
    pub const BPCHAR: Oid = 1042;
    pub const VARCHAR: Oid = 1043;
    pub const DATE: Oid = 1082;
    pub const TIMESTAMP: Oid = 1114;
    pub const TIMESTAMPTZ: Oid = 1184;
    pub const UUID: Oid = 2950;

    /// Rank of an integer type by width; None for other types.
    pub fn integer_width(oid: Oid) -> Option<u8> {
        match oid {
            INT2 => Some(2),
            INT4 => Some(4),
            INT8 => Some(8),
            _ => None,
        }
    }

    /// The largest value of an integer type.
    pub fn integer_max(oid: Oid) -> Option<i64> {
        match oid {
            INT2 => Some(i64::from(i16::MAX)),
            INT4 => Some(i64::from(i32::MAX)),
            INT8 => Some(i64::MAX),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    /// Roles other than the owner that may create objects here; 0 is PUBLIC.
    pub creators: Vec<Oid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RelationKind {
    #[default]
    Table,
    PartitionedTable,
    ForeignTable,
    View,
    MaterializedView,
}

#[derive(Debug, Clone, Default)]
pub struct Relation {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    pub unlogged: bool,
    pub is_partition: bool,
    /// The partitioned table this is a partition of.
    pub parent: Option<Oid>,
    /// Has, or once had, inheritance children or partitions.
    pub has_subclass: bool,
    /// Made by CREATE TABLE OF: its columns belong to the type.
    pub typed: bool,
    pub row_security: bool,
    /// relreplident: d(efault), n(othing), f(ull), i(ndex).
    pub replica_identity: char,
    /// Planner's row estimate; negative when never analyzed.
    pub tuples: f64,
    pub pages: i64,
    /// `name=value`, as in reloptions.
    pub options: Vec<String>,
    pub partition_bound: Option<String>,
    /// l(ist), r(ange), h(ash).
    pub partition_strategy: Option<char>,
    /// Attribute numbers of the partition key; 0 is an expression.
    pub partition_key: Vec<i16>,
    pub attributes: Vec<Attribute>,
    pub constraints: Vec<Constraint>,
    pub indexes: Vec<Index>,
    pub triggers: Vec<Trigger>,
    pub policies: Vec<String>,
    /// For a DEFAULT partition: whether a row was seen in it, or why nobody could look.
    pub rows_seen: Option<Result<bool, String>>,
    /// Rules look at it: set by `Catalog::new`.
    pub linted: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Attribute {
    pub num: i16,
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    /// As format_type says it.
    pub type_name: String,
    pub collation: Oid,
    pub not_null: bool,
    pub has_default: bool,
    pub identity: bool,
    pub generated: bool,
    /// Comes from an inheritance parent, where it is reported.
    pub inherited: bool,
    /// A view, policy, trigger, function, publication or generated column names it, so
    /// ALTER COLUMN TYPE would be refused.
    pub type_pinned: bool,
    /// Type with domains resolved; set by `Catalog::new`.
    pub base_type: Oid,
    pub base_typmod: i32,
}

#[derive(Debug, Clone, Default)]
pub struct Constraint {
    pub oid: Oid,
    pub name: String,
    /// contype: p, u, f, c, x, n.
    pub kind: char,
    pub columns: Vec<i16>,
    pub ref_relation: Oid,
    pub ref_columns: Vec<i16>,
    /// The index that enforces it (p, u, x) or the one it refers to (f).
    pub index: Oid,
    pub validated: bool,
    pub enforced: bool,
    /// Made by the same constraint of a parent, where it is reported.
    pub inherited: bool,
    /// pg_get_constraintdef of a CHECK.
    pub definition: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IndexKey {
    /// 0 for an expression.
    pub attnum: i16,
    pub expression: Option<String>,
    pub opclass: Oid,
    pub collation: Oid,
    /// DESC and NULLS FIRST bits.
    pub option: i16,
}

#[derive(Debug, Clone, Default)]
pub struct Index {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub method: String,
    pub keys: Vec<IndexKey>,
    pub include: Vec<i16>,
    pub predicate: Option<String>,
    pub unique: bool,
    pub primary: bool,
    pub nulls_not_distinct: bool,
    pub valid: bool,
    pub ready: bool,
    pub clustered: bool,
    pub replica_identity: bool,
    /// Some key's operator class is not its type's default, or has options of its own.
    pub special_opclass: bool,
    /// Options of the operator classes, as text.
    pub opclass_options: Option<String>,
    /// reloptions or a tablespace of its own.
    pub special_storage: bool,
    /// Being built or rebuilt by somebody now.
    pub building: bool,
    /// Part of an index on the partitioned parent.
    pub is_partition: bool,
    pub pages: i64,
    pub scans: i64,
    /// A constraint of this table owns it: its name. Set by `Catalog::new`.
    pub constraint: Option<String>,
    /// A foreign key relies on it. Set by `Catalog::new`.
    pub referenced: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Trigger {
    pub oid: Oid,
    pub name: String,
    /// tgtype bits.
    pub bits: i16,
    pub enabled: bool,
    pub function: Oid,
    pub arguments: Vec<String>,
    /// Made by the same trigger of a partitioned parent.
    pub inherited: bool,
}

impl Trigger {
    pub fn row(&self) -> bool {
        self.bits & 1 != 0
    }
    pub fn before(&self) -> bool {
        self.bits & 2 != 0
    }
    pub fn after(&self) -> bool {
        self.bits & (2 | 64) == 0
    }
    pub fn on_insert(&self) -> bool {
        self.bits & 4 != 0
    }
    pub fn on_delete(&self) -> bool {
        self.bits & 8 != 0
    }
    pub fn on_update(&self) -> bool {
        self.bits & 16 != 0
    }
}

#[derive(Debug, Clone, Default)]
pub struct Function {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    pub language: String,
    /// pg_get_function_identity_arguments.
    pub arguments: String,
    pub security_definer: bool,
    /// `name=value`, as in proconfig.
    pub config: Vec<String>,
    /// Body of a trigger function.
    pub source: Option<String>,
    pub linted: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Sequence {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub maximum: i64,
    pub increment: i64,
    pub cycle: bool,
    /// Why the last value could not be read.
    pub unreadable: Option<String>,
    pub last_value: Option<i64>,
    /// Columns that own it or take their default from it.
    pub feeds: Vec<(Oid, i16)>,
    pub linted: bool,
}

/// pg_get_keywords() catcode of a word that cannot be any name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// R: reserved.
    Reserved,
    /// T: may name a function or type, nothing else.
    FunctionOrType,
}

#[derive(Debug, Clone, Default)]
pub struct Domain {
    pub base_type: Oid,
    pub typmod: i32,
    pub not_null: bool,
}

/// What a snapshot reads, before `Catalog::new` ties it together.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub database: String,
    /// As server_version_num.
    pub server_version: i32,
    /// now(), in microseconds since 1970-01-01 UTC.
    pub now: i64,
    /// Settings rules ask for.
    pub settings: HashMap<String, String>,
    pub keywords: HashMap<String, Keyword>,
    pub schemas: Vec<Schema>,
    pub relations: Vec<Relation>,
    pub functions: Vec<Function>,
    pub sequences: Vec<Sequence>,
    pub domains: HashMap<Oid, Domain>,
    /// OIDs of schemas, relations and functions that belong to an extension. OIDs are unique
    /// within a catalog only, hence one set each.
    pub member_schemas: HashSet<Oid>,
    pub member_relations: HashSet<Oid>,
    pub member_functions: HashSet<Oid>,
}

/// The facts with their cross references resolved and the scope marked.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    facts: Facts,
    by_oid: HashMap<Oid, usize>,
    function_by_oid: HashMap<Oid, usize>,
    /// Relation and constraint positions of the foreign keys that refer to a relation.
    referring: HashMap<Oid, Vec<(usize, usize)>>,
    partitions: HashMap<Oid, Vec<usize>>,
    sequence_by_column: HashMap<(Oid, i16), usize>,
    linted_schemas: HashSet<String>,
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
            r.linted = scope.has(&r.schema) && !facts.member_relations.contains(&r.oid);
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
        let by_oid = facts.relations.iter().enumerate().map(|(n, r)| (r.oid, n)).collect();
        let function_by_oid = facts.functions.iter().enumerate().map(|(n, f)| (f.oid, n)).collect();
        let linted_schemas = scope.into_names();
        Catalog { by_oid, function_by_oid, referring, partitions, sequence_by_column, linted_schemas, facts }
    }

    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        self.by_oid.get(&oid).and_then(|n| self.relations.get(*n))
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

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}

impl Relation {
    pub fn is_table(&self) -> bool {
        matches!(self.kind, RelationKind::Table | RelationKind::PartitionedTable)
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
