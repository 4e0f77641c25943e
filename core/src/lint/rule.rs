//! The form every rule fills in. A field left out does not compile.

use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    Integrity,
    Security,
    Tenancy,
    Indexes,
    Types,
    Lifecycle,
    Partitioning,
    Maintenance,
    Naming,
    Functions,
    Performance,
    Configuration,
    Queries,
    Ignores,
    Own,
}

impl Category {
    pub const ALL: [Category; 15] = [
        Category::Integrity,
        Category::Security,
        Category::Tenancy,
        Category::Indexes,
        Category::Types,
        Category::Lifecycle,
        Category::Partitioning,
        Category::Maintenance,
        Category::Naming,
        Category::Functions,
        Category::Performance,
        Category::Configuration,
        Category::Queries,
        Category::Ignores,
        Category::Own,
    ];

    pub fn parse(text: &str) -> Option<Category> {
        Category::ALL.into_iter().find(|c| c.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Category::Integrity => "integrity",
            Category::Security => "security",
            Category::Tenancy => "multi-tenancy",
            Category::Indexes => "indexes",
            Category::Types => "types",
            Category::Lifecycle => "audit/lifecycle",
            Category::Partitioning => "partitioning",
            Category::Maintenance => "maintenance",
            Category::Naming => "naming",
            Category::Functions => "functions/views/triggers",
            Category::Performance => "performance/statistics",
            Category::Configuration => "configuration",
            Category::Queries => "queries",
            Category::Ignores => "ignores",
            Category::Own => "own",
        }
    }
}

/// When most of what a rule looks at in a schema violates it, that is a convention, told once.
#[derive(Debug, Clone, Copy)]
pub struct Rollup {
    pub at_least: usize,
    pub share: f64,
}

impl Rollup {
    pub const CONVENTION: Option<Rollup> = Some(Rollup { at_least: 20, share: 0.8 });
    pub const NEVER: Option<Rollup> = None;
}

/// SQL that builds something in an otherwise empty database, as a superuser, outside a transaction.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Shorthand for the lists of cases.
pub const fn case(name: &'static str, sql: &'static str) -> Case {
    Case { name, sql }
}

/// A part of the snapshot that is read only when a rule that runs asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// A look into tables: whether DEFAULT partitions hold rows.
    Rows,
    /// What ANALYZE found in columns.
    Samples,
    /// What the server counted since its statistics were reset.
    Statistics,
    /// The server as a whole: settings, sessions, replication.
    Cluster,
    /// pg_stat_statements.
    Workload,
    /// A view of the user's: a rule of his own.
    View,
    /// plpgsql_check, run over every PL/pgSQL function.
    Bodies,
}

impl Section {
    pub fn as_str(self) -> &'static str {
        match self {
            Section::Rows => "rows",
            Section::Samples => "samples",
            Section::Statistics => "statistics",
            Section::Cluster => "cluster",
            Section::Workload => "workload",
            Section::View => "view",
            Section::Bodies => "plpgsql_check",
        }
    }
}

/// A number of a rule that a user may choose.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub default: f64,
    /// With its unit.
    pub about: &'static str,
}

#[derive(Debug)]
pub struct Rule {
    pub code: &'static str,
    pub name: &'static str,
    pub category: Category,
    /// The usual one; a finding may carry its own.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: &'static str,
    /// What it leads to, and what the rule leaves alone on purpose.
    pub why: &'static str,
    pub bad: &'static str,
    pub good: &'static str,
    /// How to mend it, in words.
    pub remedy: &'static str,
    /// What other tools call it; empty where none has it.
    pub peers: &'static str,
    /// Codes that say less about the same object, silent when this rule speaks.
    pub hides: &'static [&'static str],
    pub rollup: Option<Rollup>,
    /// What it reads beside the catalogs.
    pub reads: &'static [Section],
    /// Numbers that `lint_configure` may change.
    pub params: &'static [Param],
    /// False: it runs only in the profile strict, or named by its code.
    pub recommended: bool,
    pub check: fn(&Catalog, &mut Report),
    /// Each makes the rule speak.
    pub fires: &'static [Case],
    /// Near misses: each leaves it silent.
    pub silent: &'static [Case],
}
