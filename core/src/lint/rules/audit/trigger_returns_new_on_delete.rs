use crate::lint::catalog::{Catalog, Trigger};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::plpgsql::Body;
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "AUD014",
    name: "trigger_returns_new_on_delete",
    category: Category::Lifecycle,
    severity: Severity::Error,
    title: "Trigger uses NEW where a row is deleted: there it is NULL",
    why: "A BEFORE DELETE trigger that returns NEW returns NULL, which tells the server to skip \
          the row: DELETE reports success and deletes nothing. An AFTER DELETE trigger that reads \
          NEW logs NULLs. Only fires where every RETURN is RETURN NEW, or the trigger is for \
          DELETE alone.",
    bad: "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN ...; RETURN NEW; END$$;",
    good: "... RETURN coalesce(NEW, OLD); ...",
    remedy: "RETURN OLD when TG_OP is DELETE, and read OLD there",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("for every operation", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1; RETURN NEW; END$$; CREATE TRIGGER g BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("branches that all return new", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF OLD.a > 1 THEN RAISE EXCEPTION 'no'; ELSE RETURN NEW; END IF; RETURN NEW; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("after delete reads new", "CREATE TABLE t (a int); CREATE TABLE l (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO l VALUES (NEW.a); RETURN NULL; END$$; CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("quoted, old only in a comment", r#"CREATE TABLE "T.t" (a int); CREATE FUNCTION "F f"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN -- RETURN OLD;
            return new; END$$; CREATE TRIGGER "G ""g" BEFORE DELETE ON "T.t" FOR EACH ROW EXECUTE FUNCTION "F f"()"#),
    ],
    silent: &[
        case("returns old for delete", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END$$; CREATE TRIGGER g BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("coalesce", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN coalesce(NEW, OLD); END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("after row: the result is ignored", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$; CREATE TRIGGER g AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("not for delete", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$; CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("forbids it", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'append only'; RETURN NEW; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("statement trigger", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION f()"),
        case("new becomes old first", "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF TG_OP = 'DELETE' THEN NEW := OLD; END IF; RETURN NEW; END$$; CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let on_delete = |g: &&Trigger| g.enabled && g.row() && g.on_delete() && !g.inherited;
        for g in t.triggers.iter().filter(on_delete) {
            let Some(f) = c.function(g.function).filter(|f| f.language == "plpgsql") else { continue };
            let Some(body) = f.source.as_deref().map(Body::new) else { continue };
            out.examine(&t.schema);
            let what = if g.before() && skips_delete(&body) {
                "returns NEW, which is NULL on DELETE: the row is silently kept"
            } else if g.after() && reads_missing_row(g, &body) {
                "reads NEW, which is NULL on DELETE"
            } else {
                continue;
            };
            let message = format!("trigger {} of {} {what}", ident(&g.name), t.sql_name());
            out.find(
                Finding::new(t.trigger_object(g), message)
                    .confidence(0.9)
                    .evidence("function", f.object().identity),
            );
        }
    }
}

fn skips_delete(body: &Body) -> bool {
    let returns = body.returns();
    let guarded = body.always_raises() || body.replaces_new() || (body.raises() && body.has("tg_op"));
    !guarded && !returns.is_empty() && returns.iter().all(|r| r == "new")
}

/// A function that asks what happened may well not come to where it reads NEW.
fn reads_missing_row(g: &Trigger, body: &Body) -> bool {
    let only_delete = !g.on_insert() && !g.on_update();
    only_delete && body.reads_new() && !body.has("tg_op") && !body.has("coalesce") && !body.replaces_new()
}
