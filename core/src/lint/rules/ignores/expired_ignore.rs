use crate::lint::catalog::Catalog;
use crate::lint::finding::{Report, Severity};
use crate::lint::ignore::Standing;
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "DBG002",
    name: "expired_ignore",
    category: Category::Ignores,
    severity: Severity::Warning,
    title: "Ignore whose time is over",
    why: "It was meant to end on a day that has passed: the findings it hid are open again. Days are those of UTC.",
    bad: "COMMENT ON TABLE t IS '@dbguard ignore INT002 until 2020-01-01 -- key comes with release 3';",
    good: "ALTER TABLE t ADD PRIMARY KEY (id); COMMENT ON TABLE t IS NULL;",
    remedy: "mend what it hid, or say anew how long and why",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("comment", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS 'x @dbguard ignore INT002 until 2020-01-31 -- soon'"#),
        case("table", r#"CREATE TABLE t (a int); SELECT dbguard.lint_ignore('INT002', 'public.t', 'soon'); UPDATE dbguard.lint_ignored SET expires = '2020-01-01'"#),
        case("of a constraint", r#"CREATE TABLE "T" (a int CONSTRAINT "c c" CHECK (a > 0)); COMMENT ON CONSTRAINT "c c" ON "T" IS '@dbguard ignore INT041 until 2021-12-31 -- soon'"#),
    ],
    silent: &[
        case("far away", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002 until 2999-01-31 -- later'"#),
        case("for ever", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002 -- always'; SELECT dbguard.lint_ignore('INT002', 'public.t', 'soon', 'infinity')"#),
        case("no date", r#"CREATE TABLE t (a int); COMMENT ON TABLE t IS '@dbguard ignore INT002 until 2020-31-31 -- soon'"#),
        case("another tool's schema", r#"CREATE SCHEMA cron; CREATE TABLE cron.t (a int); COMMENT ON TABLE cron.t IS '@dbguard ignore INT002 until 2020-01-31 -- soon'"#),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    super::tell(c, out, Standing::Expired, |i| {
        format!("ended on {}", i.until.map(|day| day.to_string()).unwrap_or_default())
    });
}
