//! The picture of the catalogs that rules look at: plain structures, filled once a call.
//! Fields are named as the catalogs name them where that reads well.

use crate::lint::ignore::Ignore;
use crate::lint::rule::Rule;
use std::collections::{HashMap, HashSet};

mod access;
mod checked;
pub mod cluster;
mod collation;
mod doors;
mod functions;
mod ignored;
mod index;
mod linked;
mod samples;
pub mod statistics;
pub mod types;
mod workload;

pub use access::{Grant, Note, Policy, Role, PUBLIC};
pub use checked::{BodyError, Checked};
pub use cluster::Cluster;
pub use collation::CollationVersion;
pub use doors::{Door, Doors};
pub use functions::{Function, FunctionUse, Parameter};
pub use ignored::{means_all, Comment};
pub use index::{Index, IndexKey};
pub use linked::Catalog;
pub use samples::Sample;
pub use statistics::Statistics;
pub use workload::Statement;

pub type Oid = u32;

#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    /// Roles that may create objects here, the owner among them unless it is a superuser; 0 is PUBLIC.
    pub creators: Vec<Oid>,
    /// PUBLIC has USAGE: whoever connects may name what is in it.
    pub open: bool,
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
    /// Policies bind the owner too.
    pub force_row_security: bool,
    pub owner: Oid,
    /// relreplident: d(efault), n(othing), f(ull), i(ndex).
    pub replica_identity: char,
    /// Planner's row estimate; negative when never analyzed.
    pub tuples: f64,
    pub pages: i64,
    /// Pages of its TOAST table.
    pub toast_pages: i64,
    /// `name=value`, as in reloptions.
    pub options: Vec<String>,
    pub partition_bound: Option<String>,
    /// l(ist), r(ange), h(ash).
    pub partition_strategy: Option<char>,
    /// Attribute numbers of the partition key; 0 is an expression.
    pub partition_key: Vec<i16>,
    pub partition_collations: Vec<Oid>,
    /// How many attribute numbers were given out; those of dropped columns are never used again.
    pub numbers_used: i16,
    pub attributes: Vec<Attribute>,
    pub constraints: Vec<Constraint>,
    pub indexes: Vec<Index>,
    pub triggers: Vec<Trigger>,
    pub policies: Vec<Policy>,
    /// What others than the owner may do.
    pub grants: Vec<Grant>,
    /// Relations the query of a view or materialized view names.
    pub reads: Vec<Oid>,
    /// A view that joins, groups, or otherwise does more than choose among columns and rows of one relation.
    pub combines: bool,
    /// A view that asks who the session is, or what its settings say.
    pub asks_session: bool,
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
    /// Of a fixed number of bytes, so never in TOAST.
    pub fixed_width: bool,
    /// The function whose call is the default; asked of uuid columns only.
    pub default_function: Option<String>,
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
    /// What ANALYZE found, or why the caller may not see it. None: not asked for, or never analyzed.
    pub sample: Option<Result<Sample, String>>,
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
    /// That constraint, of the parent or of this table to a partition's parent; 0 is none.
    pub parent: Oid,
    /// pg_get_constraintdef of a CHECK.
    pub definition: Option<String>,
    /// confdeltype, confupdtype: a (no action), r(estrict), c(ascade), n (set null), d (set default).
    pub on_delete: char,
    pub on_update: char,
    /// Those that ON DELETE SET NULL or SET DEFAULT sets; empty is all of the key.
    pub delete_sets: Vec<i16>,
    /// Triggers that enforce it and are disabled: their table and name.
    pub disabled: Vec<(Oid, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Trigger {
    pub oid: Oid,
    pub name: String,
    /// tgtype bits.
    pub bits: i16,
    /// Fires in an ordinary session.
    pub enabled: bool,
    /// Fires nowhere: neither there nor for rows that replication applies.
    pub disabled: bool,
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
pub struct Sequence {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub maximum: i64,
    pub increment: i64,
    pub cycle: bool,
    pub unlogged: bool,
    /// Goes with the column that owns it.
    pub owned: bool,
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
    /// Numbers of rules that the user chose, by code and name.
    pub params: HashMap<(String, String), f64>,
    /// Those with an annotation in them.
    pub comments: Vec<Comment>,
    /// Rows of dbguard.lint_ignored, and what the comments say as soon as `Catalog::new` read them.
    pub ignores: Vec<Ignore>,
    /// Rules that users registered.
    pub own_rules: Vec<&'static Rule>,
    /// Whether `*` may be ignored.
    pub blanket_ignores: bool,
    pub keywords: HashMap<String, Keyword>,
    pub schemas: Vec<Schema>,
    pub relations: Vec<Relation>,
    pub functions: Vec<Function>,
    pub function_uses: Vec<FunctionUse>,
    /// Comments and options that may hold a secret.
    pub notes: Vec<Note>,
    /// How sessions come in. None: not asked for.
    pub doors: Option<Doors>,
    /// What pg_stat_statements says of this database, or why nothing. None: not asked for.
    pub workload: Option<Result<Vec<Statement>, String>>,
    /// What plpgsql_check says of functions, or why nothing. None: not asked for.
    pub checked: Option<Result<Vec<Checked>, String>>,
    pub sequences: Vec<Sequence>,
    pub domains: HashMap<Oid, Domain>,
    pub roles: HashMap<Oid, Role>,
    /// Operators that B-trees take for equality.
    pub equality: HashSet<Oid>,
    /// OIDs of schemas, relations and functions that belong to an extension. OIDs are unique
    /// within a catalog only, hence one set each.
    pub member_schemas: HashSet<Oid>,
    pub member_relations: HashSet<Oid>,
    pub member_functions: HashSet<Oid>,
    /// Collations that indexes or partition keys go by, the database's own among them.
    pub collations: HashMap<Oid, CollationVersion>,
    /// Sections, read only when a rule asks.
    pub statistics: Option<Statistics>,
    pub cluster: Option<Cluster>,
}
