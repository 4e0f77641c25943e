//! Rules of the user's own: registered views.

use dbguard_tests::{Cluster, Db};

const NONE: [&str; 0] = [];
pub const SEEN: &str =
    "SELECT severity, status, object_type, object, message FROM dbguard.lint(rules => '{ACME001}')";

/// Tables without a comment, by a view of the superuser who also asks.
fn uncommented() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        r#"CREATE SCHEMA rules; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE "Ä.b" (id int PRIMARY KEY);
           COMMENT ON TABLE a IS 'told';
           CREATE VIEW rules.uncommented AS
             SELECT c.oid::regclass AS relation, 'table ' || c.relname || ' has no comment' AS message,
                    c.relpages AS pages, format('COMMENT ON TABLE %s IS ''...'';', c.oid::regclass) AS fix_sql
             FROM pg_catalog.pg_class c
             WHERE c.relkind IN ('r', 'p') AND pg_catalog.obj_description(c.oid, 'pg_class') IS NULL;
           COMMENT ON VIEW rules.uncommented IS 'Table without a comment.';"#,
    );
    db
}

#[test]
fn a_view_is_a_rule() {
    let mut db = uncommented();
    // what it says of the system's own tables is not asked for
    let now: i32 = db
        .value("SELECT dbguard.lint_register('ACME001', 'rules.uncommented', why => 'Nobody knows.')")
        .parse()
        .unwrap();
    assert!(now > 1, "{now}");
    assert_eq!(db.lines(SEEN), [r#"warning | open | table | public."Ä.b" | table Ä.b has no comment"#]);
    let rest = "SELECT rule, category, fix_sql, details->>'pages', details ? 'message', confidence FROM dbguard.lint() WHERE code = 'ACME001'";
    assert_eq!(
        db.lines(rest),
        [r#"uncommented | own | COMMENT ON TABLE public."Ä.b" IS '...'; | 0 | f | 1"#]
    );
    for ask in [
        "lint(profile => 'ci')",
        "lint(rules => '{own}')",
        "lint(rules => '{ACME*}')",
        "lint(rules => '{uncommented}')",
        "lint_table('\"Ä.b\"')",
        "lint_baseline_diff('none')",
    ] {
        if ask.contains("baseline") {
            db.exec("SELECT dbguard.lint_baseline_save('none', rules => '{INT001}')");
        }
        let found = db.value(&format!("SELECT count(*) FROM dbguard.{ask} WHERE code = 'ACME001'"));
        assert_eq!(found, "1", "{ask}");
    }
    assert_eq!(
        db.lines("SELECT code, title, reads, profiles FROM dbguard.lint_rules WHERE category = 'own'"),
        ["ACME001 | Table without a comment | {view} | {recommended,strict,ci,production}"]
    );
    let text = db.value("SELECT dbguard.lint_explain('ACME001')");
    assert!(
        text.starts_with(
            "ACME001 uncommented (warning, own)\n\nTable without a comment.\n\nNobody knows.\n\nProfiles"
        ),
        "{text}"
    );
    // as any other rule: severity, score, report, script, baseline, ignores
    db.exec("SELECT * FROM dbguard.lint_configure('ACME001', severity => 'error')");
    assert!(db.lines(SEEN)[0].starts_with("error"));
    assert_eq!(db.value("SELECT errors FROM dbguard.lint_score() WHERE category = 'own'"), "1");
    assert!(db.value("SELECT dbguard.lint_report('sarif')").contains("ACME001"));
    assert!(db
        .value("SELECT dbguard.lint_fix_script(mode => 'all')")
        .contains("COMMENT ON TABLE public.\"Ä.b\""));
    assert!(db.error("SELECT dbguard.lint_check(rules => '{ACME001}')").detail.contains("ACME001"));
    db.exec("SELECT dbguard.lint_baseline_save()");
    assert_eq!(
        db.value("SELECT status FROM dbguard.lint(rules => '{ACME001}', baseline => 'main')"),
        "accepted"
    );
    db.exec("SELECT dbguard.lint_ignore('uncommented', '*', 'later')");
    assert_eq!(db.lines(SEEN), NONE);
    assert_eq!(db.value("SELECT rule FROM dbguard.lint_ignored"), "ACME001");
    assert_eq!(db.value("SELECT dbguard.lint_unregister('ACME001')"), "t");
    assert_eq!(db.error(SEEN).message, "no lint rule matches \"ACME001\"");
    // what ignores it now names nothing
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint(rules => '{DBG004}')"), "1");
    assert_eq!(db.value("SELECT dbguard.lint_unregister('ACME001')"), "f");
}

#[test]
fn all_that_a_view_may_say() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (at int, v int) PARTITION BY RANGE (at);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1) TO (2);
         CREATE INDEX pi ON p (v); CREATE SEQUENCE s; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE VIEW w AS SELECT 1 AS one;
         CREATE SCHEMA other; CREATE TABLE other.t (id int);
         CREATE VIEW v AS SELECT * FROM (VALUES
           ('p1'::regclass, NULL::name, NULL::regprocedure, 'a partition', NULL, NULL, NULL::numeric),
           ('p2', NULL, NULL, 'a partition', NULL, NULL, NULL),
           ('p', 'v', NULL, 'a column', 'error', NULL, NULL),
           ('pi', NULL, NULL, 'an index', 'info', NULL, 0.5),
           ('s', NULL, NULL, 'a sequence', NULL, NULL, 7),
           ('w', NULL, NULL, NULL, NULL, NULL, -1),
           (NULL, NULL, 'f(int)', 'a function', NULL, NULL, NULL),
           (NULL, NULL, NULL, 'the database', NULL, NULL, NULL),
           ('other.t', NULL, NULL, 'twice', NULL, 'first', NULL),
           ('other.t', NULL, NULL, 'twice', NULL, 'second', NULL),
           ('other.t', NULL, NULL, 'hopeless', 'fatal', NULL, NULL),
           ('pg_class', NULL, NULL, 'not mine', NULL, NULL, NULL)
         ) AS x (relation, attribute, function, message, severity, key, confidence);
         SELECT dbguard.lint_register('ACME001', 'v', 'Anything.', 'warning', 'naming')",
    );
    let database = db.value("SELECT quote_ident(current_database())");
    let told = |db: &mut Db, args: &str| {
        db.lines(&format!(
            "SELECT severity, status, object_type, replace(object, {}, 'DB'), message, confidence
             FROM dbguard.lint({args}) WHERE code = 'ACME001' ORDER BY message COLLATE \"C\", 2, 4",
            format_args!("'{database}'")
        ))
    };
    let all = [
        "warning | open | view | public.w | Anything | 0",
        "error | open | column | public.p.v | a column | 1",
        "warning | open | function | public.f(integer) | a function | 1",
        "warning | open | table | public.p | a partition | 1",
        "warning | open | sequence | public.s | a sequence | 1",
        "info | open | index | public.pi | an index | 0.5",
        "warning | skipped | table | other.t | not checked: its view says the severity \"fatal\": there are info, warning, error | 0",
        "warning | open | database | DB | the database | 1",
        "warning | open | table | other.t | twice | 1",
        "warning | open | table | other.t | twice | 1",
    ];
    assert_eq!(told(&mut db, ""), all);
    let in_other: Vec<&str> = all.into_iter().filter(|l| l.contains("other.") || l.contains("DB")).collect();
    assert_eq!(told(&mut db, "schemas => '{other}'"), in_other);
    // the key makes two findings of one object two, whatever their messages
    let prints = "SELECT fingerprint FROM dbguard.lint(rules => '{ACME001}') WHERE object = 'other.t' AND status = 'open' ORDER BY 1";
    let before = db.lines(prints);
    assert!(before.len() == 2 && before[0] != before[1]);
    db.exec("CREATE OR REPLACE VIEW v AS SELECT 'other.t'::regclass AS relation, NULL::name AS attribute, NULL::regprocedure AS function,
                    x || '!' AS message, NULL::text AS severity, x AS key, 1.0 AS confidence FROM unnest('{second,first}'::text[]) x");
    assert_eq!(db.lines(prints), before);
}

#[test]
fn it_is_run_as_the_caller_and_changes_nothing() {
    let mut db = Db::new();
    let me = db.value("SELECT current_user");
    db.exec("CREATE TABLE log (who text);
             CREATE FUNCTION note() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (current_user); RETURN current_user; END $$;
             CREATE FUNCTION quiet() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
             CREATE VIEW v AS SELECT public.quiet() AS message;
             SELECT dbguard.lint_register('ACME001', 'v', 'x')");
    assert!(db.lines(SEEN)[0].ends_with(&me));
    let mut other = db.connect_as("own_other");
    db.exec("GRANT SELECT ON v TO own_other");
    // a view of a superuser may be asked by everybody who may read it
    assert!(other.lines(SEEN)[0].ends_with("own_other"));
    db.exec("REVOKE SELECT ON v FROM own_other");
    assert!(
        other.lines(SEEN)[0].contains("| skipped |")
            && other.lines(SEEN)[0].ends_with("not checked: permission denied for view v")
    );
    db.exec("CREATE OR REPLACE VIEW v AS SELECT public.note() AS message");
    assert!(
        db.lines(SEEN)[0].ends_with("not checked: cannot execute INSERT in a read-only transaction"),
        "{:?}",
        db.lines(SEEN)
    );
    // nor can it get out of that
    db.exec("CREATE OR REPLACE FUNCTION note() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
               PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO public.log VALUES (current_user); RETURN 'done'; END $$");
    assert!(
        db.lines(SEEN)[0].contains("cannot set transaction read-write mode inside a read-only transaction"),
        "{:?}",
        db.lines(SEEN)
    );
    assert_eq!(db.value("SELECT count(*) FROM log"), "0");
    // and the session goes on as it was
    db.exec("BEGIN; SELECT count(*) FROM dbguard.lint(rules => '{ACME001}'); INSERT INTO log VALUES ('me'); COMMIT");
    assert_eq!(db.value("SHOW lock_timeout"), "0");
    // row security would hide rows
    db.exec("CREATE TABLE r (id int); ALTER TABLE r ENABLE ROW LEVEL SECURITY; GRANT SELECT ON r TO own_other;
             CREATE VIEW w WITH (security_invoker) AS SELECT 'x' AS message FROM public.r; GRANT SELECT ON w TO own_other;
             SELECT dbguard.lint_register('ACME001', 'w', 'x')");
    assert!(
        other.lines(SEEN)[0]
            .contains("not checked: query would be affected by row-level security policy for table"),
        "{:?}",
        other.lines(SEEN)
    );
}

#[test]
fn what_keeps_a_view_from_answering_is_told() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT 'x'::text AS message FROM public.t;
             SELECT dbguard.lint_register('ACME001', 'v', 'x')",
    );
    let seen = |db: &mut Db| db.lines(SEEN).join("\n");
    assert_eq!(seen(&mut db), "");
    // slow: given up, and the rest goes on
    db.exec("CREATE OR REPLACE VIEW v AS SELECT 'x'::text AS message FROM pg_catalog.pg_sleep(100); SET dbguard.lint_view_timeout = '100ms'");
    assert!(seen(&mut db).ends_with("not checked: view public.v took more than 100 ms. Make it faster, or set dbguard.lint_view_timeout higher."));
    assert!(
        db.value("SELECT count(*) FROM dbguard.lint() WHERE code <> 'ACME001'").parse::<i32>().unwrap() > 0
    );
    assert_eq!(
        db.error("SELECT dbguard.lint_register('ACME001', 'v', 'x')").message,
        "view public.v took more than 100 ms"
    );
    // the limit of the whole run is one for each view as well
    db.exec("SET dbguard.lint_view_timeout = '1h'");
    let took = "SELECT message FROM dbguard.lint(rules => '{ACME001}', max_seconds => 0.3)";
    assert!(db.value(took).contains("took more than"), "{}", db.value(took));
    // cancelled by somebody, it ends as a whole
    db.exec("SET statement_timeout = '300ms'");
    let e = db.error(SEEN);
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("57014", "canceling statement due to statement timeout")
    );
    db.exec("RESET statement_timeout; RESET dbguard.lint_view_timeout");
    // an error, a table that is locked, too many rows, gone, no view
    db.exec("CREATE OR REPLACE VIEW v AS SELECT (1 / (length(current_database()) - length(current_database())))::text AS message");
    assert!(seen(&mut db).ends_with("not checked: division by zero"));
    db.exec("CREATE OR REPLACE VIEW v AS SELECT 'x'::text AS message FROM public.t");
    let mut holder = db.connect();
    holder.exec("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
    assert!(
        seen(&mut db).ends_with("not checked: canceling statement due to lock timeout"),
        "{}",
        seen(&mut db)
    );
    holder.exec("ROLLBACK");
    db.exec("CREATE OR REPLACE VIEW v AS SELECT 'x'::text AS message FROM generate_series(1, 10001)");
    assert!(seen(&mut db).contains("view public.v has more than 10000 rows"));
    db.exec("ALTER VIEW v RENAME TO v2");
    assert!(seen(&mut db).contains("not checked: view public.v does not exist"));
    db.exec("CREATE TABLE v (message text)");
    assert!(seen(&mut db).contains("not checked: public.v is not a view"));
}

#[test]
fn what_cannot_be_a_rule() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (message text); CREATE VIEW v AS SELECT 'x'::text AS message; CREATE VIEW god_table AS SELECT 1;
             CREATE VIEW types AS SELECT 1; CREATE VIEW worded AS SELECT 'public.t'::text AS relation;
             CREATE VIEW \"*\" AS SELECT 1; CREATE TEMP VIEW passing AS SELECT 1");
    let mut refused = |call: &str, code: &str, message: &str| {
        let e = db.error(&format!("SELECT dbguard.lint_register({call})"));
        assert_eq!((e.code.as_str(), e.message.as_str()), (code, message));
        assert!(!e.hint.is_empty() || code == "22004", "no hint: {e:?}");
    };
    refused("'INT999', 'v', 'x'", "22023", "\"INT999\" cannot be the code of a rule of your own");
    refused("'acme', 'v', 'x'", "22023", "\"acme\" cannot be the code of a rule of your own");
    refused("'ACME001', 'v'", "22023", "a rule needs a title of one line");
    refused("'ACME001', 'v', 'x', 'fatal'", "22023", "unknown severity \"fatal\"");
    refused("'ACME001', 'v', 'x', category => 'mine'", "22023", "unknown category \"mine\"");
    refused("'ACME001', 't', 'x'", "42809", "public.t is not a view");
    refused("'ACME001', 'god_table', 'x'", "42710", "the name \"god_table\" already means INT023");
    refused("'ACME001', 'types', 'x'", "42710", "the name \"types\" already means types");
    refused("NULL, 'v', 'x'", "22004", "argument \"code\" must not be null");
    refused("'ACME001', NULL, 'x'", "22004", "argument \"view\" must not be null");
    refused(
        "'ACME001', 'worded', 'x'",
        "42804",
        "column \"relation\" of view public.worded must be of type regclass",
    );
    refused("'ACME001', 'v', '.'", "22023", "a rule needs a title of one line");
    refused("'ACME001', 'v', E'a\\nb'", "22023", "a rule needs a title of one line");
    refused("'ACME001', '\"*\"', 'x'", "42602", "a rule cannot be called \"*\"");
    refused("'ACME001', 'passing', 'x'", "42809", "\"passing\" is a temporary view");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint_registered"), "0");
    db.exec("SELECT dbguard.lint_register('ACME001', 'v', 'x'); SELECT dbguard.lint_register('ACME001', 'v', 'y', 'error')");
    assert_eq!(db.lines("SELECT title, severity FROM dbguard.lint_registered"), ["y | error"]);
    let e = db.error("SELECT dbguard.lint_register('ACME002', 'v', 'x')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("42710", "the name \"v\" already means ACME001"));
    assert_eq!(db.error("SELECT dbguard.lint_unregister('INT001')").code, "22023");
    // it is for those who may write dbguard's tables
    let mut nobody = db.connect_as("own_nobody");
    assert_eq!(
        nobody.error("SELECT dbguard.lint_register('ACME002', 'information_schema.tables', 'x')").code,
        "42501"
    );
}

