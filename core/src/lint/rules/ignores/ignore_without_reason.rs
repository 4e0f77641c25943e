use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::ignore::Standing;
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "DBG003",
    name: "ignore_without_reason",
    category: Category::Ignores,
    severity: Severity::Warning,
    title: "Ignore that gives no reason",
    why: "Whoever reads it later cannot tell whether it still holds, so it is not followed.",
    bad: "COMMENT ON TABLE t IS '@dbguard ignore INT002';",
    good: "COMMENT ON TABLE t IS '@dbguard ignore INT002 -- staging, emptied daily';",
    remedy: "add the reason after two dashes",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("comment", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002'"#),
        case(
            "dashes alone, of an index",
            r#"CREATE TABLE t (a int); CREATE INDEX "I i" ON t (a); COMMENT ON INDEX "I i" IS '@dbguard ignore IDX002 until 2999-01-01 --  '"#,
        ),
        case(
            "of a function",
            r#"CREATE FUNCTION f(a int, OUT b text) LANGUAGE sql AS 'SELECT 1'; COMMENT ON FUNCTION f(int) IS '@dbguard ignore SEC007'"#,
        ),
    ],
    silent: &[
        case(
            "with a reason",
            r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002 -- x'"#,
        ),
        case("another word", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignored INT002'"#),
        case("an address", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS 'ask ops@dbguard.example'"#),
        case(
            "in the reason of none",
            r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS 'dbguard ignore INT002'"#,
        ),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    super::tell(c, out, Standing::WithoutReason, |_| "gives no reason, so it is not followed".to_owned());
}
