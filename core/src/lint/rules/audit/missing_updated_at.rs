use crate::lint::catalog::types::BOOL;
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Fix, Report, Safety, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::audit::updated_at_without_trigger::keep;
use crate::lint::rules::audit::{
    default_now, is_moment, marks_deleted, says_created, says_updated, tell_lacking, Time,
};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD002",
    name: "missing_updated_at",
    category: Category::Lifecycle,
    severity: Severity::Info,
    title: "Table does not say when a row was changed last, and most others do",
    why: "Caches, exports and searches for what is new have nothing to go by. Told where at least three \
          tables, and six of ten in the schema, have such a column (updated_at, modified_date, last_update \
          and the like), for tables whose columns are made to change: a status, a flag, a name. Left \
          alone: links, logs, events, histories and what else only grows, tables with a time of their own, \
          and those of fewer than four columns.",
    bad: "CREATE TABLE products (id bigint PRIMARY KEY, name text, ...); -- the other tables have updated_at",
    good: "CREATE TABLE products (id bigint PRIMARY KEY, name text, ..., updated_at timestamptz NOT NULL DEFAULT now());",
    remedy: "ADD COLUMN, and a BEFORE UPDATE trigger with dbguard.set_updated_at",
    peers: "schemalint mandatory-columns, active_record_doctor table_without_timestamps, GitLab CreateTableWithTimestamps",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "share", default: 0.6, about: "share of a schema's tables that have the column, from which on the others are told" }],
    recommended: true,
    check,
    fires: &[
        case("one of four", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, name text, y int, created_at timestamptz)"),
        case("hostile names", r#"CREATE TABLE a (id int PRIMARY KEY, x int, y int, "Modified.Date" timestamp); CREATE TABLE b (id int PRIMARY KEY, x int, y int, "Modified.Date" timestamp); CREATE TABLE c (id int PRIMARY KEY, x int, y int, "Modified.Date" timestamp); CREATE TABLE "T ""t" (id int PRIMARY KEY, "Status" text, y int, z int)"#),
        case("partitioned, told once", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, active bool, y int, z int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("no such habit", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, name text, y int, z int); CREATE TABLE c (id int PRIMARY KEY, name text, y int, z int)"),
        case("only grows", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE \"loginEvents\" (id int PRIMARY KEY, name text, y int, created_at timestamptz); CREATE TABLE u (id int PRIMARY KEY, x int, y int, z int)"),
        case("a time of its own", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, name text, y int, paid_on date)"),
        case("another spelling", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, name text, y int, \"lastModified\" bigint)"),
        case("small, temporary", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, updated_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, name text); CREATE TEMP TABLE u (id int PRIMARY KEY, name text, y int, z int)"),
    ],
};

/// Words in the names of tables that only grow.
const GROWS: &[&str] = &[
    "log",
    "logs",
    "history",
    "histories",
    "event",
    "events",
    "audit",
    "audits",
    "entry",
    "entries",
    "archive",
    "snapshot",
    "snapshots",
    "transaction",
    "transactions",
    "payment",
    "payments",
    "message",
    "messages",
    "visit",
    "visits",
    "click",
    "clicks",
    "view",
    "views",
    "metric",
    "metrics",
    "measurement",
    "measurements",
    "reading",
    "readings",
    "session",
    "sessions",
    "token",
    "tokens",
    "notification",
    "notifications",
    "change",
    "changes",
    "changelog",
    "journal",
    "ledger",
    "outbox",
    "inbox",
    "import",
    "imports",
    "staging",
    "revision",
    "revisions",
    "version",
    "versions",
    "attempt",
    "attempts",
    "run",
    "runs",
    "record",
    "records",
    "vote",
    "votes",
    "like",
    "likes",
    "follow",
    "follows",
    "migration",
    "migrations",
    "daily",
    "hourly",
    "monthly",
];

/// Words of columns that are made to change.
const CHANGES: &[&str] = &[
    "status",
    "state",
    "name",
    "title",
    "description",
    "email",
    "price",
    "address",
    "phone",
    "enabled",
    "active",
];

fn check(c: &Catalog, out: &mut Report) {
    tell_lacking(c, &RULE, &Time { says: says_updated, lacks: changes, confidence: 0.5, fix }, out);
}

/// Its rows look as if they changed, and nothing says when.
fn changes(t: &Relation) -> bool {
    let grows = words(&t.name).iter().any(|w| GROWS.contains(&w.as_str()));
    let its_own = |a: &Attribute| is_moment(a) && !says_created(a) && !marks_deleted(a);
    let made_to = |a: &Attribute| {
        !a.generated && (a.base_type == BOOL || words(&a.name).iter().any(|w| CHANGES.contains(&w.as_str())))
    };
    !grows && !t.attributes.iter().any(|a| says_updated(a) || its_own(a)) && t.attributes.iter().any(made_to)
}

fn fix(c: &Catalog, t: &Relation, like: &Attribute) -> Option<Fix> {
    let now = default_now(like.type_oid).filter(|_| !t.typed)?;
    let (table, column, kind) = (t.sql_name(), ident(&like.name), &like.type_name);
    let mut sql = format!("ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL DEFAULT {now};");
    let mut undo = format!("ALTER TABLE {table} DROP COLUMN {column};");
    if let Some(trigger) = keep(c, t, &like.name) {
        sql = format!("{sql}\n{}", trigger.sql);
        undo = format!("{}\n{undo}", trigger.undo.unwrap_or_default());
    }
    Some(Fix::new(sql, Safety::Review).undo(undo))
}
