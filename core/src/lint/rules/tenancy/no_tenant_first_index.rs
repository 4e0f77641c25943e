use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::fix::{create_index, index_wanted, missing_index_severity};
use crate::lint::rules::tenancy::tenant_tables;

pub static RULE: Rule = Rule {
    code: "TEN003",
    name: "no_tenant_first_index",
    category: Category::Tenancy,
    severity: Severity::Warning,
    title: "No index starts with the tenant column",
    why: "Nearly every query asks for one tenant's rows, by its WHERE or by a policy, and reads \
          the whole table for them. Tables partitioned by the tenant, the list of tenants itself, \
          and foreign keys that IDX001 tells are left alone. Info below 1,000 rows, error from \
          100,000. Says more than SEC018, which is then silent.",
    bad: "CREATE TABLE orders (id bigint PRIMARY KEY, tenant_id int NOT NULL);",
    good: "CREATE INDEX ON orders (tenant_id, created_at);",
    remedy: "CREATE INDEX CONCURRENTLY on the tenant column, with what queries sort by behind it",
    peers: "",
    hides: &["SEC018"],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("no index", "CREATE TABLE t (id int PRIMARY KEY, tenant_id int)"),
        case("second in the key, hostile names", r#"CREATE TABLE "T.t" (a int, "Tenant_ID" uuid, PRIMARY KEY (a, "Tenant_ID")); CREATE TABLE "Ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" ("tenant_KEY" text)"#),
        case("partial, partitioned by another column", "CREATE TABLE t (tenant_id int, a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT; CREATE INDEX ON t (tenant_id) WHERE a > 0"),
        case("inherited columns have their own indexes", "CREATE TABLE p (tenant_id int); CREATE TABLE t () INHERITS (p); CREATE INDEX ON t (tenant_id)"),
    ],
    silent: &[
        case("another's tenant", "CREATE TABLE t (tenant_id text); DO $$ BEGIN FOR n IN 1..20 LOOP EXECUTE 'CREATE TABLE t' || n || ' (a int)'; END LOOP; END $$"),
        case("indexed", r#"CREATE TABLE "T.t" ("Tenant_ID" int, a int); CREATE INDEX ON "T.t" ("Tenant_ID", a)"#),
        case("key", "CREATE TABLE t (tenant_id int, a int, PRIMARY KEY (tenant_id, a))"),
        case("the tenants", "CREATE TABLE t (tenant_id int PRIMARY KEY)"),
        case("partitioned by it", "CREATE TABLE t (tenant_id int) PARTITION BY LIST (tenant_id); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("where not null", "CREATE TABLE t (tenant_id int); CREATE INDEX ON t (tenant_id) WHERE tenant_id IS NOT NULL"),
        case("IDX001 tells it", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (tenant_id int REFERENCES a)"),
        case("temporary", "CREATE TEMP TABLE t (tenant_id int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a, confidence) in tenant_tables(c) {
        out.examine(&t.schema);
        if index_wanted(t, a.num) {
            let column = t.column_object(a);
            let message = format!("no index starts with tenant column {}", column.identity);
            out.find(
                Finding::new(column, message)
                    .severity(missing_index_severity(t))
                    .confidence(confidence)
                    .evidence("rows", t.tuples)
                    .fix(create_index(t, &[a.num])),
            );
        }
    }
}
