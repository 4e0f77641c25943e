use crate::lint::catalog::{Catalog, Function, Note};
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::secrets::{connection_with_password, option_password, options_with_password, secret};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC028",
    name: "hardcoded_secret",
    category: Category::Security,
    severity: Severity::Error,
    title: "A secret stands in the catalogs, where everybody may read it",
    why: "Bodies of functions, comments and the options of foreign servers are readable by whoever connects, \
          and are in every dump. Looked for are URLs and connection strings with a password, private \
          keys, and access keys of known form (AWS, GitHub, Stripe, Slack); placeholders are left alone. \
          The secret itself is not shown.",
    bad: "PERFORM dblink_connect('host=db2 user=app password=hunter2');",
    good: "CREATE USER MAPPING FOR app SERVER db2 OPTIONS (user 'app', password '...'); PERFORM dblink_connect('db2');",
    remedy: "change the secret, and keep it in a user mapping, a vault, or outside the database",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("connection string", "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'host=db2 dbname=x user=app password=hunter2'; END$$"),
        case("url, quoted", r#"CREATE FUNCTION "F f"() RETURNS text LANGUAGE sql AS $$SELECT 'postgres://app:hunter2@db2.internal/x'$$"#),
        case("access key in a comment", "CREATE TABLE t (a int); COMMENT ON TABLE t IS 'key AKIAQWERTYUIOPASDFGH'; CREATE VIEW v AS SELECT 1 AS a; COMMENT ON COLUMN v.a IS 'see https://u:s3cr3t@hooks.corp.net/'"),
        case("foreign server", r#"CREATE FOREIGN DATA WRAPPER w; CREATE SERVER "S s" FOREIGN DATA WRAPPER w OPTIONS (host 'db2', "user" 'app', password 'hunter2')"#),
        case("parameter of a URL", "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'jdbc:postgresql://db2:5432/x?user=app&password=hunter2'; END$$; CREATE TABLE t (a int); COMMENT ON TABLE t IS 'from postgres://db2/x?user=app&password=hunter2&sslmode=require'"),
        case("options", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'CREATE USER MAPPING FOR app SERVER s OPTIONS (user ''app'', password ''hunter2'')'; END$$; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (address 'db2', password 'hunter2')"),
    ],
    silent: &[
        case("placeholders", "CREATE FUNCTION f(p text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'host=db2 user=app password=' || p || format('postgres://%s:%s@%s', p, p, p) || 'postgres://user:password@host/db' || 'https://example.com/a:b@c' || 'host=x password=${PW}'; END$$"),
        case("of somebody who calls", "CREATE FUNCTION f(p text) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE format('CREATE USER MAPPING FOR app SERVER s OPTIONS (user %L, password %L)', p, p); RETURN 'postgres://db2/x?user=app&password=' || p || 'https://db2/reset?password=%s'; END$$"),
        case("about passwords", "CREATE TABLE t (password text); COMMENT ON COLUMN t.password IS 'user=login, password=hash (see https://wiki.corp.net:8080/passwords?mail=a@b.c)'; CREATE FUNCTION f(password text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN UPDATE t SET password = f.password; RETURN found; END$$"),
        case("a key's form, not a key", "CREATE FUNCTION f(k text) RETURNS bool LANGUAGE sql AS $$SELECT k LIKE '-----BEGIN PRIVATE KEY-----%' OR k ~ '^AKIA[A-Z0-9]{16}$' OR k LIKE 'ghp_%'$$"),
        case("user mapping", "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'db2', password_required 'false'); CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (\"user\" 'app', password 'hunter2')"),
        case("extension member, temporary", "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT 'postgres://app:hunter2@db2/x'$$; ALTER EXTENSION plpgsql ADD FUNCTION f(); CREATE TEMP TABLE t (a int); COMMENT ON TABLE t IS 'key AKIAQWERTYUIOPASDFGH'"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for f in c.functions.iter().filter(|f| f.linted && f.source.is_some()) {
        out.examine(&f.schema);
        if let Some((what, line)) = in_body(f) {
            let message = format!("the body of {} holds {what} (line {line})", f.object().identity);
            out.find(Finding::new(f.object(), message).confidence(0.8).evidence("line", line));
        }
    }
    for note in &c.notes {
        let connection = || connection_with_password(&note.text).then_some(CONNECTION);
        let option = || (note.relation == 0 && option_password(&note.text)).then_some("a password");
        let Some(what) = secret(&note.text).or_else(connection).or_else(option) else { continue };
        let Some((place, object)) = place(c, note) else { continue };
        let message = format!("{place} {} holds {what}", object.identity);
        out.find(Finding::new(object, message).confidence(0.8));
    }
}

const CONNECTION: &str = "a connection string with a password";

/// In the text as it is, comments too; connection strings only in constants.
fn in_body(f: &Function) -> Option<(&'static str, usize)> {
    let source = f.source.as_deref()?;
    if let Some(what) = secret(source) {
        let line = source.lines().position(|l| secret(l).is_some()).map_or(1, |n| n + 1);
        return Some((what, line));
    }
    if !source.to_ascii_lowercase().contains("password") {
        return None;
    }
    let sql = f.body()?;
    if options_with_password(source) {
        let at = (0..sql.len()).find(|i| sql.raw(*i).to_ascii_lowercase().contains("password"));
        return Some(("a password for a foreign server", sql.line(at.unwrap_or(0))));
    }
    let at = (0..sql.len()).find(|i| sql.text(*i).is_some_and(connection_with_password))?;
    Some((CONNECTION, sql.line(at)))
}

fn place(c: &Catalog, note: &Note) -> Option<(&'static str, Object)> {
    if note.relation == 0 {
        let identity = ident(&note.name);
        return Some((
            "the options of foreign server",
            Object { kind: "foreign server", schema: String::new(), identity, oid: 0 },
        ));
    }
    let r = c.relation(note.relation).filter(|r| r.linted)?;
    match r.attribute(note.column) {
        Some(a) => Some(("the comment on column", r.column_object(a))),
        None => Some(("the comment on", r.object())),
    }
}