#[test]
fn everywhere_else() {
    let mut cluster = Cluster::start(&[]);
    {
        let mut db = Db::new_in(&cluster);
        db.exec(r#"CREATE SCHEMA "R.s"; CREATE TABLE t (id int PRIMARY KEY);
                   CREATE VIEW "R.s"."Every table" AS SELECT 't'::regclass AS relation, 'seen'::text AS message;
                   SELECT dbguard.lint_register('ACME001', '"R.s"."Every table"', 'x')"#);
        let seen = ["warning | open | table | public.t | seen"];
        assert_eq!(db.lines(SEEN), seen);
        db.exec("SET search_path = ''; SET default_transaction_read_only = on");
        assert_eq!(db.lines(SEEN), seen, "read-only, nothing in the path");
        db.exec("RESET ALL; BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
        assert_eq!(db.lines(SEEN), seen, "serializable");
        db.exec("COMMIT");
        // a dump keeps what is registered
        let (from, to) = (db.name.clone(), format!("{}_again", db.name));
        let dump = cluster.dir().join("own.sql");
        let dump = dump.to_str().unwrap();
        cluster.run("pg_dump", &["-f", dump, &from]);
        cluster.run("createdb", &[&to]);
        cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &to, "-f", dump]);
        let mut again = Db::existing_in(&cluster, &to);
        assert_eq!(again.lines(SEEN), seen, "restored");
        let standby = Cluster::standby_of(&cluster);
        let mut there = Db::existing_in(&standby, &from);
        assert_eq!(there.lines(SEEN), seen, "standby");
    }
    cluster.down(9);
}

