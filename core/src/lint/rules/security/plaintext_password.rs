use crate::lint::catalog::{types, Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "SEC001",
    name: "plaintext_password",
    category: Category::Security,
    severity: Severity::Error,
    title: "Column seems to hold passwords as they are typed",
    why: "Who reads the table, a backup or the statistics has them all, and people use one \
          password in many places. Error where the column is too short for any hash; info where \
          the catalogs do not say what is in it. Fixed lengths that hashes have, a salt or \
          algorithm beside it, a CHECK of the form, and names that say hash or encrypted are left \
          alone. No fix is proposed, for the values have to be hashed by what checks them.",
    bad: "CREATE TABLE users (login text, password varchar(20));",
    good: "CREATE TABLE users (login text, password_hash text);",
    remedy: "store only the result of a password hash such as argon2, scrypt or bcrypt, in a column named for it",
    hides: &[],
    rollup: Rollup::NEVER,
    reads_rows: false,
    check,
    fires: &[
        case("too short", "CREATE TABLE t (id int, password varchar(20))"),
        case("unknown", "CREATE TABLE t (login text, passwd text)"),
        case("hostile names, domain, partitioned", r#"CREATE DOMAIN d AS varchar(255); CREATE TABLE "T.t" ("User_Password" d, "userPassword" text) PARTITION BY LIST ("userPassword"); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#),
    ],
    silent: &[
        case("says hash", r#"CREATE TABLE "T.t" (password_hash text, hashed_password text, "EncryptedPassword" text, password_digest text, "PasswordHash" varchar(20))"#),
        case("length of a hash", "CREATE TABLE t (a int, password varchar(60)); CREATE TABLE u (password char(64)); CREATE TABLE v (password varchar(128))"),
        case("salted", "CREATE TABLE t (password text, password_salt text); CREATE TABLE u (password text, hash_algorithm text)"),
        case("checked", "CREATE TABLE t (password text CHECK (password LIKE '$argon2id$%'))"),
        case("no text", "CREATE TABLE t (password bool, passwd timestamptz, user_password bytea, pwd int)"),
        case("about passwords", "CREATE TABLE t (password_reset_token text, password_hint text, password_policy text, force_new_password_at text)"),
        case("view, temporary", "CREATE VIEW v AS SELECT 'x'::text AS password; CREATE TEMP TABLE t (password text)"),
    ],
};

const PASSWORD: &[&str] = &["password", "passwd", "pwd", "passwort", "contrasena", "senha", "secretanswer"];
/// What in a name says that the value is not the password itself, or that another column makes it so.
const HASHED: &[&str] = &["hash", "digest", "crypt", "salt", "algorithm", "argon", "sha1", "sha256", "md5"];
/// Shorter values than this no password hash has.
const SHORTEST_HASH: i32 = 32;
/// Lengths in characters of what hash functions give, in hexadecimal, base64 or their own form.
const HASH_LENGTHS: &[i32] = &[32, 40, 44, 56, 60, 64, 88, 96, 97, 98, 128];

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns().filter(|(_, a)| names_password(a)) {
        out.examine(&t.schema);
        let Some(severity) = severity(t, a) else { continue };
        let column = t.column_object(a);
        let (message, confidence) = match severity {
            Severity::Error => {
                (format!("{} is {}, too short for a password hash", column.identity, a.type_name), 0.9)
            }
            _ => (format!("{} may hold passwords as they are typed", column.identity), 0.4),
        };
        out.find(Finding::new(column, message).severity(severity).confidence(confidence));
    }
}

fn folded(a: &Attribute) -> String {
    a.name.to_ascii_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

fn names_password(a: &Attribute) -> bool {
    let name = folded(a);
    let text = matches!(a.base_type, types::TEXT | types::VARCHAR | types::BPCHAR);
    text && PASSWORD.iter().any(|p| name.ends_with(p))
}

fn severity(t: &Relation, a: &Attribute) -> Option<Severity> {
    let hashed = t.attributes.iter().any(|b| HASHED.iter().any(|w| folded(b).contains(w)));
    let checked = t.constraints.iter().any(|k| k.kind == 'c' && k.columns == [a.num]);
    if hashed || checked {
        return None;
    }
    // A length modifier counts four bytes of header.
    match a.base_typmod - 4 {
        n if (1..SHORTEST_HASH).contains(&n) => Some(Severity::Error),
        n if HASH_LENGTHS.contains(&n) => None,
        _ => Some(Severity::Info),
    }
}
