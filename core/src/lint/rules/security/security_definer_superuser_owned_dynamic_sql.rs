use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::dynamic::{dynamic_functions, lends_rights, raw};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC009",
    name: "security_definer_superuser_owned_dynamic_sql",
    category: Category::Security,
    severity: Severity::Error,
    title: "Function runs its caller's text as a superuser",
    why: "It is SECURITY DEFINER, a superuser owns it, others may call it, and a parameter goes into \
          EXECUTE as it is: whoever calls it is a superuser. Silent where only the owner may call it, and \
          where the parameter is quoted, compared with something, or otherwise looked at first.",
    bad: "CREATE FUNCTION drop_it(t text) ... SECURITY DEFINER AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$;",
    good: "... EXECUTE format('DROP TABLE app.%I', t); ... -- and ALTER FUNCTION drop_it(text) OWNER TO app_owner;",
    remedy: "format() with %I and %L or USING, an owner without more rights than the task needs, and EXECUTE only for those who need it",
    peers: "plpgsql_check (security)",
    hides: &["SEC026"],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("joined", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$"),
        case("as a whole, granted to a role", "CREATE FUNCTION f(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE $1; END$$; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC; GRANT EXECUTE ON FUNCTION f TO pg_monitor"),
        case("quoted, by a variable", r#"CREATE SCHEMA "S.s"; GRANT USAGE ON SCHEMA "S.s" TO PUBLIC; CREATE FUNCTION "S.s"."F f"("P p" varchar) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$DECLARE q text; n int; BEGIN q := format('SELECT count(*) FROM %s', "P p"); EXECUTE q INTO n; RETURN n; END$$"#),
        case("by concat, compared with nothing", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN IF f.t <> '' THEN EXECUTE concat('DROP TABLE ', f.t); END IF; END$$"),
    ],
    silent: &[
        case("quoted by format", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE format('DROP TABLE %I', t); END$$"),
        case("quoted in concat", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE concat('DROP TABLE ', quote_ident(f.t)); END$$"),
        case("only the owner calls it", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC"),
        case("nobody may use the schema", "CREATE SCHEMA s; CREATE FUNCTION s.f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$"),
        case("with the caller's rights", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$"),
        case("another owner", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'DROP TABLE ' || t; END$$; ALTER FUNCTION f OWNER TO lint_app"),
        case("a number, a class", "CREATE FUNCTION f(n int, c regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE 'DELETE FROM ' || c || ' WHERE id = ' || n; END$$"),
        case("extension member", "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN EXECUTE t; END$$; ALTER EXTENSION plpgsql ADD FUNCTION f(text)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let by_superuser = |owner| c.roles.get(&owner).is_some_and(|r| r.superuser);
    for f in dynamic_functions(c).filter(|f| lends_rights(c, f) && by_superuser(f.owner)) {
        out.examine(&f.schema);
        if let Some(raw) = raw(c, f).first() {
            let name = f.object().identity;
            let parameter = ident(&raw.parameter);
            let message =
                format!("{name} executes its parameter {parameter} as a superuser (line {})", raw.line);
            out.find(Finding::new(f.object(), message).confidence(0.8).evidence("line", raw.line));
        }
    }
}