#[test]
fn time_limits_of_others_hold() {
    let mut db = Db::new();
    db.exec(
        "CREATE FUNCTION deaf() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
           BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; PERFORM pg_sleep(60); RETURN 'x'; END $$;
         CREATE VIEW v AS SELECT 'x'::text AS message; SELECT dbguard.lint_register('ACME001', 'v', 'x');
         CREATE OR REPLACE VIEW v AS SELECT public.deaf() AS message;
         SET dbguard.lint_view_timeout = '100ms'; SET statement_timeout = '600ms'",
    );
    let e = db.error(SEEN);
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("57014", "canceling statement due to statement timeout")
    );
    // a view that asks lint itself: only one is asked at a time
    db.exec("CREATE VIEW slow AS SELECT 'x'::text AS message; SELECT dbguard.lint_register('ACME002', 'slow', 'x');
             CREATE OR REPLACE VIEW slow AS SELECT 'x'::text AS message FROM pg_sleep(60);
             CREATE OR REPLACE VIEW v AS SELECT l.message FROM dbguard.lint(rules => '{ACME002}') l");
    assert_eq!(
        db.lines(SEEN),
        [format!("warning | open | database | {} | not checked: the view of another rule asks for it. Ask lint from outside.", db.name)]
    );
    // and nothing is left behind
    db.exec("RESET statement_timeout; DROP VIEW v; CREATE VIEW v AS SELECT 'x'::text AS message; SELECT pg_sleep(0.3)");
    assert_eq!(db.lines(SEEN).len(), 1);
}

