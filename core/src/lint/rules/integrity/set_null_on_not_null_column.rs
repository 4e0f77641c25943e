use crate::lint::catalog::{Attribute, Catalog, Constraint, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT010",
    name: "set_null_on_not_null_column",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Foreign key sets NULL in a column that must not be NULL",
    why: "Every DELETE of a parent row that has children fails with a not-null violation, an error \
          that names the child and not the rule. ON DELETE SET DEFAULT fails the same way where the \
          column has no default. ON UPDATE likewise.",
    bad: "CREATE TABLE items (order_id int NOT NULL REFERENCES orders ON DELETE SET NULL);",
    good: "CREATE TABLE items (order_id int NOT NULL REFERENCES orders ON DELETE CASCADE);",
    remedy: "let the column be NULL, or choose another action: RESTRICT says plainly what happens now",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("on delete", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int NOT NULL REFERENCES a ON DELETE SET NULL)"),
        case("on update", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int NOT NULL REFERENCES a ON UPDATE SET NULL)"),
        case("default that is none", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int NOT NULL REFERENCES a ON DELETE SET DEFAULT)"),
        case("one column of two, quoted", r#"CREATE TABLE "A.a" (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE "T.t" ("X" int, y int NOT NULL, FOREIGN KEY ("X", y) REFERENCES "A.a" ON DELETE SET NULL)"#),
        case("part of the primary key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int PRIMARY KEY REFERENCES a ON DELETE SET NULL)"),
        case("by its domain", "CREATE DOMAIN d AS int NOT NULL; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a d REFERENCES a ON DELETE SET NULL)"),
    ],
    silent: &[
        case("may be null", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a ON DELETE SET NULL)"),
        case("cascade", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int NOT NULL REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE)"),
        case("sets the other column only", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (x int NOT NULL, y int, FOREIGN KEY (x, y) REFERENCES a ON DELETE SET NULL (y))"),
        case("has a default", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int NOT NULL DEFAULT 0 REFERENCES a ON DELETE SET DEFAULT)"),
        case("temporary", "CREATE TEMP TABLE a (id int PRIMARY KEY); CREATE TEMP TABLE t (a int NOT NULL REFERENCES a ON DELETE SET NULL)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, k) in c.foreign_keys() {
        out.examine(&t.schema);
        let deletes = if k.delete_sets.is_empty() { &k.columns } else { &k.delete_sets };
        let mut broken = refused(t, deletes, k.on_delete);
        let on_delete = !broken.is_empty();
        for a in refused(t, &k.columns, k.on_update) {
            if !broken.iter().any(|other| other.num == a.num) {
                broken.push(a);
            }
        }
        let (Some(_), name) = (broken.first(), ident(&k.name)) else { continue };
        let names: Vec<&str> = broken.iter().map(|a| a.name.as_str()).collect();
        let (table, event) = (t.sql_name(), if on_delete { "DELETE" } else { "UPDATE" });
        let message = format!(
            "{event} of a row that {name} of {table} refers to fails: {} must not be NULL",
            idents(&names)
        );
        let found =
            Finding::new(t.constraint_object(k), message).evidence("columns", names).fix(fix(t, k, &broken));
        out.find(found);
    }
}

/// The columns that the action would leave without a value.
fn refused<'t>(t: &'t Relation, columns: &[i16], action: char) -> Vec<&'t Attribute> {
    let leaves_none = |a: &&Attribute| match action {
        'n' => true,
        'd' => !a.has_default && !a.identity,
        _ => false,
    };
    columns.iter().filter_map(|n| t.attribute(*n)).filter(|a| t.never_null(a)).filter(leaves_none).collect()
}

/// Where nothing but the column itself forbids NULL.
fn fix(t: &Relation, k: &Constraint, columns: &[&Attribute]) -> Option<Fix> {
    let free = |a: &&Attribute| {
        a.not_null
            && a.base_type == a.type_oid
            && !a.inherited
            && !t.primary_key().is_some_and(|p| p.columns.contains(&a.num))
            && !t.partition_key.contains(&a.num)
            && !t.indexes.iter().any(|i| i.replica_identity && i.keys.iter().any(|key| key.attnum == a.num))
    };
    if !columns.iter().all(free) || columns.iter().any(|a| a.identity) || k.inherited {
        return None;
    }
    let table = t.sql_name();
    let each = |what: &str| {
        let parts: Vec<String> =
            columns.iter().map(|a| format!("ALTER COLUMN {} {what} NOT NULL", ident(&a.name))).collect();
        format!("ALTER TABLE {table} {};", parts.join(", "))
    };
    Some(Fix::new(each("DROP"), Safety::Review).undo(each("SET")))
}
