use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "INT041",
    name: "unlogged_table_or_sequence",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Table or sequence is unlogged: a crash empties it, and standbys do not have it",
    why: "After a crash the server truncates it without a word, and on a standby reading it is an \
          error. Right for caches and staging, wrong for what nobody can make again. The partitions \
          of a table are told one by one, for each is logged by itself; a sequence that belongs to \
          a column goes with its table.",
    bad: "CREATE UNLOGGED TABLE orders (id bigint PRIMARY KEY);",
    good: "CREATE TABLE orders (id bigint PRIMARY KEY);",
    remedy: "SET LOGGED, which writes the whole table to the log; or ignore it with the reason",
    peers:
        "db_verifier r1001,s1001, pytest-pghealth, pg-migration-lint PGM506, check_pgactivity table_unlogged",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("table", "CREATE UNLOGGED TABLE t (a int PRIMARY KEY)"),
        case(
            "with its identity, told once, quoted",
            r#"CREATE UNLOGGED TABLE "T.t" ("A" int GENERATED ALWAYS AS IDENTITY)"#,
        ),
        case(
            "one partition",
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE UNLOGGED TABLE t1 PARTITION OF t DEFAULT",
        ),
        case(
            "refers to another unlogged one",
            "CREATE UNLOGGED TABLE a (id int PRIMARY KEY); CREATE UNLOGGED TABLE t (a int REFERENCES a)",
        ),
    ],
    silent: &[
        case("logged", "CREATE TABLE t (a int)"),
        case("temporary", "CREATE TEMP TABLE t (a int)"),
        case("logged since", "CREATE UNLOGGED TABLE t (a int); ALTER TABLE t SET LOGGED"),
        case("extension member", "CREATE UNLOGGED TABLE t (a int); ALTER EXTENSION plpgsql ADD TABLE t"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && t.is_table()) {
        out.examine_kind(&t.schema, "table");
        if !t.unlogged {
            continue;
        }
        let table = t.sql_name();
        // a logged table may not refer to an unlogged one
        let keys = t.constraints.iter().filter(|k| k.kind == 'f');
        let waits = keys.filter_map(|k| c.relation(k.ref_relation)).any(|r| r.unlogged && r.oid != t.oid);
        let fix = Fix::new(format!("ALTER TABLE {table} SET LOGGED;"), Safety::Rewrite)
            .undo(format!("ALTER TABLE {table} SET UNLOGGED;"));
        let message = format!("table {table} is unlogged: a crash empties it");
        out.find(Finding::new(t.object(), message).fix((!waits).then_some(fix)));
    }
    for s in c.sequences.iter().filter(|s| s.linted && s.feeds.is_empty()) {
        out.examine_kind(&s.schema, "sequence");
        if s.unlogged {
            let name = s.object().identity;
            let message = format!("sequence {name} is unlogged: a crash sets it back");
            let fix = Fix::new(format!("ALTER SEQUENCE {name} SET LOGGED;"), Safety::BriefLock);
            out.find(Finding::new(s.object(), message).fix(fix));
        }
    }
}