#[test]
fn values_as_they_are() {
    let mut db = Db::new();
    db.exec(
        r#"CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX p1_a ON p1 (a);
           CREATE TABLE t (a int);
           CREATE VIEW v AS SELECT 't'::regclass AS relation, m AS message, s AS severity, 'NaN'::float8 AS confidence,
             12345678901234567890123::numeric AS exact, '1e400'::numeric AS huge, ARRAY[1,2] AS list, true AS yes, 1.5::real AS half,
             '{"a": 1e400}'::jsonb AS odd, '{"a": [1]}'::jsonb AS fine, 'NaN'::float8 AS nan, NULL::int AS nothing, 'Q'::text AS "v",
             CASE s WHEN 'info' THEN 'SELECT 1' WHEN 'error' THEN ' SELECT 2 -- ; ' ELSE ' ' END AS fix_sql
           FROM (VALUES ('m', 'info'), ('m', 'error'), ('m', NULL)) x (m, s);
           CREATE VIEW w AS SELECT 'p1_a'::regclass AS relation, NULL::text AS attribute, 'an index'::text AS message
             UNION ALL SELECT 't', 'gone', 'x' UNION ALL SELECT 't', '1', 'y';
           SELECT dbguard.lint_register('ACME001', 'v', 'x'), dbguard.lint_register('ACME002', 'w', 'y')"#,
    );
    assert_eq!(
        db.lines("SELECT severity, confidence, fix_sql FROM dbguard.lint(rules => '{ACME001}')"),
        ["error | 1 | SELECT 2 -- ;\n;", "warning | 1 | <null>", "info | 1 | SELECT 1;"]
    );
    let details = r#"SELECT DISTINCT details - '{title,ms,fix_safety}'::text[] FROM dbguard.lint(rules => '{ACME001}')"#;
    let shown: String = db.value(details);
    for part in [
        r#""exact": "12345678901234567890123""#,
        r#""list": "{1,2}""#,
        r#""yes": true"#,
        r#""half": 1.5"#,
        r#""fine": {"a": [1]}"#,
        r#""nan": "NaN""#,
        r#""nothing": null"#,
        r#""v": "Q""#,
        r#""huge": "10000"#,
        r#""odd": "{\"a\": 10000"#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(
        db.lines("SELECT status, object, message FROM dbguard.lint(rules => '{ACME002}')"),
        [
            "open | public.p | an index",
            "skipped | public.t | not checked: its view names the attribute \"1\", which there is not",
            "skipped | public.t | not checked: its view names the attribute \"gone\", which there is not"
        ]
    );
    db.exec("SELECT * FROM dbguard.lint_configure('ACME002', severity => 'error'); SELECT dbguard.lint_unregister('ACME002')");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.lint_config"), "0");
}
