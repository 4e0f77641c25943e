//! Rules of the user's own: whose code they may run, and as whom.

use super::own::SEEN;
use dbguard_tests::Db;

/// Functions in a view run as who asks it: a superuser's lint must not be the way to become one.
#[test]
fn code_of_others_is_not_run() {
    let mut db = Db::new();
    db.exec("CREATE VIEW public.v AS SELECT 'mine'::text AS message; SELECT dbguard.lint_register('ACME001', 'public.v', 'x')");
    let mut thief = db.connect_as("own_thief");
    db.exec("GRANT CREATE ON SCHEMA public TO own_thief; DROP VIEW public.v");
    thief.exec(
        "CREATE FUNCTION public.steal() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'stolen'; RETURN current_user; END $$;
         CREATE VIEW public.v AS SELECT public.steal() AS message",
    );
    let refused = |of: &str, what: &str| {
        format!("could run code of role {of} as you: {of} owns {what}. Use what belongs to you, or to a role that may act as you, in a schema of your own.")
    };
    let seen = db.lines(SEEN);
    assert!(
        seen[0].contains("| skipped |")
            && seen[0].ends_with(&refused("own_thief", "function public.steal()")),
        "{seen:?}"
    );
    // he himself may ask his own
    assert!(thief.lines(SEEN)[0].ends_with("own_thief"));
    let e = db.error("SELECT dbguard.lint_register('ACME002', 'public.v', 'x')");
    assert!(e.code == "42501" || e.code == "42710", "{e:?}");
    // in a schema of his, a view of mine can be replaced by his at any time
    db.exec("CREATE SCHEMA his AUTHORIZATION own_thief; CREATE VIEW his.w AS SELECT 'mine'::text AS message");
    let e = db.error("SELECT dbguard.lint_register('ACME003', 'his.w', 'x')");
    assert_eq!(e.code, "42501");
    assert!(
        e.message.ends_with("could run code of role own_thief as you: own_thief owns schema his"),
        "{e:?}"
    );
    // who is a member of the caller could be him anyway
    let mut group = db.connect_as("own_group");
    db.exec("GRANT own_group TO own_thief");
    assert!(group.lines(SEEN)[0].contains("permission denied"), "{:?}", group.lines(SEEN));
    thief.exec("GRANT SELECT ON public.v TO own_group");
    assert!(group.lines(SEEN)[0].ends_with("own_group"), "{:?}", group.lines(SEEN));
    // public is the database owner's: who is that may put his view in the place of mine
    let name = db.name.clone();
    db.exec(&format!(
        "DROP VIEW public.v; CREATE VIEW public.v AS SELECT 'mine'::text AS message;
         ALTER DATABASE {name} OWNER TO own_thief"
    ));
    let seen = db.lines(SEEN);
    assert!(seen[0].ends_with(&refused("own_thief", "schema public")), "{seen:?}");
}

/// What a view calls, and what it shows, must not be another's code either.
#[test]
fn nor_is_code_of_others_within_it() {
    let mut db = Db::new();
    let mut thief = db.connect_as("own_app");
    db.exec("CREATE SCHEMA rules; CREATE SCHEMA app AUTHORIZATION own_app");
    thief.exec(
        "CREATE TABLE app.stolen (who text);
         CREATE FUNCTION app.steal() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stolen by %', current_user; END $$;
         CREATE FUNCTION app.same(text, text) RETURNS bool LANGUAGE sql AS 'SELECT app.steal() IS NULL';
         CREATE OPERATOR app.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = app.same);
         CREATE DOMAIN app.word AS text CHECK (app.steal() IS NULL OR value <> '');
         CREATE DOMAIN app.plain AS text; CREATE TYPE app.status AS ENUM ('a'); CREATE TABLE app.orders (s app.status); INSERT INTO app.orders VALUES ('a');
         CREATE VIEW app.nested AS SELECT 'x'::text AS message",
    );
    let mut refused = |view: &str, what: &str| {
        db.exec(&format!("CREATE OR REPLACE VIEW rules.r AS {view}"));
        let e = db.error("SELECT dbguard.lint_register('ACME001', 'rules.r', 'x')");
        let message = format!("view rules.r could run code of role own_app as you: own_app owns {what}");
        assert_eq!((e.code.as_str(), e.message), ("42501", message));
        db.exec("DROP VIEW rules.r");
    };
    refused("SELECT message FROM app.nested", "view app.nested");
    refused("SELECT app.steal() AS message", "function app.steal()");
    refused(
        "SELECT 'x' AS message WHERE 'a'::text OPERATOR(app.===) 'b'::text",
        "operator app.===(text,text)",
    );
    refused("SELECT current_user::app.word::text AS message", "type app.word");
    refused(
        "SELECT 'app.orders'::regclass AS relation, to_jsonb(o) AS o FROM app.orders o",
        "type app.status",
    );
    // a domain of mine over one of his: he may add a check at any time
    db.exec("CREATE DOMAIN rules.mine AS app.plain; CREATE TABLE rules.pairs (p rules.mine[])");
    let mut refused = |view: &str, what: &str| {
        db.exec(&format!("CREATE OR REPLACE VIEW rules.r AS {view}"));
        let e = db.error("SELECT dbguard.lint_register('ACME001', 'rules.r', 'x')");
        assert!(e.message.ends_with(&format!("own_app owns {what}")), "{e:?}");
        db.exec("DROP VIEW rules.r");
    };
    refused("SELECT current_user::text::rules.mine::text AS message", "type app.plain");
    refused("SELECT p::text AS message FROM rules.pairs", "type app.plain");
    // what a type of mine shows is shown by its own output, whatever casts there are
    db.exec("CREATE TYPE rules.status AS ENUM ('a'); CREATE TYPE rules.pair AS (a rules.status, b text);
             CREATE FUNCTION rules.as_text(rules.status) RETURNS text LANGUAGE sql AS $$SELECT 'cast'$$;
             CREATE CAST (rules.status AS text) WITH FUNCTION rules.as_text(rules.status);
             CREATE VIEW rules.shown AS SELECT 'app.orders'::text::regclass AS relation, 'a'::rules.status AS s, ROW('a', NULL)::rules.pair AS pair;
             SELECT dbguard.lint_register('ACME001', 'rules.shown', 'x')");
    assert_eq!(
        db.lines("SELECT details->>'s', details->>'pair', status FROM dbguard.lint(rules => '{ACME001}')"),
        ["a | (a,) | open"]
    );
    // put there by a transaction that this one's snapshot does not see
    db.exec("CREATE VIEW public.w AS SELECT 'mine'::text AS message; SELECT dbguard.lint_register('ACME001', 'public.w', 'x');
             GRANT CREATE ON SCHEMA public TO own_app");
    let mut other = db.connect();
    db.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    other.exec("ALTER VIEW public.w RENAME TO w2");
    thief.exec("CREATE VIEW public.w AS SELECT app.steal() AS message");
    assert!(db.lines(SEEN)[0].contains("could run code of role own_app as you"), "{:?}", db.lines(SEEN));
    db.exec("COMMIT; DROP VIEW public.w");
    // who asks as another must not be brought back to what he was
    let me = db.value("SELECT session_user");
    thief.exec(&format!(
        "CREATE FUNCTION app.back() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('role', '{me}', true); RETURN current_user; END $$;
         CREATE VIEW public.w AS SELECT app.back() AS message"
    ));
    db.exec("SET ROLE own_app");
    assert!(
        db.lines(SEEN)[0].contains("cannot set parameter \"role\" within security-"),
        "{:?}",
        db.lines(SEEN)
    );
}
