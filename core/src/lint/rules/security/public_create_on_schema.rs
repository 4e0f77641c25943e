use crate::lint::catalog::{Catalog, PUBLIC};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC004",
    name: "public_create_on_schema",
    category: Category::Security,
    severity: Severity::Error,
    title: "Everybody may create objects in the schema",
    why: "Whoever connects can plant a function, table or operator that others' unqualified names \
          then find, and so run as them. Databases that come from a server before 15 have this on \
          schema public. CREATE for certain roles, and USAGE, are left alone.",
    bad: "GRANT CREATE ON SCHEMA public TO PUBLIC;",
    good: "GRANT CREATE ON SCHEMA public TO app_owner;",
    remedy: "REVOKE CREATE from PUBLIC, and grant it to the roles that make objects there",
    peers: "pglinter S003",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("as before 15", "GRANT CREATE ON SCHEMA public TO PUBLIC"),
        case("all rights, quoted", r#"CREATE SCHEMA "A.b ""c"; GRANT ALL ON SCHEMA "A.b ""c" TO PUBLIC"#),
        case(
            "63 bytes, beside a role",
            "CREATE SCHEMA sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss; \
             GRANT CREATE ON SCHEMA sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss TO PUBLIC, pg_monitor",
        ),
    ],
    silent: &[
        case("usage only", "CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO PUBLIC"),
        case("a certain role", "CREATE SCHEMA s; GRANT CREATE ON SCHEMA s TO pg_monitor"),
        case("taken back", "GRANT CREATE ON SCHEMA public TO PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        case("a tool's own", "CREATE SCHEMA partman; GRANT CREATE ON SCHEMA partman TO PUBLIC"),
        case("default", r#"CREATE SCHEMA "S.s""#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for s in c.linted_schemas() {
        out.examine(&s.name);
        if s.creators.contains(&PUBLIC) {
            let name = ident(&s.name);
            let fix = Fix::new(format!("REVOKE CREATE ON SCHEMA {name} FROM PUBLIC;"), Safety::Review)
                .undo(format!("GRANT CREATE ON SCHEMA {name} TO PUBLIC;"));
            let message = format!("everybody may create objects in schema {name}");
            out.find(Finding::new(s.object(), message).fix(fix));
        }
    }
}
