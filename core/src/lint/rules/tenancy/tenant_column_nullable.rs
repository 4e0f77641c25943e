use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::rules::tenancy::tenant_columns;
use crate::quote::ident;

pub static RULE: Rule = Rule {
    code: "TEN004",
    name: "tenant_column_nullable",
    category: Category::Tenancy,
    severity: Severity::Error,
    title: "Tenant column may be NULL",
    why: "A row without a tenant is nobody's: policies hide it from all, queries without them show \
          it to all, and unique keys that start with the column stop holding.",
    bad: "CREATE TABLE orders (tenant_id int);",
    good: "CREATE TABLE orders (tenant_id int NOT NULL);",
    remedy: "SET NOT NULL, once every row has a tenant",
    peers: "",
    hides: &[],
    rollup: Rollup::CONVENTION,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("nullable", "CREATE TABLE t (tenant_id int)"),
        case("with default", "CREATE TABLE t (tenant_id uuid DEFAULT gen_random_uuid())"),
        case(
            "quoted, partitioned",
            r#"CREATE TABLE "T.t" ("Tenant_Id" int) PARTITION BY LIST ("Tenant_Id"); CREATE TABLE t1 PARTITION OF "T.t" DEFAULT"#,
        ),
    ],
    silent: &[
        case("not null", "CREATE TABLE t (tenant_id int NOT NULL)"),
        case("domain not null", "CREATE DOMAIN d AS int NOT NULL; CREATE TABLE t (tenant_id d)"),
        case("check not null", "CREATE TABLE t (tenant_id int CHECK (tenant_id IS NOT NULL))"),
        case("another column", "CREATE TABLE t (team_id int, tenant text)"),
        case("inherited not null", "CREATE TABLE p (tenant_id int NOT NULL); CREATE TABLE t () INHERITS (p)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a, confidence) in tenant_columns(c) {
        out.examine(&t.schema);
        if !t.never_null(a) {
            let column = t.column_object(a);
            let (table, name) = (t.sql_name(), ident(&a.name));
            let fix =
                Fix::new(format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"), Safety::Rewrite)
                    .undo(format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL;"));
            let message = format!("tenant column {} may be NULL", column.identity);
            out.find(
                Finding::new(column, message)
                    .confidence(confidence)
                    .evidence("column", a.name.as_str())
                    .fix(fix),
            );
        }
    }
}
