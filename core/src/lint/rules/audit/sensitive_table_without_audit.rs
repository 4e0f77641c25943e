use crate::lint::catalog::{Catalog, Relation, Trigger};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::words;
use crate::lint::plpgsql::Body;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::security::sensitive;
use crate::quote::literal;

pub static RULE: Rule = Rule {
    code: "AUD011",
    name: "sensitive_table_without_audit",
    category: Category::Lifecycle,
    severity: Severity::Warning,
    title: "Changes of accounts, rights or money are not logged, those of other tables are",
    why: "The first question after a break-in or a wrong booking is who changed the role or the amount, and \
          when. Told in a database where some table is audited by a trigger: of tables called users, roles, \
          permissions, payments, invoices and the like, and those with a column of secrets or personal \
          numbers. A database where nothing is audited, or pgaudit is at work, is left alone, and so is a \
          table with a trigger that writes somewhere else.",
    bad: "CREATE TABLE payments (...); -- orders has an audit trigger",
    good: "SELECT dbguard.audit_enable('payments');",
    remedy: "dbguard.audit_enable",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("another table is", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE TABLE payments (id int PRIMARY KEY, amount numeric)"),
        case("quoted, by another tool's trigger", r#"CREATE SCHEMA "S.s"; CREATE TABLE a (id int PRIMARY KEY); CREATE FUNCTION if_modified_func() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER g AFTER INSERT OR UPDATE OR DELETE ON a FOR EACH ROW EXECUTE FUNCTION if_modified_func(); CREATE TABLE "S.s"."UserRoles" (id int PRIMARY KEY, "it's" text)"#),
        case("by a column", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE TABLE suppliers (id int PRIMARY KEY, iban text)"),
        case("its trigger is disabled", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE TABLE users (id int PRIMARY KEY); CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER audit AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log_it(); ALTER TABLE users DISABLE TRIGGER audit"),
    ],
    silent: &[
        case("nothing is audited", "CREATE TABLE orders (id int PRIMARY KEY, modified timestamptz); CREATE FUNCTION update_modified_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.modified := now(); RETURN NEW; END'; CREATE TRIGGER g BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION update_modified_column(); CREATE TABLE users (id int PRIMARY KEY, password text); CREATE TABLE payments (id int PRIMARY KEY)"),
        case("it is", "CREATE TABLE users (id int PRIMARY KEY); SELECT dbguard.audit_enable('users')"),
        case("other names", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE TABLE user_preferences (id int PRIMARY KEY); CREATE TABLE actor_role (id int PRIMARY KEY); CREATE TABLE payment_methods (id int PRIMARY KEY, amount numeric)"),
        case("writes elsewhere", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE seen (id int PRIMARY KEY); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END'; CREATE TRIGGER g AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f()"),
        case("a view, temporary", "CREATE TABLE orders (id int PRIMARY KEY); SELECT dbguard.audit_enable('orders'); CREATE VIEW users AS SELECT 1 AS id; CREATE TEMP TABLE payments (id int PRIMARY KEY)"),
    ],
};

/// Whole names of tables, in the singular.
const SENSITIVE: &[&str] = &[
    "user",
    "app user",
    "user account",
    "role",
    "user role",
    "permission",
    "role permission",
    "user permission",
    "credential",
    "payment",
    "invoice",
    "refund",
    "payout",
    "bank account",
    "credit card",
    "salary",
    "payroll",
];

/// What trigger functions and triggers that keep a log are called.
const LOGS: &[&str] = &["audit", "audits", "history", "log", "logs", "versioning", "journal", "changelog"];

fn check(c: &Catalog, out: &mut Report) {
    let off = |name: &str| matches!(c.setting(name), None | Some("" | "none"));
    let audited = |t: &Relation| t.triggers.iter().any(|g| logs_by_name(c, g));
    if !off("pgaudit.log") || !off("pgaudit.role") || !c.tables().any(audited) {
        return;
    }
    for t in c.tables().filter(|t| matters(t)) {
        out.examine(&t.schema);
        if !t.triggers.iter().any(|g| logs_by_name(c, g) || writes(c, g)) {
            let message = format!("changes of {} are not logged", t.sql_name());
            out.find(Finding::new(t.object(), message).confidence(0.6).fix(fix(c, t)));
        }
    }
}

fn matters(t: &Relation) -> bool {
    let mut name = words(&t.name);
    if let Some(last) = name.last_mut() {
        let one = crate::lint::names::singular(last);
        *last = one.unwrap_or_else(|| last.clone());
    }
    SENSITIVE.contains(&name.join(" ").as_str()) || t.attributes.iter().any(sensitive)
}

fn logs_by_name(c: &Catalog, g: &Trigger) -> bool {
    let function = c.function(g.function);
    let named = |name: &str| words(name).iter().any(|w| LOGS.contains(&w.as_str()));
    g.enabled
        && g.on_update()
        && (named(&g.name) || function.is_some_and(|f| named(&f.name) || f.name == "if_modified_func"))
}

/// Benefit of the doubt to a body that cannot be read; dbguard's other triggers keep no log.
fn writes(c: &Catalog, g: &Trigger) -> bool {
    let Some(f) = c.function(g.function).filter(|f| f.schema != "dbguard") else { return false };
    let body = f.source.as_deref().filter(|_| f.language == "plpgsql").map(Body::new);
    g.enabled && g.on_update() && body.is_none_or(|b| b.has("insert") || b.has("execute"))
}

fn fix(c: &Catalog, t: &Relation) -> Option<Fix> {
    c.functions.iter().find(|f| f.schema == "dbguard" && f.name == "audit_enable")?;
    t.primary_key()?;
    let sql = |what: &str| format!("SELECT dbguard.{what}({});", literal(&t.sql_name()));
    Some(Fix::new(sql("audit_enable"), Safety::Review).undo(sql("audit_disable")))
}
