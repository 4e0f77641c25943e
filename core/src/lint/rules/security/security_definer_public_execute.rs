use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "SEC008",
    name: "security_definer_public_execute",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Everybody may call a SECURITY DEFINER function",
    why: "It does what its owner may do, for whoever connects: a new function can be called by \
          PUBLIC unless that is taken back. Trigger functions, which cannot be called, and schemas \
          that PUBLIC may not use are left alone.",
    bad: "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; -- and nothing else",
    good: "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO app;",
    remedy: "REVOKE EXECUTE from PUBLIC, and grant it to the roles that call it",
    peers: "splinter 0028-0029",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("as it is made", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
        case("granted beside a role", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f() TO pg_monitor"),
        case("quoted procedure with arguments", r#"CREATE PROCEDURE "F.f ""f"(x int, "Y" text DEFAULT 'z') LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"#),
    ],
    silent: &[
        case("taken back", r#"CREATE FUNCTION "F.f"(a text) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION "F.f" FROM PUBLIC"#),
        case("runs with the caller's rights", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        case("trigger function", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END'"),
        case("nobody may use the schema", "CREATE SCHEMA s; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
        case("extension member", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for f in c.functions.iter().filter(|f| f.linted && f.security_definer && !f.trigger) {
        out.examine(&f.schema);
        if f.public_execute && c.schema(&f.schema).is_some_and(|s| s.open) {
            let name = f.object().identity;
            let fix = Fix::new(format!("REVOKE EXECUTE ON ROUTINE {name} FROM PUBLIC;"), Safety::Review)
                .undo(format!("GRANT EXECUTE ON ROUTINE {name} TO PUBLIC;"));
            let message = format!("everybody may call SECURITY DEFINER function {name}");
            out.find(Finding::new(f.object(), message).fix(fix));
        }
    }
}
