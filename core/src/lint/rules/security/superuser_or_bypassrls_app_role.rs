use crate::lint::catalog::{Catalog, Oid, Role};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::sessions::application_sessions;
use crate::quote::ident;
use std::collections::HashSet;

pub static RULE: Rule = Rule {
    code: "SEC019",
    name: "superuser_or_bypassrls_app_role",
    category: Category::Security,
    severity: Severity::Error,
    title: "Applications connect as a role that no right and no policy binds",
    why: "One injected statement then reads every database, writes files and runs programs; with BYPASSRLS, \
          it reads every tenant. Taken for an application's is a role that may log in and was granted \
          the right to change tables here, which a superuser needs not, or one with several \
          sessions that are no admin tool's. The superuser made by initdb and hosted services' own are left alone; \
          BYPASSRLS only matters where a table has row security.",
    bad: "CREATE ROLE shop LOGIN SUPERUSER;",
    good: "CREATE ROLE shop LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO shop;",
    remedy: "ALTER ROLE ... NOSUPERUSER NOBYPASSRLS, and grant what it really does",
    peers: "pg-advisor, pgEdge G11",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "sessions", default: 3.0, about: "sessions at once that make it an application's" }],
    recommended: true,
    check,
    fires: &[
        case("superuser with grants", r#"CREATE TABLE "T.t" (a int); DO $$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN SUPERUSER', 'Lint super ' || current_database()); EXECUTE format('GRANT INSERT ON "T.t" TO %I', 'Lint super ' || current_database()); END $$"#),
        case("bypasses policies", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; DO $$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN BYPASSRLS', 'lint_bypass_' || current_database()); EXECUTE format('GRANT SELECT, UPDATE ON t TO %I', 'lint_bypass_' || current_database()); END $$"),
    ],
    silent: &[
        case("ordinary", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); GRANT INSERT ON t TO lint_app"),
        case("may not log in", "CREATE TABLE t (a int); DO $$ BEGIN EXECUTE format('CREATE ROLE %I NOLOGIN SUPERUSER', 'lint_nologin_' || current_database()); EXECUTE format('GRANT INSERT ON t TO %I', 'lint_nologin_' || current_database()); END $$"),
        case("only reads, as a backup does", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; DO $$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN BYPASSRLS', 'lint_backup_' || current_database()); EXECUTE format('GRANT SELECT ON t TO %I', 'lint_backup_' || current_database()); END $$"),
        case("no row security to bypass", "CREATE TABLE t (a int); DO $$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN BYPASSRLS', 'lint_norls_' || current_database()); EXECUTE format('GRANT INSERT ON t TO %I', 'lint_norls_' || current_database()); END $$"),
    ],
};

/// Made by initdb; its OID never changes.
const BOOTSTRAP: Oid = 10;
const OF_SERVICES: &[&str] = &[
    "postgres",
    "rds",
    "cloudsql",
    "azure",
    "supabase",
    "cloud_admin",
    "doadmin",
    "avnadmin",
    "alloydb",
    "neon",
];

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let sessions = application_sessions(cluster);
    let enough = c.param(&RULE, "sessions").max(1.0) as i64;
    let row_security = c.linted_relations().any(|r| r.row_security);
    let changes = |g: &&crate::lint::catalog::Grant| g.has("INSERT") || g.has("UPDATE") || g.has("DELETE");
    let writers: HashSet<Oid> =
        c.linted_relations().flat_map(|r| r.grants.iter().filter(changes).map(|g| g.grantee)).collect();
    let mut roles: Vec<(&Oid, &Role)> = c.roles.iter().filter(|(oid, r)| ours(**oid, r)).collect();
    roles.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    for (oid, r) in roles {
        let connected = sessions.get(oid).copied().unwrap_or(0);
        if !writers.contains(oid) && connected < enough {
            continue;
        }
        out.examine("");
        if r.superuser || (r.bypasses_policies && row_security) {
            out.find(finding(*oid, r, connected, writers.contains(oid)));
        }
    }
}

fn ours(oid: Oid, r: &Role) -> bool {
    r.login && oid != BOOTSTRAP && !OF_SERVICES.iter().any(|s| r.name.starts_with(s))
}

fn finding(oid: Oid, r: &Role, connected: i64, writes: bool) -> Finding {
    let name = ident(&r.name);
    let (what, sql, undo, severity) = if r.superuser {
        ("is a superuser", "NOSUPERUSER NOBYPASSRLS", "SUPERUSER", Severity::Error)
    } else {
        ("passes by row security", "NOBYPASSRLS", "BYPASSRLS", Severity::Warning)
    };
    let why = if writes {
        "was granted rights to change tables".to_owned()
    } else {
        format!("has {connected} sessions")
    };
    let fix = Fix::new(format!("ALTER ROLE {name} {sql};"), Safety::Review)
        .undo(format!("ALTER ROLE {name} {undo};"));
    let message = format!("role {name}, which may log in and {why}, {what}");
    let object = Object { kind: "role", schema: String::new(), identity: name, oid };
    Finding::new(object, message).severity(severity).confidence(0.7).fix(fix).evidence("sessions", connected)
}
