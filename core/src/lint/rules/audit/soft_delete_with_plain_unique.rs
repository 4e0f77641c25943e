use crate::lint::catalog::types::{BOOL, UUID};
use crate::lint::catalog::{Attribute, Catalog, Index, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::audit::marks_deleted;
use crate::lint::text::{idents, mentions};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD006",
    name: "soft_delete_with_plain_unique",
    category: Category::Lifecycle,
    severity: Severity::Error,
    title: "Rows are soft-deleted, but a unique index still counts the deleted ones",
    why: "Who deletes a user and signs up again with the same address gets a duplicate key error, \
          or one that only strikes the second time where the index holds a deleted flag. Left \
          alone: primary keys, keys a foreign key refers to, uuid and generated keys, and unique \
          indexes with a predicate. INT017 is silent on the same index.",
    bad: "CREATE TABLE users (email text UNIQUE, deleted_at timestamptz);",
    good: "CREATE UNIQUE INDEX ON users (email) WHERE deleted_at IS NULL;",
    remedy: "replace it by a unique index over the live rows; ON CONFLICT must then name the predicate",
    peers: "",
    hides: &["INT017"],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("another collation", "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, deleted_at timestamptz); CREATE UNIQUE INDEX u ON t (name COLLATE \"C\")"),
        case("deferrable", "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL UNIQUE DEFERRABLE, deleted_at timestamptz)"),
        case("constraint", "CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE, deleted_at timestamptz)"),
        case("index, boolean flag", "CREATE TABLE t (email text, is_deleted bool); CREATE UNIQUE INDEX u ON t (email)"),
        case("flag in the key", "CREATE TABLE t (email text NOT NULL, is_deleted bool NOT NULL, UNIQUE (email, is_deleted))"),
        case("flag as an expression", "CREATE TABLE t (email text, deleted_at timestamptz); CREATE UNIQUE INDEX u ON t (email, (deleted_at IS NULL))"),
        case("quoted, many columns", r#"CREATE TABLE "T.t" ("E ""m" text, b int, discarded_at timestamptz, CONSTRAINT "U" UNIQUE ("E ""m", b))"#),
    ],
    silent: &[
        case("over live rows", "CREATE TABLE t (email text, deleted_at timestamptz); CREATE UNIQUE INDEX u ON t (email) WHERE deleted_at IS NULL"),
        case("primary key", "CREATE TABLE t (email text PRIMARY KEY, deleted_at timestamptz)"),
        case("time of deletion in the key", "CREATE TABLE t (email text, deleted_at timestamptz, UNIQUE NULLS NOT DISTINCT (email, deleted_at))"),
        case("technical keys", "CREATE TABLE t (a uuid UNIQUE, b int GENERATED ALWAYS AS IDENTITY UNIQUE, deleted_at timestamptz)"),
        case("no soft delete", "CREATE TABLE t (email text UNIQUE, deleted_by int, undeleted_at timestamptz)"),
        case("a foreign key needs it", "CREATE TABLE t (code text UNIQUE, deleted_at timestamptz); CREATE TABLE u (code text REFERENCES t (code))"),
        case("deleted_at is text", "CREATE TABLE t (email text UNIQUE, deleted_at text)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let Some(mark) = t.attributes.iter().find(|a| marks_deleted(a)) else { continue };
        for i in t.indexes.iter().filter(|i| i.unique && !i.primary && i.valid) {
            out.examine(&t.schema);
            if i.predicate.is_none()
                && !i.referenced
                && !i.replica_identity
                && !technical(c, t, i)
                && counts_deleted(i, mark)
            {
                let columns: Vec<i16> = i.keys.iter().map(|k| k.attnum).collect();
                let message = format!(
                    "unique index {} counts rows of {} that are soft-deleted ({})",
                    i.sql_name(),
                    t.sql_name(),
                    ident(&mark.name)
                );
                let found = Finding::new(i.object(), message)
                    .key(t, &t.names(&columns).join(","))
                    .evidence("soft_delete_column", mark.name.as_str())
                    .fix(fix(t, i, mark));
                out.find(found);
            }
        }
    }
}

/// Keys no person chooses never come again.
fn technical(c: &Catalog, t: &Relation, i: &Index) -> bool {
    i.keys.iter().all(|k| {
        t.attribute(k.attnum)
            .is_some_and(|a| a.base_type == UUID || a.identity || c.sequence_of(t.oid, a.num).is_some())
    })
}

/// A time of deletion in the key tells deleted rows apart; a flag leaves room for one only.
fn counts_deleted(i: &Index, mark: &Attribute) -> bool {
    let in_key = i.keys.iter().any(|k| k.attnum == mark.num);
    let flags = |k: &Option<String>| k.as_ref().is_some_and(|e| mentions(e, &mark.name));
    let hidden = i
        .keys
        .iter()
        .any(|k| flags(&k.expression) && !k.expression.as_ref().is_some_and(|e| is_null_test(e)));
    !hidden && (!in_key || mark.base_type == BOOL)
}

fn is_null_test(expression: &str) -> bool {
    let e = expression.trim_matches(|c| c == '(' || c == ')');
    e.ends_with(" IS NULL") || e.ends_with(" IS NOT NULL")
}

fn fix(t: &Relation, i: &Index, mark: &Attribute) -> Option<Fix> {
    let plain: Vec<i16> = i.keys.iter().map(|k| k.attnum).filter(|n| *n != mark.num && *n != 0).collect();
    let expressions =
        i.keys.iter().any(|k| k.expression.as_ref().is_some_and(|e| !is_null_test(e)) || k.option != 0);
    if plain.is_empty()
        || expressions
        || i.special_opclass
        || i.special_storage
        || i.deferrable
        || !t.plain_collations(i)
        || !i.include.is_empty()
        || i.method != "btree"
    {
        return None;
    }
    let (table, name, column) = (t.sql_name(), ident(&i.name), ident(&mark.name));
    let live =
        if mark.base_type == BOOL { format!("{column} IS NOT TRUE") } else { format!("{column} IS NULL") };
    let drop = match &i.constraint {
        Some(con) => format!("ALTER TABLE {table} DROP CONSTRAINT {};", ident(con)),
        None => format!("DROP INDEX {};", i.sql_name()),
    };
    let nulls = if i.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    let create =
        format!("CREATE UNIQUE INDEX {name} ON {table} ({}){nulls} WHERE {live};", idents(&t.names(&plain)));
    Some(Fix::new(format!("{drop}\n{create}"), Safety::Review))
}
