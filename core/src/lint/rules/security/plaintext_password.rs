use crate::lint::catalog::{types, Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::folded;
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "SEC001",
    name: "plaintext_password",
    category: Category::Security,
    severity: Severity::Error,
    title: "Column for passwords is too short for a password hash",
    why: "It can only hold passwords as they are typed: who reads the table, a backup or the \
          statistics has them all, and people use one password in many places. The shortest hash \
          takes 32 characters. Longer columns are left alone, for the catalogs do not say what is \
          in them, and so are tables with a salt or algorithm, a CHECK of the form, and names that \
          say hash or encrypted. No fix is proposed, for the values have to be hashed by what \
          checks them.",
    bad: "CREATE TABLE users (login text, password varchar(20));",
    good: "CREATE TABLE users (login text, password_hash text);",
    remedy: "store only the result of a password hash such as argon2, scrypt or bcrypt, in a column named for it",
    peers: "sqlcheck 4001, splinter 0023 (names)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("too short", "CREATE TABLE t (id int, password varchar(20))"),
        case("blank-padded", "CREATE TABLE t (login text, passwd char(31))"),
        case("hostile names, domain, partitioned", r#"CREATE DOMAIN d AS varchar(12); CREATE TABLE "T.t" ("User_Password" d, "userPassword" varchar(30)) PARTITION BY LIST ("userPassword"); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
    ],
    silent: &[
        case("says hash", r#"CREATE TABLE "T.t" (password_hash varchar(20), "EncryptedPassword" varchar(20))"#),
        case("long enough", "CREATE TABLE t (a int, password varchar(32)); CREATE TABLE u (password char(64)); CREATE TABLE v (password text)"),
        case("salted", "CREATE TABLE t (password varchar(20), password_salt text); CREATE TABLE u (password varchar(20), hash_algorithm text)"),
        case("checked", "CREATE TABLE t (password varchar(20) CHECK (password LIKE 'x$%'))"),
        case("no text", "CREATE TABLE t (password bool, passwd timestamptz, user_password bytea, pwd int)"),
        case("about passwords", "CREATE TABLE t (password_reset_token varchar(9), password_hint varchar(9), password_policy varchar(9), force_new_password_at text)"),
        case("view, temporary", "CREATE VIEW v AS SELECT 'x'::varchar(9) AS password; CREATE TEMP TABLE t (password varchar(9))"),
    ],
};

const PASSWORD: &[&str] = &["password", "passwd", "pwd", "passwort", "contrasena", "senha", "secretanswer"];
/// What in a name says that the value is not the password itself, or that another column makes it so.
const HASHED: &[&str] = &["hash", "digest", "crypt", "salt", "algorithm", "argon", "sha1", "sha256", "md5"];
/// Shorter values than this no password hash has.
const SHORTEST_HASH: i32 = 32;

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| names_password(a)) {
        out.examine(&t.schema);
        if too_short(t, a) {
            let column = t.column_object(a);
            let message = format!("{} is {}, too short for a password hash", column.identity, a.type_name);
            out.find(Finding::new(column, message).confidence(0.9));
        }
    }
}

fn names_password(a: &Attribute) -> bool {
    let name = folded(&a.name);
    let text = matches!(a.base_type, types::TEXT | types::VARCHAR | types::BPCHAR);
    text && PASSWORD.iter().any(|p| name.ends_with(p))
}

fn too_short(t: &Relation, a: &Attribute) -> bool {
    let hashed = t.attributes.iter().any(|b| HASHED.iter().any(|w| folded(&b.name).contains(w)));
    let checked = t.constraints.iter().any(|k| k.kind == 'c' && k.columns == [a.num]);
    // A length modifier counts four bytes of header; without one it is negative.
    !hashed && !checked && (1..SHORTEST_HASH).contains(&(a.base_typmod - 4))
}
