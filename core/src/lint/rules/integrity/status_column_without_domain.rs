use crate::lint::catalog::types::{BPCHAR, INT2, INT4, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::engine::object_name;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::{ends_with, words};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::text::{count, mentions};
use crate::quote::{ident, literal};

pub static RULE: Rule = Rule {
    code: "INT038",
    name: "status_column_without_domain",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Status column takes any value",
    why: "'canceled' beside 'cancelled', and rows that no query for either finds. Told of columns called \
          status, state, kind, role or level (text), and status, state or kind (integers, as info: an \
          application's enumeration) that no CHECK, enum, domain or foreign key holds to a list. Silent where \
          ANALYZE saw more than 30 values, where the column alone is unique, and for the state of an address. \
          Where ANALYZE saw all the values of some hundred rows, the fix lists them.",
    bad: "CREATE TABLE orders (status text NOT NULL);",
    good: "CREATE TABLE orders (status text NOT NULL CHECK (status IN ('new', 'paid', 'sent')));",
    remedy: "ADD CHECK ... NOT VALID with the values there may be, then VALIDATE CONSTRAINT; or an enum",
    peers: "",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[Section::Samples],
    params: &[Param { name: "values", default: 30.0, about: "distinct values up to which a column is a status" }],
    recommended: true,
    check,
    fires: &[
        case("no statistics", "CREATE TABLE t (status text)"),
        case("values known", "CREATE TABLE t (status text); INSERT INTO t SELECT (ARRAY['new', 'it''s', E'a\\\\b', 'a,b \"c\"'])[i % 4 + 1] FROM generate_series(1, 1000) i; ANALYZE t"),
        case("integers, quoted", r#"CREATE TABLE "T.t" ("orderState" smallint); INSERT INTO "T.t" SELECT i % 3 FROM generate_series(1, 1000) i; ANALYZE"#),
        case("with NULLs, the name is taken", "CREATE TABLE t (a int CONSTRAINT t_kind_check CHECK (a > 0), kind varchar(10)); INSERT INTO t SELECT 1, (ARRAY['x', 'y'])[i % 3] FROM generate_series(1, 1000) i; ANALYZE t"),
        case("a small table", "CREATE TABLE t (status text); INSERT INTO t VALUES ('a'), ('a'), ('b'), ('b'); ANALYZE t"),
        case("partitioned, 63 bytes", "CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (role char(3)) PARTITION BY LIST (role); CREATE TABLE t1 PARTITION OF ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt DEFAULT; INSERT INTO t1 SELECT (ARRAY['a', 'b'])[i % 2 + 1] FROM generate_series(1, 1000) i; ANALYZE"),
    ],
    silent: &[
        case("check, enum, domain, foreign key", "CREATE TYPE e AS ENUM ('x'); CREATE DOMAIN d AS text; CREATE TABLE l (code text PRIMARY KEY); CREATE TABLE a (status text CHECK (status IN ('x')), state e, kind d, role text REFERENCES l)"),
        case("a check over two", "CREATE TABLE t (status text, done bool, CHECK ((status = 'done') = done))"),
        case("of an address", "CREATE TABLE t (street text, city text, state text, zip text)"),
        case("many values", "CREATE TABLE t (state text); INSERT INTO t SELECT i % 40 || 'x' FROM generate_series(1, 4000) i; ANALYZE t"),
        case("a value a row", "CREATE TABLE t (state text); INSERT INTO t SELECT md5(i::text) FROM generate_series(1, 1000) i; ANALYZE t"),
        case("part of the key", "CREATE TABLE members (relation int, member int, role text, PRIMARY KEY (relation, member, role)); CREATE TABLE ways (relation int, member int, member_role text)"),
        case("unique", "CREATE TABLE oauth (state text PRIMARY KEY); CREATE TABLE u (status text UNIQUE)"),
        case("other names and types", "CREATE TABLE t (status_note text, level int, role int, statement text, is_state bool, http_status int, status jsonb, status_code int, estate text)"),
        case("generated, temporary, a view", "CREATE TABLE t (a int, status text GENERATED ALWAYS AS (CASE WHEN a > 1 THEN 'x' END) STORED); CREATE TEMP TABLE u (status text); CREATE VIEW v AS SELECT 'x'::text AS status"),
    ],
};

const NAMES: &[&str] = &["status", "state", "kind", "role", "level", "estado"];

/// From how many rows on the values seen are taken for all.
const ROWS: f64 = 300.0;

fn check(c: &Catalog, out: &mut Report) {
    let most = c.param(&RULE, "values");
    for (t, a) in c.columns().filter(|(t, a)| is_status(t, a)) {
        let rows = c.rows(t).unwrap_or_default();
        let sample = a.sample.as_ref().and_then(|s| s.as_ref().ok());
        let seen = sample.map_or(0.0, |s| s.count(rows));
        if seen > most {
            continue;
        }
        out.examine(&t.schema);
        if held(t, a) {
            continue;
        }
        let column = t.column_object(a);
        let mut message = format!("column {} takes any value", column.identity);
        if seen > 0.0 {
            message += &format!("; ANALYZE saw {}", count(seen as usize, "different one"));
        }
        let integer = matches!(a.base_type, INT2 | INT4);
        let severity = if integer { Severity::Info } else { Severity::Warning };
        let sure = if seen > 0.0 { 0.8 } else { 0.6 };
        // what a few rows have is not all there may be
        let enough = |values: &&[String]| values.len() >= 2 && rows >= ROWS;
        let values = sample.and_then(|s| s.all_values(rows)).filter(enough);
        let fix = values.and_then(|values| fix(t, a, values));
        let found = Finding::new(column, message).severity(severity).confidence(sure);
        out.find(found.evidence("column", a.name.as_str()).fix(fix));
    }
}

fn is_status(t: &Relation, a: &Attribute) -> bool {
    if !NAMES.iter().any(|end| ends_with(&a.name, end)) {
        return false;
    }
    let words = words(&a.name);
    let Some(last) = words.last().map(String::as_str) else { return false };
    // numbers that others give out
    let code = matches!(
        words.first().map(String::as_str),
        Some("http" | "exit" | "terminal" | "return" | "response" | "smtp" | "session" | "oauth" | "auth")
    );
    let named = !code
        && match a.type_oid {
            TEXT | VARCHAR | BPCHAR => {
                matches!(last, "status" | "state" | "kind" | "level" | "estado")
                    || (last == "role" && is_of_an_account(&words))
            }
            INT2 | INT4 => matches!(last, "status" | "state" | "kind" | "estado"),
            _ => false,
        };
    let alone = |keys: Vec<i16>| keys == [a.num];
    let unique = t.indexes.iter().any(|i| i.unique && alone(i.keys.iter().map(|k| k.attnum).collect()));
    let of_an_address = matches!(last, "state" | "estado") && has_address(t);
    // part of what tells rows apart: a name that somebody gave
    let in_key = t.primary_key().is_some_and(|k| k.columns.contains(&a.num));
    named && !a.generated && !unique && !in_key && !of_an_address
}

/// What somebody may do here, and not what part a thing plays in another.
fn is_of_an_account(words: &[String]) -> bool {
    const WHOSE: &[&str] =
        &["user", "account", "access", "admin", "app", "project", "team", "workspace", "org", "organization"];
    words.len() == 1 || words.first().is_some_and(|w| WHOSE.contains(&w.as_str()))
}

fn has_address(t: &Relation) -> bool {
    const ADDRESS: &[&str] = &[
        "city",
        "zip",
        "zipcode",
        "postcode",
        "postal",
        "street",
        "country",
        "county",
        "address",
        "ciudad",
        "municipio",
        "region",
    ];
    t.attributes.iter().any(|a| words(&a.name).iter().any(|w| ADDRESS.contains(&w.as_str())))
}

/// A CHECK that names the column, whatever it says, or a foreign key.
fn held(t: &Relation, a: &Attribute) -> bool {
    t.constraints.iter().any(|k| match k.kind {
        'f' => k.columns.contains(&a.num),
        'c' => {
            k.columns.contains(&a.num)
                && k.definition
                    .as_deref()
                    .is_none_or(|d| mentions(d, &a.name) && !d.ends_with("IS NOT NULL))"))
        }
        _ => false,
    })
}

/// VALIDATE refuses, and all is as before, where a rare value escaped ANALYZE.
fn fix(t: &Relation, a: &Attribute, values: &[String]) -> Option<Fix> {
    let integer = matches!(a.base_type, INT2 | INT4);
    let mut list: Vec<String> = values.iter().map(|v| if integer { v.clone() } else { literal(v) }).collect();
    list.sort();
    let taken = |name: &str| t.constraints.iter().any(|k| ident(&k.name) == name);
    let names = [&[t.name.as_str(), &a.name, "check"][..], &[a.name.as_str(), "values", &t.name][..]];
    let name = names.into_iter().map(object_name).find(|n| !taken(n))?;
    let (table, column) = (t.sql_name(), ident(&a.name));
    let sql = format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({})) NOT VALID;\nALTER TABLE {table} VALIDATE CONSTRAINT {name};",
        list.join(", ")
    );
    Some(Fix::new(sql, Safety::Review).undo(format!("ALTER TABLE {table} DROP CONSTRAINT {name};")))
}
