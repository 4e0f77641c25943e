use crate::lint::catalog::{Catalog, Grant, Relation, Trigger, PUBLIC};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::words;
use crate::lint::plpgsql::Body;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD013",
    name: "mutable_audit_table",
    category: Category::Lifecycle,
    severity: Severity::Warning,
    title: "Who writes the audit log may also change it",
    why: "A log that the logged can edit proves nothing: who broke in wipes the traces with the rights of \
          the application. Told of tables called audit_log, audit_trail and the like, and of logs and \
          histories with columns for the old and the new value, where a role other than the owner may \
          UPDATE, or may INSERT and DELETE or TRUNCATE. A role that only deletes clears old rows. Silent \
          where a trigger or row-level security forbids it.",
    bad: "GRANT ALL ON audit_log TO app;",
    good: "GRANT INSERT, SELECT ON audit_log TO app;",
    remedy: "REVOKE UPDATE, DELETE, TRUNCATE",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("all rights", "CREATE TABLE audit_log (id int); GRANT ALL ON audit_log TO PUBLIC"),
        case("may update, quoted", r#"CREATE TABLE "Audit.Trail" (id int); GRANT UPDATE ON "Audit.Trail" TO pg_monitor"#),
        case("a history by its columns", "CREATE TABLE changes_of_orders (id int, old_values jsonb, new_values jsonb); CREATE TABLE order_history (id int, old_row jsonb, new_row jsonb); GRANT INSERT, DELETE ON order_history TO pg_monitor"),
        case("partitioned, two roles", "CREATE TABLE audit_events (id int) PARTITION BY LIST (id); CREATE TABLE e1 PARTITION OF audit_events DEFAULT; GRANT INSERT, TRUNCATE ON audit_events TO pg_monitor; GRANT INSERT, UPDATE ON audit_events TO pg_read_all_data"),
    ],
    silent: &[
        case("may add", "CREATE TABLE audit_log (id int); GRANT SELECT, INSERT ON audit_log TO PUBLIC"),
        case("clears old rows", "CREATE TABLE audit_log (id int); GRANT SELECT, DELETE, TRUNCATE ON audit_log TO pg_monitor"),
        case("no audit log", "CREATE TABLE events (id int); CREATE TABLE job_log (id int, status text); CREATE TABLE product_cost_history (id int, cost numeric, end_date date); CREATE TABLE audits (id int, auditor int); GRANT ALL ON events, job_log, product_cost_history, audits TO PUBLIC"),
        case("a trigger forbids it", "CREATE TABLE audit_log (id int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE TRIGGER g BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION f(); GRANT ALL ON audit_log TO PUBLIC"),
        case("row-level security", "CREATE TABLE audit_log (id int); ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON audit_log FOR SELECT USING (true); GRANT INSERT, UPDATE, DELETE ON audit_log TO PUBLIC"),
        case("a column, temporary", "CREATE TABLE audit_log (id int, seen bool); GRANT UPDATE (seen) ON audit_log TO PUBLIC; CREATE TEMP TABLE audit_trail (id int); GRANT ALL ON audit_trail TO PUBLIC"),
    ],
};

/// Ends of names, without marks.
const LOGS: &[&str] = &[
    "audit log",
    "audit logs",
    "auditlog",
    "auditlogs",
    "audit trail",
    "audit trails",
    "audittrail",
    "audit event",
    "audit events",
    "audit entry",
    "audit entries",
    "audit record",
    "audit records",
    "audit history",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| is_audit_log(t)) {
        out.examine(&t.schema);
        let kept = kept_by_trigger(c, t);
        let writers: Vec<&Grant> = t.grants.iter().filter(|g| may_rewrite(c, t, g, &kept)).collect();
        let name = |g: &Grant| match g.grantee {
            PUBLIC => Some("PUBLIC".to_owned()),
            role => c.roles.get(&role).map(|r| ident(&r.name)),
        };
        let Some(roles) = writers.iter().map(|g| name(g)).collect::<Option<Vec<_>>>() else { continue };
        if !roles.is_empty() {
            let message = format!("audit log {} may be changed by {}", t.sql_name(), roles.join(", "));
            out.find(
                Finding::new(t.object(), message)
                    .confidence(0.8)
                    .evidence("roles", roles.clone())
                    .fix(fix(t, &writers, &roles)),
            );
        }
    }
}

/// By its whole name, or by a name and columns of what was and what is.
fn is_audit_log(t: &Relation) -> bool {
    let name = words(&t.name);
    let has = |word: &str| t.attributes.iter().any(|a| words(&a.name).first().is_some_and(|w| w == word));
    let sounds =
        name.iter().any(|w| matches!(w.as_str(), "audit" | "history" | "log" | "changelog" | "journal"));
    LOGS.iter().any(|end| format!(" {}", name.join(" ")).ends_with(&format!(" {end}")))
        || (sounds && has("old") && has("new"))
}

fn may_rewrite(c: &Catalog, t: &Relation, g: &Grant, kept: &Kept) -> bool {
    let bypasses = c.roles.get(&g.grantee).is_some_and(|r| r.bypasses_policies);
    let policy =
        |command| t.policies.iter().any(|p| p.permissive && (p.command == '*' || p.command == command));
    let rows = |command| !t.row_security || policy(command);
    let update = g.has("UPDATE") && rows('w') && !kept.update;
    let delete = ((g.has("DELETE") && rows('d')) || g.has("TRUNCATE")) && !kept.delete;
    g.column == 0 && !bypasses && (update || (delete && g.has("INSERT")))
}

/// What triggers refuse. Who refuses DELETE is taken to have thought of TRUNCATE.
struct Kept {
    update: bool,
    delete: bool,
}

fn kept_by_trigger(c: &Catalog, t: &Relation) -> Kept {
    let refuses = |f: u32| {
        let source = c.function(f).and_then(|f| f.source.as_deref());
        source.map(Body::new).is_none_or(|b| b.raises() || b.returns().iter().all(|r| r == "null"))
    };
    let kept = |on: fn(&Trigger) -> bool| {
        t.triggers.iter().any(|g| g.enabled && g.before() && on(g) && refuses(g.function))
    };
    Kept { update: kept(Trigger::on_update), delete: kept(Trigger::on_delete) }
}

fn fix(t: &Relation, writers: &[&Grant], roles: &[String]) -> Fix {
    const REWRITES: [&str; 3] = ["UPDATE", "DELETE", "TRUNCATE"];
    let table = t.sql_name();
    let undo: Vec<String> = writers
        .iter()
        .zip(roles)
        .map(|(g, role)| {
            let had: Vec<&str> = REWRITES.into_iter().filter(|p| g.has(p)).collect();
            format!("GRANT {} ON {table} TO {role};", had.join(", "))
        })
        .collect();
    let sql = format!("REVOKE {} ON {table} FROM {};", REWRITES.join(", "), roles.join(", "));
    Fix::new(sql, Safety::Review).undo(undo.join("\n"))
}
