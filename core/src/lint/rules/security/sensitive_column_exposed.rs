use crate::lint::catalog::{types, Attribute, Catalog, Relation, RelationKind, PUBLIC};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC002",
    name: "sensitive_column_exposed",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Everybody may read a column of secrets or personal numbers",
    why: "By its name the column holds a password, key, card or identity number, and PUBLIC, every \
          role there is and to come, has SELECT on it. Tables under row-level security, encrypted \
          values (bytea), views, which may mask, and names that say hash, encrypted or masked are \
          left alone.",
    bad: "GRANT SELECT ON customers TO PUBLIC; -- with a column ssn",
    good: "REVOKE SELECT ON customers FROM PUBLIC; GRANT SELECT (id, name) ON customers TO PUBLIC;",
    remedy: "REVOKE SELECT on the table, and grant it on the other columns",
    peers: "splinter 0023",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("by the table", "CREATE TABLE t (id int, ssn text); GRANT SELECT ON t TO PUBLIC"),
        case("two of them, hostile names", r#"CREATE TABLE "T.t" ("Id.x" int, "CreditCardNumber" varchar(20), "API_Key" text); GRANT SELECT, INSERT ON "T.t" TO PUBLIC"#),
        case("by the column", "CREATE TABLE t (id int, password text, iban text); GRANT SELECT (id, password) ON t TO PUBLIC"),
        case("by both, nothing else in it", "CREATE TABLE t (iban text) PARTITION BY LIST (iban); CREATE TABLE t1 PARTITION OF t DEFAULT; GRANT SELECT ON t TO PUBLIC; GRANT SELECT (iban) ON t TO PUBLIC"),
    ],
    silent: &[
        case("another column", r#"CREATE TABLE "T.t" ("Id.x" int, ssn text); GRANT SELECT ("Id.x"), UPDATE (ssn) ON "T.t" TO PUBLIC"#),
        case("to a role", "CREATE TABLE t (ssn text); GRANT SELECT ON t TO pg_monitor"),
        case("other names", "CREATE TABLE t (password_hash text, passwords int, card_number_masked text, ssn_token_count int, secretary text, keyboard text); GRANT SELECT ON t TO PUBLIC"),
        case("encrypted, counted, dated", "CREATE TABLE t (ssn bytea, password bool, api_key timestamptz); GRANT SELECT ON t TO PUBLIC"),
        case("under row-level security", "CREATE TABLE t (ssn text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO PUBLIC"),
        case("view, temporary", "CREATE VIEW v AS SELECT 'x' AS ssn; GRANT SELECT ON v TO PUBLIC; CREATE TEMP TABLE u (ssn text); GRANT SELECT ON u TO PUBLIC"),
    ],
};

/// Whole names, in lower case and without what is no letter or digit.
const SENSITIVE: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "userpassword",
    "clientsecret",
    "secretkey",
    "privatekey",
    "apikey",
    "apisecret",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "sessiontoken",
    "resettoken",
    "otpsecret",
    "totpsecret",
    "mfasecret",
    "ssn",
    "socialsecuritynumber",
    "creditcard",
    "creditcardnumber",
    "cardnumber",
    "ccnumber",
    "cvv",
    "cvc",
    "iban",
    "bankaccountnumber",
    "passportnumber",
    "taxid",
    "nationalid",
    "driverslicense",
    "driverslicensenumber",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.linted_relations().filter(|t| t.kind != RelationKind::View) {
        for a in t.attributes.iter().filter(|a| sensitive(a)) {
            out.examine(&t.schema);
            let granted = |column| {
                t.grants.iter().any(|g| g.grantee == PUBLIC && g.column == column && g.has("SELECT"))
            };
            if t.row_security || !(granted(0) || granted(a.num)) {
                continue;
            }
            let column = t.column_object(a);
            let message = format!("everybody may read {}", column.identity);
            out.find(Finding::new(column, message).confidence(0.8).fix(fix(t, a, granted(0))));
        }
    }
}

/// Short text, or a number: not a flag, a date or something encrypted.
pub fn sensitive(a: &Attribute) -> bool {
    let name: String = a.name.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let text = matches!(a.base_type, types::TEXT | types::VARCHAR | types::BPCHAR);
    let number = matches!(a.base_type, types::INT8 | types::INT4);
    (text || number) && SENSITIVE.contains(&name.to_ascii_lowercase().as_str())
}

/// A right on the whole table cannot be taken from one column of it.
fn fix(t: &Relation, a: &Attribute, whole: bool) -> Fix {
    let table = t.sql_name();
    if !whole {
        let column = ident(&a.name);
        return Fix::new(format!("REVOKE SELECT ({column}) ON {table} FROM PUBLIC;"), Safety::Review)
            .undo(format!("GRANT SELECT ({column}) ON {table} TO PUBLIC;"));
    }
    let others: Vec<&str> = t.attributes.iter().filter(|a| !sensitive(a)).map(|a| a.name.as_str()).collect();
    let mut sql = format!("REVOKE SELECT ON {table} FROM PUBLIC;");
    if !others.is_empty() {
        sql += &format!("\nGRANT SELECT ({}) ON {table} TO PUBLIC;", idents(&others));
    }
    Fix::new(sql, Safety::Review).undo(format!("GRANT SELECT ON {table} TO PUBLIC;"))
}
