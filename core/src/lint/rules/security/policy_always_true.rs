use crate::lint::catalog::{Catalog, Policy};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::policies::{always_true, held_back};

pub static RULE: Rule = Rule {
    code: "SEC015",
    name: "policy_always_true",
    category: Category::Security,
    severity: Severity::Error,
    title: "Policy lets everybody change every row",
    why: "Row-level security is on and does nothing: the expression is true whoever asks and \
          whatever the row is. Warning where only new rows are not checked. Policies for reading \
          (public data), for certain roles, and those that a restrictive policy narrows are left \
          alone. No fix is proposed, for only you know who may do what.",
    bad: "CREATE POLICY p ON orders USING (true);",
    good: "CREATE POLICY p ON orders USING (owner = current_user);",
    remedy: "ALTER POLICY with an expression that looks at the row",
    peers: "splinter 0024 (text compare)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("everything", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)"),
        case("true beside something", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR DELETE USING (a > 0 OR 1 = 1)"),
        case("written out", "CREATE TABLE t (a text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR UPDATE USING ('x' = 'x'::text AND true)"),
        case("new rows not checked, quoted, partitioned", r#"CREATE TABLE "T.t" (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY "Ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp" ON "T.t" FOR INSERT WITH CHECK (true)"#),
        case("rows may be given away", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_user) WITH CHECK (true)"),
    ],
    silent: &[
        case("for reading", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR SELECT USING (true)"),
        case("for a certain role", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO pg_monitor USING (true)"),
        case("narrowed", r#"CREATE TABLE "T.t" (a name); ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t" USING (true); CREATE POLICY q ON "T.t" AS RESTRICTIVE USING (a = current_user)"#),
        case("looks at the row", "CREATE TABLE t (a bool, b int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a); CREATE POLICY q ON t USING (b = b AND true); CREATE POLICY r ON t USING (false OR 1 = 2 OR NULL)"),
        case("no expression", "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t; CREATE POLICY q ON t FOR INSERT"),
        case("not in force", "CREATE TABLE t (a int); CREATE POLICY p ON t USING (true)"),
        case("temporary", "CREATE TEMP TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, p) in c.policies().filter(|(_, p)| p.permissive) {
        out.examine(&t.schema);
        if !p.for_everybody() || held_back(t, p) {
            continue;
        }
        if let Some(severity) = openness(c, p) {
            let object = t.policy_object(p);
            let what = if severity == Severity::Error { "change every row" } else { "write any new row" };
            let message = format!("policy {} lets everybody {what}", object.identity);
            out.find(Finding::new(object, message).severity(severity));
        }
    }
}

/// An expression that is not there lets nothing through, save that UPDATE checks new rows by USING.
fn openness(c: &Catalog, p: &Policy) -> Option<Severity> {
    let open = |e: &Option<_>| e.as_ref().is_some_and(|e| always_true(c, e));
    match p.command {
        '*' | 'w' | 'd' if open(&p.using) => Some(Severity::Error),
        '*' | 'w' | 'a' if open(&p.check) => Some(Severity::Warning),
        _ => None,
    }
}
