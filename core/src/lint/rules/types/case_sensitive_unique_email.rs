use crate::lint::catalog::types::{TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Index, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::mentions;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TYP028",
    name: "case_sensitive_unique_email",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Unique e-mail address or login that differs by case alone is another one",
    why: "Ann@example.com and ann@example.com become two accounts of one person, and whoever signs up \
          with the other spelling may be taken for the first. Silent where a CHECK or a second \
          unique index uses lower() or upper() on the column, and where its type or collation \
          compares otherwise (citext).",
    bad: "CREATE TABLE users (email text UNIQUE);",
    good: "CREATE UNIQUE INDEX ON users (lower(email));",
    remedy: "a unique index on lower(), after the doubles are merged; or CHECK (email = lower(email))",
    peers: "database_consistency case_sensitive",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("email", "CREATE TABLE t (email text UNIQUE)"),
        case("by tenant, quoted", r#"CREATE TABLE "T.t" (tenant_id int, "userEmail" varchar(200)); CREATE UNIQUE INDEX "U" ON "T.t" (tenant_id, "userEmail")"#),
        case("login, only of the living", "CREATE TABLE t (login text, deleted_at timestamptz); CREATE UNIQUE INDEX u ON t (login) WHERE deleted_at IS NULL"),
        case("lower, but not unique", "CREATE TABLE t (username text UNIQUE); CREATE INDEX i ON t (lower(username))"),
        case("63 bytes", "CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (ccccccccccccccccccccccccccccccccccccccccccccccccccccccccc_email text UNIQUE)"),
    ],
    silent: &[
        case("lower", "CREATE TABLE t (email text); CREATE UNIQUE INDEX u ON t (lower(email))"),
        case("both", "CREATE TABLE t (email text UNIQUE); CREATE UNIQUE INDEX u ON t (lower(email))"),
        case("checked", "CREATE TABLE t (email text UNIQUE CHECK (email = lower(email)))"),
        case("not unique", "CREATE TABLE t (email text); CREATE INDEX i ON t (email)"),
        case("a collation of its own", "CREATE COLLATION mine FROM \"C\"; CREATE TABLE t (email text COLLATE mine UNIQUE)"),
        case("another column", "CREATE TABLE t (email_id text UNIQUE, name text UNIQUE)"),
        case("temporary", "CREATE TEMP TABLE t (email text UNIQUE)"),
    ],
};

/// Collations that compare bytes or as the database does: "default", "C" and "POSIX".
const PLAIN: [u32; 3] = [100, 950, 951];

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| names_a_person(&a.name)) {
        let Some(index) = t.indexes.iter().find(|i| is_unique_over(t, i, a)) else { continue };
        out.examine(&t.schema);
        if matches!(a.base_type, TEXT | VARCHAR) && PLAIN.contains(&a.collation) && !is_folded(t, a) {
            let message = format!(
                "unique index {} takes spellings of {} that differ by case for different ones",
                index.sql_name(),
                ident(&a.name)
            );
            let found = Finding::new(t.column_object(a), message).confidence(0.9);
            out.find(found.evidence("index", index.sql_name()).fix(fix(t, index, a)));
        }
    }
}

fn names_a_person(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "email" | "e_mail" | "mail" | "username" | "user_name" | "login")
        || ["email", "_e_mail", "email_address", "_login", "_username"].iter().any(|end| name.ends_with(end))
}

/// It keeps the column unique, alone or within a tenant; not a longer key of which the column is a part.
fn is_unique_over(t: &Relation, i: &Index, a: &Attribute) -> bool {
    let tenant = |n| t.attribute(n).is_some_and(|a| a.name.ends_with("_id") || a.name.ends_with("Id"));
    let keys: Vec<i16> = i.keys.iter().map(|k| k.attnum).collect();
    let over = match keys.as_slice() {
        [one] => *one == a.num,
        [one, two] => *one == a.num && tenant(*two) || *two == a.num && tenant(*one),
        _ => false,
    };
    i.unique && i.valid && over
}

/// lower() or upper() of the column is what is unique, or what the column must be.
fn is_folded(t: &Relation, a: &Attribute) -> bool {
    let folds = |text: &str| {
        let folding = ["lower(", "upper(", "~~*", "citext"];
        folding.iter().any(|f| text.contains(f)) && mentions(text, &a.name)
    };
    let expressions = |i: &Index| i.keys.iter().filter_map(|k| k.expression.as_deref()).any(folds);
    t.indexes.iter().filter(|i| i.unique).any(expressions)
        || t.constraints.iter().filter_map(|k| k.definition.as_deref()).any(folds)
}

fn fix(t: &Relation, i: &Index, a: &Attribute) -> Option<Fix> {
    if t.kind != RelationKind::Table {
        return None;
    }
    let columns: Option<Vec<String>> = i
        .keys
        .iter()
        .map(|k| {
            let name = ident(&t.attribute(k.attnum)?.name);
            Some(if k.attnum == a.num { format!("lower({name})") } else { name })
        })
        .collect();
    let only = i.predicate.as_ref().map(|p| format!(" WHERE {p}")).unwrap_or_default();
    let sql =
        format!("CREATE UNIQUE INDEX CONCURRENTLY ON {} ({}){only};", t.sql_name(), columns?.join(", "));
    // it refuses what was accepted before, and fails where there are such rows already
    Some(Fix::new(sql, Safety::Review))
}
