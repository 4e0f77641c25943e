//! Statements of the tenant part.

use dbguard_core::quote::{ident, literal, qualified};
use dbguard_core::tenant::Kind;

/// The policy that nothing can widen, and the one that lets a tenant's rows through where no other does.
pub const POLICY: &str = "dbguard_tenant";
pub const ACCESS: &str = "dbguard_tenant_access";

/// The setting is read in a query of its own: once a statement, and an index can be asked for its value.
pub fn create_policy(schema: &str, table: &str, column: &str, kind: Kind, setting: &str) -> String {
    let rule = format!("{} = (SELECT dbguard.tenant_{}({}))", ident(column), kind.name(), literal(setting));
    format!(
        "CREATE POLICY {POLICY} ON {} AS RESTRICTIVE FOR ALL TO PUBLIC USING ({rule}) WITH CHECK ({rule})",
        qualified(schema, table)
    )
}

/// It names the column so that it cannot outlive it: a table that has lost the column shows nothing.
pub fn create_access(schema: &str, table: &str, column: &str) -> String {
    let rule = format!("{} IS NOT NULL", ident(column));
    format!(
        "CREATE POLICY {ACCESS} ON {} FOR ALL TO PUBLIC USING ({rule}) WITH CHECK ({rule})",
        qualified(schema, table)
    )
}

pub fn comment(schema: &str, table: &str, comment: &str) -> String {
    format!("COMMENT ON POLICY {POLICY} ON {} IS {}", qualified(schema, table), literal(comment))
}

pub fn drop_policy(policy: &str, schema: &str, table: &str) -> String {
    format!("DROP POLICY {} ON {}", ident(policy), qualified(schema, table))
}

pub fn row_security(schema: &str, table: &str, on: bool) -> String {
    let verb = if on { "ENABLE" } else { "DISABLE" };
    format!("ALTER TABLE {} {verb} ROW LEVEL SECURITY", qualified(schema, table))
}

pub fn force(schema: &str, table: &str, on: bool) -> String {
    let verb = if on { "FORCE" } else { "NO FORCE" };
    format!("ALTER TABLE {} {verb} ROW LEVEL SECURITY", qualified(schema, table))
}

/// An index that the server names.
pub fn create_index(schema: &str, table: &str, column: &str, concurrently: bool) -> String {
    let how = if concurrently { "CONCURRENTLY " } else { "" };
    format!("CREATE INDEX {how}ON {} ({})", qualified(schema, table), ident(column))
}

/// One of a partitioned table whose partitions get theirs one by one, and of such a partition.
pub fn create_index_only(index: &str, schema: &str, table: &str, column: &str) -> String {
    format!("CREATE INDEX {} ON ONLY {} ({})", ident(index), qualified(schema, table), ident(column))
}

pub fn create_index_named(index: &str, schema: &str, table: &str, column: &str) -> String {
    format!("CREATE INDEX CONCURRENTLY {} ON {} ({})", ident(index), qualified(schema, table), ident(column))
}

pub fn attach_index((schema, index): (&str, &str), (child_schema, child): (&str, &str)) -> String {
    format!("ALTER INDEX {} ATTACH PARTITION {}", qualified(schema, index), qualified(child_schema, child))
}

/// NOT NULL without a long lock: the rows are looked at while others write.
pub fn not_null(schema: &str, table: &str, column: &str) -> [String; 4] {
    let table = qualified(schema, table);
    let (column, check) = (ident(column), "dbguard_tenant_not_null");
    [
        format!("ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"),
        format!("ALTER TABLE {table} VALIDATE CONSTRAINT {check}"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
        format!("ALTER TABLE {table} DROP CONSTRAINT {check}"),
    ]
}

/// A foreign key to the table of the tenants, whose rows are not looked at yet with `not_valid`.
pub fn foreign_key(
    schema: &str,
    table: &str,
    column: &str,
    (tenants_schema, tenants, key): (&str, &str, &str),
    not_valid: bool,
) -> String {
    format!(
        "ALTER TABLE {} ADD CONSTRAINT dbguard_tenant_fkey FOREIGN KEY ({}) REFERENCES {} ({}){}",
        qualified(schema, table),
        ident(column),
        qualified(tenants_schema, tenants),
        ident(key),
        if not_valid { " NOT VALID" } else { "" }
    )
}

pub fn validate_foreign_key(schema: &str, table: &str) -> String {
    format!("ALTER TABLE {} VALIDATE CONSTRAINT dbguard_tenant_fkey", qualified(schema, table))
}

pub fn security_invoker(schema: &str, view: &str) -> String {
    format!("ALTER VIEW {} SET (security_invoker = true)", qualified(schema, view))
}

/// The call that guards a table as it is to be.
pub fn enable_call(schema: &str, table: &str, column: &str, setting: &str) -> String {
    format!(
        "SELECT dbguard.tenant_enable({}, {}, {})",
        literal(&qualified(schema, table)),
        literal(column),
        literal(setting)
    )
}
