use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::ignore::Standing;
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "DBG004",
    name: "unknown_code",
    category: Category::Ignores,
    severity: Severity::Warning,
    title: "Ignore that cannot be understood",
    why: "It names a rule that does not exist, no rule, or no date, or all rules where that is not allowed (`lint_configure('allow_blanket_ignore', true)`): it is not followed, and nobody would notice.",
    bad: "COMMENT ON TABLE t IS '@dbguard ignore INT2 -- staging';",
    good: "COMMENT ON TABLE t IS '@dbguard ignore INT002 -- staging';",
    remedy: "write the code as dbguard.lint() shows it",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("no such code", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT2 -- x'"#),
        case("no rule, of a view", r#"CREATE VIEW v AS SELECT 1 AS a; COMMENT ON VIEW v IS '@dbguard ignore -- x'"#),
        case("no date, of the column of a materialized view", r#"CREATE MATERIALIZED VIEW "M" AS SELECT 1 AS a; COMMENT ON COLUMN "M".a IS '@dbguard ignore INT002 until soon -- x'"#),
        case("all, not allowed", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS 'one
@dbguard ignore * -- x
three'"#),
    ],
    silent: &[
        case("all, allowed", r#"SELECT dbguard.lint_configure('allow_blanket_ignore', true); CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore * -- x'"#),
        case("category and glob", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore types, IDX00?, money_type -- x'"#),
        case("temporary table", r#"CREATE TEMP TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT2 -- x'"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    super::tell(c, out, Standing::Faulty, |i| {
        format!("is not followed: {}", i.fault.as_deref().unwrap_or_default())
    });
}
