use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT005",
    name: "constraint_not_validated",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Constraint was added NOT VALID and never validated",
    why: "Old rows may break it, so neither people nor the planner can rely on it. A constraint \
          that is NOT ENFORCED says what it is and is left alone.",
    bad: "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;",
    good: "ALTER TABLE orders VALIDATE CONSTRAINT positive;",
    remedy: "VALIDATE CONSTRAINT: it reads the table, but blocks neither readers nor writers",
    peers: "db_verifier c1001, pg-index-health, pghero, pytest-pghealth",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("check", "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
        case("foreign key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES a NOT VALID"),
        case("inherited, told at the parent", "CREATE TABLE t (a int); CREATE TABLE u () INHERITS (t); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
        case("quoted", r#"CREATE TABLE "T.t" ("A" int); ALTER TABLE "T.t" ADD CONSTRAINT "C""c" CHECK ("A" > 0) NOT VALID"#),
    ],
    silent: &[
        case("valid", "CREATE TABLE t (a int CHECK (a > 0))"),
        case("validated since", "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c"),
        case("temporary", "CREATE TEMP TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"),
        case("domain", "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0) NOT VALID"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        for con in t.constraints.iter().filter(|k| matches!(k.kind, 'c' | 'f' | 'n') && !k.inherited) {
            out.examine(&t.schema);
            if !con.validated && con.enforced {
                let (table, name) = (t.sql_name(), ident(&con.name));
                let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};");
                let message = format!("constraint {name} of {table} is not validated: old rows may break it");
                out.find(Finding::new(t.constraint_object(con), message).fix(Fix::new(sql, Safety::Online)));
            }
        }
    }
}
