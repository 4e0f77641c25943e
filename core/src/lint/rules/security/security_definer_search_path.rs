use crate::lint::catalog::{Catalog, Function};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC007",
    name: "security_definer_search_path",
    category: Category::Security,
    severity: Severity::Error,
    title: "SECURITY DEFINER function does not pin a safe search_path",
    why: "It runs with its owner's rights but finds tables and operators by the caller's \
          search_path, or through a schema where others may create: the caller plants an object \
          and runs it as the owner. Functions that run with the caller's own rights are left \
          alone.",
    bad: "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM t';",
    good: "ALTER FUNCTION f() SET search_path = pg_catalog, app, pg_temp;",
    remedy: "SET search_path to pg_catalog, schemas only the owner can create in, and pg_temp last",
    peers: "splinter 0011 (all functions)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("no search_path", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
        case("everybody may create there", "CREATE SCHEMA a; GRANT CREATE ON SCHEMA a TO PUBLIC; CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = a AS 'SELECT 1'"),
        case("the caller's own schema", r#"CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "$user", pg_catalog AS 'SELECT 1'"#),
        case("temporary objects first", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_temp, pg_catalog AS 'SELECT 1'"),
        case("quoted procedure with arguments", r#"CREATE SCHEMA "A.a"; CREATE PROCEDURE "A.a"."F ""f"(x int, "Y" text DEFAULT 'z') LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"#),
    ],
    silent: &[
        case("pinned", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1'"),
        case("empty", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1'"),
        case("own schema, quoted", r#"CREATE SCHEMA "A, b"; CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "A, b", pg_temp AS 'SELECT 1'"#),
        case("runs with the caller's rights", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        case("extension member", "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for f in c.functions.iter().filter(|f| f.linted && f.security_definer) {
        out.examine(&f.schema);
        let path = f.config.iter().find_map(|s| s.strip_prefix("search_path="));
        let trouble = match path {
            None => Some("follows the caller's search_path".to_owned()),
            Some(path) => trouble(c, f, &names(path)),
        };
        if let Some(trouble) = trouble {
            let name = f.object().identity;
            let message = format!("SECURITY DEFINER function {name} {trouble}");
            out.find(Finding::new(f.object(), message).evidence("search_path", path).fix(fix(c, f)));
        }
    }
}

fn trouble(c: &Catalog, f: &Function, path: &[String]) -> Option<String> {
    if path.iter().rev().skip(1).any(|n| n == "pg_temp") {
        return Some("looks at temporary objects before others".to_owned());
    }
    if path.iter().any(|n| n == "$user") {
        return Some("looks into the caller's own schema".to_owned());
    }
    let open = path.iter().find(|n| !only_owner_creates(c, f, n))?;
    Some(format!("looks into schema {}, where others may create objects", ident(open)))
}

/// A schema that is not there yet is nobody's, so nothing can be planted in it.
fn only_owner_creates(c: &Catalog, f: &Function, schema: &str) -> bool {
    c.schema(schema).is_none_or(|s| s.creators.iter().all(|role| *role == f.owner))
}

/// What objects the body means by unqualified names is guessed: those of its own schema.
fn fix(c: &Catalog, f: &Function) -> Option<Fix> {
    if !only_owner_creates(c, f, &f.schema) {
        return None;
    }
    let (name, schema) = (f.object().identity, ident(&f.schema));
    let sql = format!("ALTER ROUTINE {name} SET search_path = pg_catalog, {schema}, pg_temp;");
    Some(Fix::new(sql, Safety::Review).undo(format!("ALTER ROUTINE {name} RESET search_path;")))
}

/// The names of a search_path setting, quotes taken off.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut quoted = false;
    let mut chars = path.chars().peekable();
    while let Some(ch) = chars.next() {
        let doubled = quoted && ch == '"' && chars.next_if_eq(&'"').is_some();
        match ch {
            '"' if !doubled => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            ' ' if !quoted => {}
            _ => {
                if let Some(name) = names.last_mut() {
                    name.push(ch);
                }
            }
        }
    }
    names.retain(|n| !n.is_empty());
    names
}
