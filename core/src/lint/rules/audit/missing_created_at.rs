use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Fix, Report, Safety, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::audit::{
    default_now, is_moment, marks_deleted, says_created, says_updated, tell_lacking, Time,
};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD001",
    name: "missing_created_at",
    category: Category::Lifecycle,
    severity: Severity::Info,
    title: "Table does not say when a row was made, and most others do",
    why: "Nobody can tell afterwards what was there on the day of an incident, or find the rows of a \
          faulty import. Told where at least three tables, and six of ten in the schema, have such a \
          column (created_at, inserted_at, creation_date and the like). Left alone: links between tables, \
          more columns of another table's rows, tables of fewer than four columns, and those with a time \
          of their own, such as occurred_at.",
    bad: "CREATE TABLE invoices (id bigint PRIMARY KEY, ...); -- the other tables have created_at",
    good: "CREATE TABLE invoices (id bigint PRIMARY KEY, ..., created_at timestamptz NOT NULL DEFAULT now());",
    remedy: "ADD COLUMN with DEFAULT now(); rows that are there get the time of the change",
    peers: "schemalint mandatory-columns, active_record_doctor table_without_timestamps, GitLab CreateTableWithTimestamps",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "share", default: 0.6, about: "share of a schema's tables that have the column, from which on the others are told" }],
    recommended: true,
    check,
    fires: &[
        case("one of four", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, x int, y int, z int)"),
        case("hostile names, a date, partitioned", r#"CREATE SCHEMA "S.s"; CREATE TABLE "S.s".a (id int PRIMARY KEY, x int, y int, "Created On" date); CREATE TABLE "S.s".b (id int PRIMARY KEY, x int, y int, "Created On" date); CREATE TABLE "S.s".c (id int PRIMARY KEY, x int, y int, "Created On" date); CREATE TABLE "S.s"."Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (id int PRIMARY KEY, x int, y int, z int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF "S.s"."Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" DEFAULT"#),
        case("knows its last change only", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, x int, y int, updated_at timestamptz)"),
    ],
    silent: &[
        case("no such habit", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, z int); CREATE TABLE c (id int PRIMARY KEY, x int, y int, z int); CREATE TABLE t (id int PRIMARY KEY, x int, y int, z int)"),
        case("another spelling, another type", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, x int, y int, \"CreationTime\" bigint)"),
        case("a time of its own", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE t (id int PRIMARY KEY, x int, y int, occurred_at timestamptz)"),
        case("a list, a link, an extension, no key", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE list (id int PRIMARY KEY, name text, x int); CREATE TABLE link (a int REFERENCES a, b int REFERENCES b, x int, y int, PRIMARY KEY (a, b)); CREATE TABLE more (a int PRIMARY KEY REFERENCES a, x int, y int, z int); CREATE TABLE raw (v int, x int, y int, z int)"),
        case("another schema, temporary, a tool's", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, x int, y int, z int); CREATE TEMP TABLE t (id int PRIMARY KEY, x int, y int, z int); CREATE TABLE flyway_schema_history (id int PRIMARY KEY, x int, y int, z int)"),
        case("inherited", "CREATE TABLE a (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE b (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE c (id int PRIMARY KEY, x int, y int, created_at timestamptz); CREATE TABLE t (PRIMARY KEY (id)) INHERITS (a)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    tell_lacking(c, &RULE, &Time { says: says_created, lacks: knows_no_time, confidence: 0.6, fix }, out);
}

/// A time of another kind, such as when something took place, will do; in a log that of a change, too.
fn knows_no_time(t: &Relation) -> bool {
    let log =
        words(&t.name).iter().any(|w| matches!(w.as_str(), "log" | "logs" | "audit" | "event" | "events"));
    let will_do = |a: &Attribute| is_moment(a) && !marks_deleted(a) && (log || !says_updated(a));
    !t.attributes.iter().any(|a| says_created(a) || will_do(a))
}

fn fix(_: &Catalog, t: &Relation, like: &Attribute) -> Option<Fix> {
    let now = default_now(like.type_oid).filter(|_| !t.typed)?;
    let (table, column, kind) = (t.sql_name(), ident(&like.name), &like.type_name);
    let sql = format!("ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL DEFAULT {now};");
    Some(Fix::new(sql, Safety::Review).undo(format!("ALTER TABLE {table} DROP COLUMN {column};")))
}
