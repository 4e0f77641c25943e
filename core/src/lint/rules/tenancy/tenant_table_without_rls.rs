use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Fix, Object, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_columns;
use crate::lint::text::count;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TEN001",
    name: "tenant_table_without_rls",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "Table holds several tenants' rows without row-level security",
    why: "One query that forgets its WHERE shows a tenant another's rows. Where no table uses \
          row-level security, isolation is the application's by choice: that is told once for the \
          database. A table counts by its column: tenant_id, or the one of organization_id, \
          account_id and the like that runs through the schema.",
    bad: "CREATE TABLE orders (tenant_id int NOT NULL);",
    good: "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY tenant_isolation ON orders \
           USING (tenant_id = current_setting('app.tenant_id')::int);",
    remedy: "enable row-level security with a policy on the tenant column; the fix reads the setting app.tenant_id",
    peers: "schemalint rowLevelSecurity, splinter 0013",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("one without among others with", "CREATE TABLE t (tenant_id int); CREATE TABLE u (tenant_id int); ALTER TABLE u ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON u USING (true)"),
        case("nobody uses it", "CREATE TABLE t (tenant_id uuid); CREATE TABLE u (tenant_id uuid)"),
        case("accounts all through", "CREATE TABLE t (account_id int); CREATE TABLE u (account_id int); CREATE TABLE v (account_id int); ALTER TABLE v ENABLE ROW LEVEL SECURITY"),
        case("quoted", r#"CREATE TABLE "T.t" ("Tenant_ID" text); CREATE TABLE u (); ALTER TABLE u ENABLE ROW LEVEL SECURITY"#),
    ],
    silent: &[
        case("enabled", "CREATE TABLE t (tenant_id int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)"),
        case("a bank's accounts", "CREATE TABLE accounts (account_id int); CREATE TABLE t (account_id int); CREATE TABLE u (a int)"),
        case("an identity provider's", "CREATE TABLE t (tenant_id text, issuer text); DO $$ BEGIN FOR i IN 1..10 LOOP EXECUTE format('CREATE TABLE u%s (a int)', i); END LOOP; END $$"),
        case("view", "CREATE VIEW v AS SELECT 1 AS tenant_id"),
        case("partition", "CREATE TABLE t (tenant_id int) PARTITION BY LIST (tenant_id); CREATE TABLE t1 PARTITION OF t DEFAULT; ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
        case("temporary", "CREATE TEMP TABLE t (tenant_id int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let columns = tenant_columns(c);
    let anybody = c.relations.iter().any(|r| r.row_security && r.linted);
    for (t, ..) in &columns {
        out.examine(&t.schema);
    }
    let open: Vec<_> = columns.into_iter().filter(|(t, ..)| !t.row_security).collect();
    if let (false, Some((_, first, confidence))) = (anybody, open.first()) {
        let message = format!(
            "no table uses row-level security, though {} with {} hold several tenants' rows",
            count(open.len(), "table"),
            ident(&first.name)
        );
        let mut names: Vec<String> = open.iter().map(|(t, ..)| t.sql_name()).collect();
        names.sort();
        names.truncate(50);
        let found = Finding::new(Object::database(&c.database), message)
            .confidence(*confidence)
            .evidence("affected", open.len())
            .evidence("objects", names);
        return out.find(found);
    }
    for (t, a, confidence) in open {
        let message = format!(
            "table {} holds several tenants' rows ({}) without row-level security",
            t.sql_name(),
            ident(&a.name)
        );
        out.find(
            Finding::new(t.object(), message)
                .confidence(confidence)
                .evidence("tenant_column", a.name.as_str())
                .fix(fix(t, a)),
        );
    }
}

/// NULLIF: a pooled session's setting is '' once it has been set and reset.
fn fix(t: &Relation, a: &Attribute) -> Option<Fix> {
    if !t.policies.is_empty() {
        return None;
    }
    let (table, column) = (t.sql_name(), ident(&a.name));
    let tenant = format!("(SELECT nullif(current_setting('app.tenant_id', true), '')::{})", a.type_name);
    let sql = format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n\
         CREATE POLICY tenant_isolation ON {table} USING ({column} = {tenant}) WITH CHECK ({column} = {tenant});"
    );
    let undo = format!(
        "DROP POLICY tenant_isolation ON {table};\n\
         ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;"
    );
    Some(Fix::new(sql, Safety::Review).undo(undo))
}
