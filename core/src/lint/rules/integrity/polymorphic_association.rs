use crate::lint::catalog::types::{INT2, INT4, INT8, TEXT, UUID, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT028",
    name: "polymorphic_association",
    category: Category::Integrity,
    severity: Severity::Info,
    title: "Column refers to rows of several tables, and none of them is checked",
    why: "subject_type says which table subject_id is of: no foreign key can watch over it, rows that are \
          deleted stay named, and every join is a guess. Told where {x}_type is text, {x}_id is of a \
          type that keys have, and no foreign key has either.",
    bad: "CREATE TABLE comments (subject_type text, subject_id bigint);",
    good: "CREATE TABLE comments (post_id bigint REFERENCES posts, photo_id bigint REFERENCES photos, CHECK (num_nonnulls(post_id, photo_id) = 1));",
    remedy: "one foreign key column for each table, and a CHECK that one of them is set",
    peers: "database_consistency, GitLab polymorphic cop",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("text", "CREATE TABLE t (subject_type text, subject_id bigint)"),
        case("quoted", r#"CREATE TABLE "T.t" ("subjectType" varchar, "subjectId" uuid)"#),
        case("63 bytes", "CREATE TABLE t (ssssssssssssssssssssssssssssssssssssssssssssssssssssssssss_type varchar(20), ssssssssssssssssssssssssssssssssssssssssssssssssssssssssss_id int)"),
    ],
    silent: &[
        case("a foreign key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (subject_type text, subject_id int REFERENCES a)"),
        case("the type alone", "CREATE TABLE t (subject_type text, other_id bigint)"),
        case("the type is a key itself", "CREATE TABLE kinds (k text PRIMARY KEY); CREATE TABLE t (subject_type text REFERENCES kinds, subject_id int)"),
        case("its own key", "CREATE TABLE t (subject_id int PRIMARY KEY, subject_type text)"),
        case("another type of type", "CREATE TABLE t (subject_type int, subject_id int)"),
        case("another system's", "CREATE TABLE payment_methods (id int PRIMARY KEY, provider_method_type text, provider_method_id text)"),
        case("temporary", "CREATE TEMP TABLE t (subject_type text, subject_id int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        out.examine(&t.schema);
        let in_key = |a: &Attribute| {
            t.constraints
                .iter()
                .any(|k| k.kind == 'f' && k.columns.contains(&a.num) || k.kind == 'p' && k.columns == [a.num])
        };
        for a in t.attributes.iter().filter(|a| !a.inherited) {
            let other = a.name.strip_suffix("_type").map(|x| format!("{x}_id"));
            let Some(other) = other.or(a.name.strip_suffix("Type").map(|x| format!("{x}Id"))) else {
                continue;
            };
            let Some(id) = t.column(&other).filter(|id| is_key_type(id)) else { continue };
            if matches!(a.base_type, TEXT | VARCHAR) && !in_key(a) && !in_key(id) && !is_anothers(id) {
                let column = t.column_object(id);
                let message = format!(
                    "column {} refers to rows of the table that {} names",
                    column.identity,
                    ident(&a.name)
                );
                out.find(Finding::new(column, message).confidence(0.7));
            }
        }
    }
}

/// The id that another system gave.
fn is_anothers(id: &Attribute) -> bool {
    const OTHERS: &[&str] = &["provider", "external", "remote", "vendor", "gateway", "upstream"];
    words(&id.name).iter().any(|w| OTHERS.contains(&w.as_str()))
}

fn is_key_type(a: &Attribute) -> bool {
    matches!(a.base_type, INT2 | INT4 | INT8 | UUID | TEXT | VARCHAR)
}
