use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "SEC014",
    name: "rls_not_forced_for_owner",
    category: Category::Security,
    severity: Severity::Warning,
    title: "Only the owner uses the table, and policies do not bind the owner",
    why: "The owner can log in, and nobody else has rights on the table: the application works as \
          the owner, who sees every row whatever the policies say. An owner that cannot log in, \
          and tables that others have rights on, whom the policies bind, are left alone, and so \
          are superusers, whom nothing binds.",
    bad: "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; -- the application logs in as the owner",
    good: "ALTER TABLE orders FORCE ROW LEVEL SECURITY;",
    remedy: "FORCE ROW LEVEL SECURITY, or let the application log in as a role of its own",
    peers: "schemalint rowLevelSecurity(enforced)",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("owned by who logs in", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a name); ALTER TABLE t OWNER TO lint_app; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_user)"),
        case("partitioned, quoted", r#"DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE "T.t" (a name) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT; ALTER TABLE "T.t" OWNER TO lint_app; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY; CREATE POLICY "P.p" ON "T.t""#),
    ],
    silent: &[
        case("forced", r#"DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE "T.t" (a name); ALTER TABLE "T.t" OWNER TO lint_app; ALTER TABLE "T.t" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON "T.t""#),
        case("others use it", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a name); ALTER TABLE t OWNER TO lint_app; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t; GRANT SELECT (a) ON t TO pg_monitor"),
        case("its owner cannot log in", "CREATE TABLE t (a name); ALTER TABLE t OWNER TO pg_monitor; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t"),
        case("a superuser's", "CREATE TABLE t (a name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t"),
        case("no policy is another rule", "DO $$ BEGIN CREATE ROLE lint_app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; CREATE TABLE t (a name); ALTER TABLE t OWNER TO lint_app; ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables().filter(|t| t.row_security && !t.policies.is_empty()) {
        out.examine(&t.schema);
        let owner = c.roles.get(&t.owner).filter(|r| r.login && !r.bypasses_policies);
        let Some(owner) = owner.filter(|_| !t.force_row_security && t.grants.is_empty()) else { continue };
        let message = format!(
            "only {}, the owner, has rights on table {}, and its policies do not bind the owner",
            ident(&owner.name),
            t.sql_name()
        );
        out.find(Finding::new(t.object(), message).confidence(0.7).fix(fix(t)));
    }
}

fn fix(t: &Relation) -> Fix {
    let table = t.sql_name();
    Fix::new(format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"), Safety::Review)
        .undo(format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"))
}
