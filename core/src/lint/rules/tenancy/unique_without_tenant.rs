use crate::lint::catalog::{types, Attribute, Catalog, Index, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_tables;
use crate::lint::text::{idents, mentions};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TEN006",
    name: "unique_without_tenant",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "Unique key of a tenant's table holds across all tenants",
    why: "One tenant's name or number keeps another from using it, and the error tells that \
          somebody else has it. Told for names, codes, numbers and the like; info for e-mail \
          addresses and logins, which may be meant to be unique everywhere. Primary keys, UUIDs, \
          tokens, generated numbers, and keys with a foreign key, which leads to one tenant, are \
          left alone. No fix is proposed, for only you know which is meant.",
    bad: "CREATE TABLE products (tenant_id int NOT NULL, sku text UNIQUE);",
    good: "CREATE TABLE products (tenant_id int NOT NULL, sku text, UNIQUE (tenant_id, sku));",
    remedy: "UNIQUE over the tenant column and the others",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("a name", "CREATE TABLE t (id int PRIMARY KEY, tenant_id int, name text UNIQUE)"),
        case("quoted, index only, two columns", r#"CREATE TABLE "T.t" ("Tenant_ID" uuid, "Order_No" int, year int); CREATE UNIQUE INDEX "I.i" ON "T.t" (year, "Order_No")"#),
        case("an address", "CREATE TABLE t (tenant_id int, email varchar(90)); CREATE UNIQUE INDEX iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii ON t (email) WHERE email <> ''"),
    ],
    silent: &[
        case("with the tenant", r#"CREATE TABLE "T.t" ("Tenant_ID" int, name text, UNIQUE (name, "Tenant_ID"))"#),
        case("primary key", "CREATE TABLE t (tenant_id int, code text PRIMARY KEY, name text, UNIQUE (code, name))"),
        case("tokens", "CREATE TABLE t (tenant_id int, number uuid UNIQUE, api_key text UNIQUE, token_name text UNIQUE, external_number text UNIQUE, x text UNIQUE)"),
        case("generated", "CREATE TABLE t (tenant_id int, number serial UNIQUE, code int GENERATED ALWAYS AS IDENTITY UNIQUE)"),
        case("by its project", "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (tenant_id int, p int REFERENCES p, name text, UNIQUE (p, name))"),
        case("rows of nobody", "CREATE TABLE t (tenant_id int, name text); CREATE UNIQUE INDEX ON t (name) WHERE tenant_id IS NULL"),
        case("the tenants", "CREATE TABLE t (tenant_id int PRIMARY KEY, name text UNIQUE)"),
        case("not unique, temporary", "CREATE TABLE t (tenant_id int, name text); CREATE INDEX ON t (name); CREATE TEMP TABLE u (tenant_id int, name text UNIQUE)"),
    ],
};

/// Last words of columns that people number and name things by.
const OWN_TO_A_TENANT: &[&str] = &[
    "name",
    "title",
    "code",
    "number",
    "no",
    "nr",
    "num",
    "sku",
    "slug",
    "label",
    "ref",
    "reference",
    "position",
];
const MAYBE: &[&str] = &["email", "username", "login", "phone"];

/// Words of columns whose values are made to be unique everywhere.
const UNIQUE_ANYWHERE: &[&str] = &[
    "token",
    "key",
    "uuid",
    "guid",
    "uid",
    "hash",
    "digest",
    "secret",
    "external",
    "provider",
    "stripe",
    "domain",
    "subdomain",
    "host",
    "hostname",
    "url",
    "session",
    "invite",
    "serial",
];

fn check(c: &Catalog, out: &mut Report) {
    for (t, a, confidence) in tenant_tables(c) {
        for i in t.indexes.iter().filter(|i| i.unique && i.valid && !i.primary) {
            out.examine(&t.schema);
            let Some(columns) = columns(t, i).filter(|_| !of_a_tenant(t, i, a)) else { continue };
            let Some(severity) = severity(c, t, &columns) else { continue };
            let names: Vec<&str> = columns.iter().map(|a| a.name.as_str()).collect();
            let message = format!(
                "unique index {} ({}) holds across tenants: it lacks {}",
                i.sql_name(),
                idents(&names),
                ident(&a.name)
            );
            out.find(
                Finding::new(i.object(), message)
                    .key(t, &names.join(","))
                    .severity(severity)
                    .confidence(confidence),
            );
        }
    }
}

/// The key, unless it has expressions.
fn columns<'t>(t: &'t Relation, i: &Index) -> Option<Vec<&'t Attribute>> {
    i.keys.iter().map(|k| t.attribute(k.attnum)).collect()
}

/// The key leads to one tenant, to nobody's rows, or to one row in any case.
fn of_a_tenant(t: &Relation, i: &Index, tenant: &Attribute) -> bool {
    let has = |n: &i16| i.keys.iter().any(|k| k.attnum == *n);
    has(&tenant.num)
        || i.predicate.as_deref().is_some_and(|p| mentions(p, &tenant.name))
        || t.primary_key().is_some_and(|k| k.columns.iter().all(has))
        || t.constraints.iter().any(|k| k.kind == 'f' && k.columns.iter().any(has))
}

fn severity(c: &Catalog, t: &Relation, columns: &[&Attribute]) -> Option<Severity> {
    let words = |a: &Attribute| -> Vec<String> {
        a.name.to_ascii_lowercase().split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let anywhere = |a: &&Attribute| {
        a.base_type == types::UUID
            || a.identity
            || c.sequence_of(t.oid, a.num).is_some()
            || words(a).iter().any(|w| UNIQUE_ANYWHERE.contains(&w.as_str()))
    };
    let ends =
        |list: &[&str]| columns.iter().any(|a| words(a).last().is_some_and(|w| list.contains(&w.as_str())));
    if columns.iter().any(anywhere) {
        return None;
    }
    if ends(OWN_TO_A_TENANT) {
        return Some(Severity::Warning);
    }
    ends(MAYBE).then_some(Severity::Info)
}
