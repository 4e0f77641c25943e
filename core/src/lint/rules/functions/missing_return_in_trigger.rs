use crate::lint::catalog::{Catalog, Function, Trigger};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::paths::reaches_end;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "FVT015",
    name: "missing_return_in_trigger",
    category: Category::Functions,
    severity: Severity::Error,
    title: "Trigger function can come to its end without RETURN",
    why: "Then the statement that fired it fails with \"control reached end of trigger procedure without \
          RETURN\": on the day the condition is met for the first time. An AFTER trigger, too, \
          has to return something. Functions that call others that may raise on such a path are given the \
          benefit of the doubt.",
    bad: "BEGIN IF NEW.total > 0 THEN RETURN NEW; END IF; END",
    good: "BEGIN IF NEW.total > 0 THEN ...; END IF; RETURN NEW; END",
    remedy: "RETURN NEW (or OLD for DELETE) at the end; RETURN NULL in an AFTER trigger",
    peers: "plpgsql_check",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("only in a branch", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.a > 1 THEN RETURN NEW; END IF; END$$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("never, after, quoted, two triggers", r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT; CREATE FUNCTION "F f"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_notify('x', 'RETURN NEW;'); END$$; CREATE TRIGGER "G g" AFTER INSERT ON "T.t" FOR EACH ROW EXECUTE FUNCTION "F f"(); CREATE TRIGGER h AFTER UPDATE ON "T.t" FOR EACH STATEMENT EXECUTE FUNCTION "F f"()"#),
        case("in the handler", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES (1); RETURN NEW; EXCEPTION WHEN unique_violation THEN RAISE NOTICE 'again'; END$$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
    ],
    silent: &[
        case("every branch", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; ELSIF TG_OP = 'UPDATE' THEN RETURN NEW; ELSE RAISE EXCEPTION 'no'; END IF; END$$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("a branch for each operation", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF (TG_OP = 'DELETE') THEN RETURN OLD; ELSIF (TG_OP = 'UPDATE') THEN RETURN NEW; ELSIF (TG_OP = 'INSERT') THEN RETURN NEW; END IF; END$$; CREATE TRIGGER g BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("always raises", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'append only'; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("no trigger uses it", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NULL; END$$"),
        case("event trigger", "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN NULL; END$$; CREATE EVENT TRIGGER g ON sql_drop EXECUTE FUNCTION f(); ALTER EVENT TRIGGER g DISABLE"),
        case("raised by another", "CREATE TABLE t (a int); CREATE FUNCTION r() RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM r(); END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("case without else raises", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN CASE TG_OP WHEN 'INSERT' THEN RETURN NEW; WHEN 'DELETE' THEN RETURN OLD; END CASE; END$$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("disabled", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NULL; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER g"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut seen = HashSet::new();
    let mut raising: Option<HashMap<&str, bool>> = None;
    for t in c.linted_relations() {
        for g in t.triggers.iter().filter(|g: &&Trigger| g.enabled && !g.inherited) {
            let f = c.function(g.function).filter(|f| f.linted && f.language == "plpgsql");
            let Some(f) = f.filter(|f| seen.insert(f.oid)) else { continue };
            out.examine(&f.schema);
            let falls = f.body().is_some_and(|sql| reaches_end(sql) == Some(true));
            if !falls || may_raise(f, raising.get_or_insert_with(|| raisers(c))) {
                continue;
            }
            let name = f.object().identity;
            let message =
                format!("{name} can end without RETURN (trigger {} of {})", ident(&g.name), t.sql_name());
            out.find(Finding::new(f.object(), message).confidence(0.9));
        }
    }
}

/// Functions by name: whether one of that name may raise.
fn raisers(c: &Catalog) -> HashMap<&str, bool> {
    let mut found: HashMap<&str, bool> = HashMap::new();
    for f in &c.functions {
        let raises = f.source.as_deref().is_none_or(|s| s.to_ascii_lowercase().contains("raise"));
        *found.entry(f.name.as_str()).or_default() |= raises;
    }
    found
}

/// Performs or calls a function that may raise.
fn may_raise(f: &Function, raising: &HashMap<&str, bool>) -> bool {
    let Some(sql) = f.body() else { return true };
    (0..sql.len())
        .filter(|i| sql.is_any(*i, &["perform", "call"]))
        .filter_map(|i| sql.named(i + 1))
        .any(|n| n.called && raising.get(n.name.as_str()).copied().unwrap_or(false))
}
