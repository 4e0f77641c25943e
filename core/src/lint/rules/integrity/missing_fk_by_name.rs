use crate::lint::catalog::{Attribute, Catalog, Constraint, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "INT013",
    name: "missing_fk_by_name",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Column is named like a foreign key and is none",
    why: "user_id beside a table users with a key of the same type: nothing keeps rows of users that are \
          deleted from being named here for ever. Silent where any foreign key has the column, where \
          it is the table's own key, where a column user_type says that it refers to several tables, \
          and where the other table is an archive of this one or this one is of the other's kind. Where \
          most such columns of a schema have none, the schema does without: told once.",
    bad: "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);",
    good: "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users);",
    remedy: "ADD FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT once no orphan is left",
    peers: "active_record_doctor missing_foreign_keys, sqlcheck 1005, database_consistency",
    hides: &[],
    rollup: Some(Rollup { at_least: 5, share: 0.6 }),
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("plural", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint)"),
        case("singular, quoted", r#"CREATE TABLE "User" (id uuid PRIMARY KEY); CREATE TABLE "T.t" ("user_id" uuid)"#),
        case("ies", "CREATE TABLE categories (id int PRIMARY KEY); CREATE TABLE t (category_id int)"),
        case("partitioned, told once", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint, a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("a foreign key", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint REFERENCES users)"),
        case("to another table", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE people (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint REFERENCES people)"),
        case("on each partition", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (a int, user_id bigint) PARTITION BY LIST (a); CREATE TABLE t1 (user_id bigint REFERENCES users, a int); ALTER TABLE t ATTACH PARTITION t1 DEFAULT"),
        case("another type", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (user_id text)"),
        case("polymorphic", "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint, user_type text)"),
        case("no such table", "CREATE TABLE t (user_id bigint)"),
        case("in another schema", "CREATE SCHEMA other; CREATE TABLE other.users (id bigint PRIMARY KEY); CREATE TABLE t (user_id bigint)"),
        case("a key of two columns", "CREATE TABLE users (id bigint, a int, PRIMARY KEY (id, a)); CREATE TABLE t (user_id bigint)"),
        case("its own key", "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE user_settings (user_id int PRIMARY KEY)"),
        case("named like its own table", "CREATE TABLE reactions (id int PRIMARY KEY, reaction_id int)"),
        case("a view", "CREATE VIEW users AS SELECT 1 AS id; CREATE TABLE t (user_id int)"),
        case("temporary", "CREATE TABLE users (id int PRIMARY KEY); CREATE TEMP TABLE t (user_id int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    // by schema and folded name: one look a column
    let tables: HashMap<(&str, String), &Relation> =
        c.tables().map(|t| ((t.schema.as_str(), t.name.to_ascii_lowercase()), t)).collect();
    for (t, a) in c.columns() {
        let folded = a.name.to_ascii_lowercase();
        let Some(base) = folded.strip_suffix("_id").filter(|base| !base.is_empty()) else { continue };
        let found =
            names_of(base).into_iter().find_map(|name| tables.get(&(t.schema.as_str(), name)).copied());
        let Some((parent, key)) = found.and_then(|p| Some((p, p.primary_key()?))) else { continue };
        if !could_refer(t, a, base, parent, key) {
            continue;
        }
        out.examine_kind(&t.schema, "column");
        let mut partitions = c.partitions_of(t.oid).peekable();
        if has_key(t, a) || partitions.peek().is_some() && partitions.all(|p| has_key(p, a)) {
            continue;
        }
        let column = t.column_object(a);
        let message = format!(
            "column {} is named like a key of {}, and no foreign key says so",
            column.identity,
            parent.sql_name()
        );
        let found = Finding::new(column, message).confidence(0.7).evidence("table", parent.sql_name());
        out.find(found.fix(fix(t, a, parent)));
    }
}

/// In a partition the column may have another number.
fn has_key(t: &Relation, a: &Attribute) -> bool {
    let column = t.column(&a.name);
    column.is_some_and(|a| t.constraints.iter().any(|k| k.kind == 'f' && k.columns.contains(&a.num)))
}

/// What a table of such things may be called.
fn names_of(thing: &str) -> Vec<String> {
    let mut names = vec![format!("{thing}s"), thing.to_owned(), format!("{thing}es")];
    if let Some(stem) = thing.strip_suffix('y') {
        names.push(format!("{stem}ies"));
    }
    names
}

/// A key of one column of the same type that is no part of the table's own key.
fn could_refer(t: &Relation, a: &Attribute, base: &str, parent: &Relation, key: &Constraint) -> bool {
    let [referred] = key.columns.as_slice() else { return false };
    let own = |k: &Constraint| k.kind == 'p' && k.columns == [a.num];
    // a row of its own table is its parent or the next one, and called so
    let is_itself = parent.oid == t.oid;
    let says_which = |other: &Attribute| {
        let name = other.name.to_ascii_lowercase();
        name.strip_suffix("_type").or(name.strip_suffix("_kind")).is_some_and(|of| of == base)
    };
    !is_itself
        && !a.generated
        && !t.constraints.iter().any(own)
        && !t.attributes.iter().any(says_which)
        && parent.attribute(*referred).is_some_and(|r| r.base_type == a.base_type)
        && t.kind != RelationKind::ForeignTable
        // a logged table may not refer to an unlogged one
        && (t.unlogged || !parent.unlogged)
}

/// On a partitioned table NOT VALID is not to be had before PostgreSQL 18.
fn fix(t: &Relation, a: &Attribute, parent: &Relation) -> Option<Fix> {
    if t.kind != RelationKind::Table {
        return None;
    }
    let (table, column) = (t.sql_name(), ident(&a.name));
    let sql =
        format!("ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {} NOT VALID;", parent.sql_name());
    Some(Fix::new(sql, Safety::Review))
}
