use crate::lint::catalog::cluster::{Cluster, LoginRole};
use crate::lint::catalog::{Catalog, Oid};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule, Section};
use crate::lint::rules::configuration::setting_object;
use crate::quote::ident;
use std::collections::BTreeSet;

pub static RULE: Rule = Rule {
    code: "CFG008",
    name: "missing_timeouts",
    category: Category::Configuration,
    severity: Severity::Warning,
    title: "Nothing ends what a role has forgotten",
    why: "Without any of statement_timeout, lock_timeout, idle_in_transaction_session_timeout (and \
          transaction_timeout) a query may run for days, and a forgotten transaction holds its locks until \
          somebody looks. Asked of roles that may log in, are no superusers, and own or may use what is here, themselves or as \
          members of another role; \
          what ALTER ROLE, ALTER DATABASE and the server set counts. A pooler or driver may set them by itself.",
    bad: "CREATE ROLE app LOGIN;",
    good: "ALTER ROLE app SET statement_timeout = '30s'; ALTER ROLE app SET idle_in_transaction_session_timeout = '1min';",
    remedy: "ALTER ROLE ... SET; the one for idle transactions disturbs nobody who works",
    peers: "pgdoctor session-settings",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Cluster],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("owner", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_app"),
        case("granted, switched off for the database", r#"DO $$ BEGIN CREATE ROLE "Lint.app" LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE "T.t" (a int); GRANT SELECT ON "T.t" TO "Lint.app"; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 0', current_database()); END $$"#),
        case("member of a member of the owner", "DO $$ BEGIN CREATE ROLE lint_group; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; DO $$ BEGIN CREATE ROLE lint_team; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; DO $$ BEGIN CREATE ROLE lint_member LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; DO $$ BEGIN GRANT lint_group TO lint_team; GRANT lint_team TO lint_member; EXCEPTION WHEN OTHERS THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_group"),
    ],
    silent: &[
        case("set for the role here", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_app; DO $$ BEGIN EXECUTE format('ALTER ROLE lint_app IN DATABASE %I SET lock_timeout = ''5s''', current_database()); END $$"),
        case("set for the database", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_app; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''5min''', current_database()); END $$"),
        case("may not log in", "DO $$ BEGIN CREATE ROLE lint_alone; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a int); ALTER TABLE t OWNER TO lint_alone"),
        case("superuser", "CREATE TABLE t (a int)"),
        case("everybody", "CREATE TABLE t (a int); GRANT SELECT ON t TO PUBLIC"),
    ],
};

const TIMEOUTS: &[&str] =
    &["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"];

fn check(c: &Catalog, out: &mut Report) {
    let Some(cluster) = &c.cluster else { return };
    let mut users: BTreeSet<Oid> = BTreeSet::new();
    for r in c.linted_relations() {
        users.insert(r.owner);
        users.extend(r.grants.iter().map(|g| g.grantee));
    }
    let uses =
        |r: &&LoginRole| users.contains(&r.oid) || r.member_of.iter().any(|group| users.contains(group));
    for role in cluster.roles.iter().filter(uses) {
        match has_timeout(cluster, role) {
            Ok(has) => {
                out.examine("");
                if !has {
                    out.find(finding(c, role));
                }
            }
            Err(name) => {
                let reason = "this session, role or database has its own value and hides the server's";
                out.skip(setting_object(name), reason);
                return;
            }
        }
    }
}

/// Whether any of them is set. Err: one whose value for everybody cannot be seen.
fn has_timeout(cluster: &Cluster, role: &LoginRole) -> Result<bool, &'static str> {
    let mut hidden = None;
    for name in TIMEOUTS {
        // names are stored as they were written
        let own = role.settings.iter().rev().find_map(|s| {
            let (n, value) = s.split_once('=')?;
            n.eq_ignore_ascii_case(name).then_some(value)
        });
        match own.or_else(|| cluster.configured(name)) {
            Some(value) if !is_zero(value) => return Ok(true),
            None if cluster.value(name).is_some() => hidden = Some(*name),
            _ => {}
        }
    }
    hidden.map_or(Ok(false), Err)
}

/// `0`, `0ms`, `0 s`.
fn is_zero(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    number.parse::<f64>().is_ok_and(|n| n == 0.0)
}

fn finding(c: &Catalog, role: &LoginRole) -> Finding {
    let (name, database) = (ident(&role.name), ident(&c.database));
    let object = Object { kind: "role", schema: String::new(), identity: name.clone(), oid: role.oid };
    let set = format!("ALTER ROLE {name} IN DATABASE {database}");
    let fix = Fix::new(format!("{set} SET idle_in_transaction_session_timeout = '5min';"), Safety::Review)
        .undo(format!("{set} RESET idle_in_transaction_session_timeout;"));
    Finding::new(object, format!("role {name} has no timeout of any kind")).confidence(0.6).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules::counters::tests::setting;

    #[test]
    fn the_strongest_counts() {
        let cluster = |value: &str, source: &str| Cluster {
            settings: [("lock_timeout".to_owned(), setting(value, Some("ms"), source))].into(),
            ..Cluster::default()
        };
        let role = |settings: &[&str]| LoginRole {
            settings: settings.iter().map(|s| (*s).to_owned()).collect(),
            ..LoginRole::default()
        };
        let none = cluster("0", "default");
        assert_eq!(has_timeout(&none, &role(&[])), Ok(false));
        assert_eq!(has_timeout(&none, &role(&["Statement_Timeout=5s"])), Ok(true));
        assert_eq!(has_timeout(&none, &role(&["statement_timeout=5s", "statement_timeout=0"])), Ok(false));
        assert_eq!(has_timeout(&cluster("9000", "configuration file"), &role(&[])), Ok(true));
        assert_eq!(
            has_timeout(&cluster("9000", "configuration file"), &role(&["lock_timeout=0ms"])),
            Ok(false)
        );
        assert_eq!(has_timeout(&cluster("9000", "session"), &role(&[])), Err("lock_timeout"));
        assert_eq!(has_timeout(&cluster("9000", "session"), &role(&["lock_timeout=1s"])), Ok(true));
    }
}
