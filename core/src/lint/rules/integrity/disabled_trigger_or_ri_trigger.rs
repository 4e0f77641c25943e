use crate::lint::catalog::{Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "INT016",
    name: "disabled_trigger_or_ri_trigger",
    category: Category::Integrity,
    severity: Severity::Error,
    title: "Trigger is disabled, of a foreign key or of the user",
    why: "A foreign key whose triggers are disabled is shown as valid and checks nothing: what was \
          loaded meanwhile may refer to rows that do not exist. Warning for a trigger of the user's. \
          Triggers that fire only for replicated rows (ENABLE REPLICA) are left alone. Enabling \
          checks no row that is there: look for orphans afterwards.",
    bad: "ALTER TABLE items DISABLE TRIGGER ALL; -- and never enabled again",
    good: "ALTER TABLE items ENABLE TRIGGER ALL;",
    remedy: "ENABLE TRIGGER, then look for rows that broke the rule meanwhile",
    peers: "check_postgres disabled_triggers, pg-migration-lint PGM020",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("all of a child", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); ALTER TABLE t DISABLE TRIGGER ALL"),
        case("all of the parent", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); ALTER TABLE a DISABLE TRIGGER ALL"),
        case("the user's, quoted", r#"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE "T.t" (a int); CREATE TRIGGER "G ""g" AFTER INSERT ON "T.t" FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE "T.t" DISABLE TRIGGER "G ""g""#),
        case("of a partition alone", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t1 DISABLE TRIGGER ALL"),
        case("all of a partitioned parent, told once", "CREATE TABLE a (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE a1 PARTITION OF a DEFAULT; CREATE TABLE t (a int REFERENCES a); ALTER TABLE a DISABLE TRIGGER ALL"),
        case("a partition's key of another name, told once", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT f REFERENCES a) PARTITION BY LIST (a); CREATE TABLE t1 (a int CONSTRAINT g REFERENCES a); ALTER TABLE t ATTACH PARTITION t1 DEFAULT; ALTER TABLE t DISABLE TRIGGER ALL"),
    ],
    silent: &[
        case("enabled", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
        case("enabled again", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); ALTER TABLE t DISABLE TRIGGER ALL; ALTER TABLE t ENABLE TRIGGER ALL"),
        case("for replication", "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (a int); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE REPLICA TRIGGER g"),
        case("always", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a); DO $$BEGIN EXECUTE (SELECT format('ALTER TABLE t ENABLE ALWAYS TRIGGER %I', tgname) FROM pg_trigger WHERE tgrelid = 't'::regclass LIMIT 1); END$$"),
        case("temporary", "CREATE TEMP TABLE a (id int PRIMARY KEY); CREATE TEMP TABLE t (a int REFERENCES a); ALTER TABLE t DISABLE TRIGGER ALL"),
    ],
};

/// Partitions too: a trigger of one of them may be disabled alone.
fn check(c: &Catalog, out: &mut Report) {
    for t in c.relations.iter().filter(|t| t.linted && t.is_table()) {
        let (table, above) = (t.sql_name(), t.parent.and_then(|p| c.relation(p)));
        for k in t.constraints.iter().filter(|k| k.kind == 'f') {
            out.examine_kind(&t.schema, "constraint");
            // one key has a row for itself, one for each of its partitions, and one for each it refers to
            let over = [Some(t), above].into_iter().flatten().flat_map(|r| &r.constraints);
            let told = over.filter(|o| o.oid == k.parent).any(|o| !o.disabled.is_empty());
            if k.disabled.is_empty() || told {
                continue;
            }
            let message = format!(
                "foreign key {} of {table} is not enforced: its triggers are disabled",
                ident(&k.name)
            );
            let enable = |(oid, name): &(u32, String)| c.relation(*oid).map(|r| enable(r, name));
            let sql: Option<Vec<String>> = k.disabled.iter().map(enable).collect();
            out.find(
                Finding::new(t.constraint_object(k), message)
                    .fix(sql.map(|sql| Fix::new(sql.join("\n"), Safety::BriefLock))),
            );
        }
        for g in &t.triggers {
            out.examine_kind(&t.schema, "trigger");
            let told = above.is_some_and(|p| p.triggers.iter().any(|o| o.disabled && o.name == g.name));
            if g.disabled && !told {
                let message = format!("trigger {} of {table} is disabled", ident(&g.name));
                let fix = Fix::new(enable(t, &g.name), Safety::Review)
                    .undo(format!("ALTER TABLE {table} DISABLE TRIGGER {};", ident(&g.name)));
                out.find(Finding::new(t.trigger_object(g), message).severity(Severity::Warning).fix(fix));
            }
        }
    }
}

fn enable(t: &Relation, trigger: &str) -> String {
    format!("ALTER TABLE {} ENABLE TRIGGER {};", t.sql_name(), ident(trigger))
}
