use crate::lint::catalog::types::UUID;
use crate::lint::catalog::{Attribute, Catalog, Function, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::quote::{ident, qualified};

pub static RULE: Rule = Rule {
    code: "TYP013",
    name: "random_uuid_primary_key",
    category: Category::Types,
    severity: Severity::Info,
    title: "Primary key of a large table is a random UUID",
    why: "Each new row goes to another page of the index: all of it has to stay in memory, and after a \
          checkpoint nearly every insert writes a whole page to the WAL. UUIDs of version 7 begin with the \
          time and go to the end. Told from a million rows on; below, it does not show. They tell when the \
          row was made, which may be a reason not to.",
    bad: "CREATE TABLE events (id uuid PRIMARY KEY DEFAULT gen_random_uuid());",
    good: "CREATE TABLE events (id uuid PRIMARY KEY DEFAULT uuidv7()); -- PostgreSQL 18",
    remedy: "SET DEFAULT to a function that makes UUIDs of version 7; the old ones may stay",
    peers: "pgdoctor uuid-defaults",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[Param { name: "rows", default: 1_000_000.0, about: "rows from which on a table is told" }],
    recommended: true,
    check,
    fires: &[
        case("large", "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 2000000 WHERE oid = 't'::regclass"),
        case("a function for version 7 is there, quoted", r#"CREATE FUNCTION uuid_generate_v7() RETURNS uuid LANGUAGE sql AS 'SELECT pg_catalog.gen_random_uuid()'; CREATE TABLE "T.t" ("Id" uuid PRIMARY KEY DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 2000000 WHERE oid = '"T.t"'::regclass"#),
        case("the function is a stranger's, or gives text", "CREATE FUNCTION uuidv7() RETURNS text LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA s; CREATE FUNCTION s.uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT pg_catalog.gen_random_uuid()'; CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 2000000 WHERE oid = 't'::regclass; ALTER FUNCTION s.uuidv7() OWNER TO pg_monitor; GRANT CREATE ON SCHEMA s TO pg_monitor"),
        case("rows of partitions", "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid()) PARTITION BY HASH (id); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1); UPDATE pg_class SET reltuples = 600000 WHERE relname IN ('t1', 't2')"),
    ],
    silent: &[
        case("small", "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 999999 WHERE oid = 't'::regclass"),
        case("never analyzed", "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid())"),
        case("another function", "CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT pg_catalog.gen_random_uuid()'; CREATE TABLE t (id uuid PRIMARY KEY DEFAULT uuidv7()); UPDATE pg_class SET reltuples = 2000000 WHERE oid = 't'::regclass"),
        case("no default, no key", "CREATE TABLE t (id uuid PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY, token uuid DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 2000000 WHERE oid IN ('t'::regclass, 'u'::regclass)"),
        case("temporary", "CREATE TEMP TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid()); UPDATE pg_class SET reltuples = 2000000 WHERE oid = 't'::regclass"),
    ],
};

const RANDOM: &[&str] = &["gen_random_uuid", "uuid_generate_v4", "uuidv4"];
const ORDERED: &[&str] = &["uuidv7", "uuid_generate_v7", "uuid_v7", "gen_uuid_v7"];

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| a.base_type == UUID) {
        let random = a.default_function.as_deref().is_some_and(|f| RANDOM.contains(&f));
        let key = t.primary_key().is_some_and(|k| k.columns.first() == Some(&a.num));
        let Some(rows) = c.rows(t).filter(|_| random && key) else { continue };
        out.examine(&t.schema);
        if rows >= c.param(&RULE, "rows") {
            let column = t.column_object(a);
            let message =
                format!("primary key {} takes random UUIDs, and the table has {rows} rows", column.identity);
            out.find(Finding::new(column, message).confidence(0.8).evidence("rows", rows).fix(fix(c, t, a)));
        }
    }
}

/// With what the server, or the user, has.
fn fix(c: &Catalog, t: &Relation, a: &Attribute) -> Option<Fix> {
    // whose function becomes the default runs it at every INSERT: the table's owner's, or an extension's
    let trusted = |f: &Function| f.owner == t.owner || c.member_functions.contains(&f.oid);
    let named = |f: &Function| ORDERED.contains(&f.name.as_str()) && f.arguments.is_empty();
    let own = || c.functions.iter().find(|f| named(f) && f.returns == UUID && trusted(f));
    let function = if c.server_version >= 180_000 {
        "pg_catalog.uuidv7".to_owned()
    } else {
        own().map(|f| qualified(&f.schema, &f.name))?
    };
    let (table, column) = (t.sql_name(), ident(&a.name));
    Some(Fix::new(
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {function}();"),
        Safety::Review,
    ))
}
