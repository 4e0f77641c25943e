use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::sessions::application_sessions;
use crate::lint::text::count;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC031",
    name: "app_role_owns_tables",
    category: Category::Security,
    severity: Severity::Info,
    title: "The role that applications connect as owns the tables",
    why: "Whoever gets a statement through the application may drop tables, switch off triggers and \
          policies and grant rights, for an owner may. Told of the role with most sessions in this \
          database now, admin tools not counted, if it is no superuser (that is SEC019).",
    bad: "CREATE ROLE shop LOGIN; ALTER TABLE orders OWNER TO shop; -- and the shop connects as shop",
    good: "CREATE ROLE shop_owner NOLOGIN; ALTER TABLE orders OWNER TO shop_owner; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO shop;",
    remedy: "an owner for migrations, and a role with SELECT, INSERT, UPDATE, DELETE for the application",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[Param { name: "sessions", default: 3.0, about: "sessions at once that make it an application's" }],
    recommended: true,
    check,
    fires: &[],
    silent: &[
        case("not connected", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_app"),
        case("nobody's", "SELECT"),
        case("temporary", "CREATE TEMP TABLE t (a int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let enough = c.param(&RULE, "sessions").max(1.0) as i64;
    let sessions = application_sessions(cluster);
    let most = sessions.iter().max_by_key(|(oid, n)| (**n, std::cmp::Reverse(**oid)));
    let Some((oid, n)) = most.filter(|(_, n)| **n >= enough) else { return };
    let Some(role) = c.roles.get(oid).filter(|r| r.login && !r.superuser) else { return };
    out.examine("");
    let owned = c.tables().filter(|t| t.owner == *oid).count();
    if owned > 0 {
        let identity = ident(&role.name);
        let message = format!(
            "role {identity} has {} and owns {}",
            count(sessions_of(*n), "session"),
            count(owned, "table")
        );
        let object = Object { kind: "role", schema: String::new(), identity, oid: *oid };
        out.find(
            Finding::new(object, message).confidence(0.6).evidence("sessions", *n).evidence("tables", owned),
        );
    }
}

fn sessions_of(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}
