use crate::lint::catalog::types::{BPCHAR, INT2, INT4, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::{ends_with, folded, words};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::integrity::links;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT019",
    name: "mandatory_column_nullable",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Column that a row makes no sense without may be NULL",
    why: "A link between two tables that names only one of them, an account nobody can log in to, an order \
          that is in no state: queries drop such rows silently. Told of the two columns of a table that only \
          links others, of a status that has a default and may be NULL all the same, and of the e-mail \
          address of accounts with a password and no other name to log in by. Tenant columns are TEN004, \
          times of making and changing AUD004.",
    bad: "CREATE TABLE user_roles (user_id int REFERENCES users, role_id int REFERENCES roles);",
    good: "CREATE TABLE user_roles (user_id int NOT NULL REFERENCES users, role_id int NOT NULL REFERENCES roles);",
    remedy: "SET NOT NULL, once every row has a value",
    peers: "database_consistency",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("a link", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE t (id serial PRIMARY KEY, a int REFERENCES a, b int NOT NULL REFERENCES b, created_at timestamptz)"),
        case("a status, quoted", r#"CREATE TABLE "T.t" (id int PRIMARY KEY, "orderStatus" text DEFAULT 'new')"#),
        case("a login", "CREATE TABLE users (id int PRIMARY KEY, email text, password_hash text)"),
        case("partitioned, told once", "CREATE TABLE t (a int, status int DEFAULT 0) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("not null", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES a, PRIMARY KEY (a, b)); CREATE TABLE u (status text NOT NULL DEFAULT 'new', state text DEFAULT 'new' CHECK (state IS NOT NULL))"),
        case("set null by the key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a ON DELETE SET NULL, b int NOT NULL REFERENCES a)"),
        case("others refer to it, or both ends are one table", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE carts (id int PRIMARY KEY, a int REFERENCES a, b int REFERENCES b); CREATE TABLE items (id int PRIMARY KEY, cart int NOT NULL REFERENCES carts); CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes, root int REFERENCES nodes)"),
        case("not only a link", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES a, b int REFERENCES a, amount numeric)"),
        case("no default, no state", "CREATE TABLE t (status text, marital_status text, status_note text DEFAULT '', is_state bool DEFAULT true, state jsonb DEFAULT '{}')"),
        case("another way to log in", "CREATE TABLE users (email text, phone text, password text); CREATE TABLE members (email text, username text, encrypted_password text); CREATE TABLE contacts (email text)"),
        case("default null, temporary, a view", "CREATE TABLE t (status text DEFAULT NULL); CREATE TEMP TABLE u (status text DEFAULT 'x'); CREATE VIEW v AS SELECT 'x'::text AS status"),
    ],
};

const LOGINS: &[&str] = &[
    "username",
    "login",
    "loginname",
    "handle",
    "phone",
    "phonenumber",
    "mobile",
    "mobilenumber",
    "msisdn",
    "nickname",
    "account",
    "userid",
    "externalid",
    "provider",
    "name",
];
const PASSWORDS: &[&str] = &[
    "password",
    "passwordhash",
    "hashedpassword",
    "encryptedpassword",
    "passworddigest",
    "passwordencrypted",
    "pwdhash",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let both = link(c, t);
        let by_email = logs_in_by_email(t);
        for a in t.attributes.iter().filter(|a| !a.inherited && !a.generated) {
            let what = if both.contains(&a.num) {
                "links rows of two tables"
            } else if a.has_default && is_state(a) {
                "has a default"
            } else if by_email && folded(&a.name) == "email" {
                "is what an account logs in by"
            } else {
                continue;
            };
            out.examine(&t.schema);
            if t.never_null(a) || set_null(t, a) {
                continue;
            }
            let column = t.column_object(a);
            let message = format!("column {} {what} and may be NULL", column.identity);
            let sure = if both.contains(&a.num) { 0.9 } else { 0.6 };
            out.find(
                Finding::new(column, message)
                    .confidence(sure)
                    .evidence("column", a.name.as_str())
                    .fix(fix(t, a)),
            );
        }
    }
}

/// The columns of a table that does nothing but link rows of two others: what others refer to, or what
/// links rows of one table, may well have an end open.
fn link(c: &Catalog, t: &Relation) -> [i16; 2] {
    let keys: Vec<u32> = t.constraints.iter().filter(|k| k.kind == 'f').map(|k| k.ref_relation).collect();
    let apart = keys.first() != keys.get(1) && !c.is_referred_to(t.oid);
    links(t).filter(|_| apart).map(|pair| pair.map(|a| a.num)).unwrap_or_default()
}

fn set_null(t: &Relation, a: &Attribute) -> bool {
    t.constraints.iter().any(|k| {
        k.kind == 'f'
            && k.columns.contains(&a.num)
            && (matches!(k.on_delete, 'n' | 'd') || matches!(k.on_update, 'n' | 'd'))
    })
}

/// The status of the row itself, not that of a person (marital) or of something last tried.
fn is_state(a: &Attribute) -> bool {
    if !ends_with(&a.name, "status") && !ends_with(&a.name, "state") {
        return false;
    }
    let kind = matches!(a.base_type, TEXT | VARCHAR | BPCHAR | INT2 | INT4) || a.type_oid >= 16384;
    let words = words(&a.name);
    let last = words.last().is_some_and(|w| matches!(w.as_str(), "status" | "state"));
    kind && last
        && words.len() <= 2
        && !matches!(
            words.first().map(String::as_str),
            Some("marital" | "last" | "previous" | "old" | "sync")
        )
}

fn logs_in_by_email(t: &Relation) -> bool {
    let has = |names: &[&str]| t.attributes.iter().any(|a| names.contains(&folded(&a.name).as_str()));
    has(PASSWORDS) && !has(LOGINS)
}

fn fix(t: &Relation, a: &Attribute) -> Fix {
    let (table, column) = (t.sql_name(), ident(&a.name));
    Fix::new(format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;"), Safety::Rewrite)
        .undo(format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;"))
}
