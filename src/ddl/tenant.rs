//! Statements of the tenant part.

use dbguard_core::quote::{ident, literal, qualified};
use dbguard_core::tenant::Kind;

/// The policy that nothing can widen, and the one that lets a tenant's rows through where no other does.
pub const POLICY: &str = "dbguard_tenant";
pub const ACCESS: &str = "dbguard_tenant_access";

/// The setting is read in a query of its own: once a statement, and an index can be asked for its value.
fn rule(column: &str, kind: Kind, setting: &str) -> String {
    format!("{} = (SELECT dbguard.tenant_{}({}))", ident(column), kind.name(), literal(setting))
}

pub fn create_policy(schema: &str, table: &str, column: &str, kind: Kind, setting: &str) -> String {
    let rule = rule(column, kind, setting);
    format!(
        "CREATE POLICY {POLICY} ON {} AS RESTRICTIVE FOR ALL TO PUBLIC USING ({rule}) WITH CHECK ({rule})",
        qualified(schema, table)
    )
}

/// The same rule again: where the other policy is dropped, alone or with the column or the extension, this one does not
/// open the table. A query asks it once only, since the server leaves out a policy that is equal to another
/// (`add_security_quals`).
pub fn create_access(schema: &str, table: &str, column: &str, kind: Kind, setting: &str) -> String {
    let rule = rule(column, kind, setting);
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
pub fn enable_call(schema: &str, table: &str, column: &str, setting: &str, force: bool) -> String {
    format!(
        "SELECT dbguard.tenant_enable({}, {}, {}{})",
        literal(&qualified(schema, table)),
        literal(column),
        literal(setting),
        if force { "" } else { ", force => false" }
    )
}

// What tenant_check tries.

pub const CREATE_ROLE: &str = "CREATE ROLE dbguard_tenant_check NOLOGIN";

pub fn may_act_as(privilege: &str) -> String {
    format!("SELECT pg_has_role($1, {})", literal(privilege))
}

pub fn grant_all(schema: &str, table: &str) -> String {
    format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO dbguard_tenant_check", qualified(schema, table))
}

pub fn grant_usage(schema: &str) -> String {
    format!("GRANT USAGE ON SCHEMA {} TO dbguard_tenant_check", ident(schema))
}

pub fn any_row(schema: &str, table: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM {})", qualified(schema, table))
}

pub fn row_of(schema: &str, table: &str, column: &str, tenant: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM {} WHERE {} = {})",
        qualified(schema, table),
        ident(column),
        literal(tenant)
    )
}

/// A column without a value gets NULL. It answers nothing: RETURNING would ask further policies.
pub fn insert(
    schema: &str,
    table: &str,
    column: &str,
    tenant: &str,
    others: &[(String, Option<String>)],
) -> String {
    let (mut names, mut values) = (vec![ident(column)], vec![literal(tenant)]);
    for (name, value) in others {
        names.push(ident(name));
        values.push(value.as_deref().map_or("NULL".to_owned(), literal));
    }
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
        qualified(schema, table),
        names.join(", "),
        values.join(", ")
    )
}

/// Gives one row of a tenant to a tenant. True if there was one.
pub fn update_row(schema: &str, table: &str, column: &str, of: &str, to: &str) -> String {
    format!(
        "UPDATE {} SET {} = {} WHERE {} RETURNING true",
        qualified(schema, table),
        ident(column),
        literal(to),
        one_row(schema, table, column, of)
    )
}

pub fn delete_row(schema: &str, table: &str, column: &str, of: &str) -> String {
    format!(
        "DELETE FROM {} WHERE {} RETURNING true",
        qualified(schema, table),
        one_row(schema, table, column, of)
    )
}

/// No more than one, whatever lets them through.
fn one_row(schema: &str, table: &str, column: &str, of: &str) -> String {
    format!(
        "ctid = ANY (ARRAY(SELECT ctid FROM {} WHERE {column} = {of} LIMIT 1)) AND {column} = {of}",
        qualified(schema, table),
        column = ident(column),
        of = literal(of)
    )
}

/// The least and the greatest tenant, as an array of texts.
pub fn first_and_last(schema: &str, table: &str, column: &str) -> String {
    let (table, column) = (qualified(schema, table), ident(column));
    let one = |way: &str| {
        format!(
            "(SELECT {column}::text FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} {way} LIMIT 1)"
        )
    };
    format!("SELECT ARRAY[{}, {}]", one("ASC"), one("DESC"))
}

/// Some columns of some row, as an array of texts.
pub fn some_row(schema: &str, table: &str, columns: &[&str]) -> String {
    let columns: Vec<String> = columns.iter().map(|c| format!("{}::text", ident(c))).collect();
    format!("SELECT ARRAY[{}] FROM {} LIMIT 1", columns.join(", "), qualified(schema, table))
}

// What tenant_usage counts.

/// Rows and bytes of each tenant in one table, without those that inherit from it.
pub fn count(schema: &str, table: &str, column: &str) -> String {
    format!(
        "SELECT {}::text, count(*), sum(pg_column_size(t.*))::bigint FROM ONLY {} t GROUP BY 1",
        ident(column),
        qualified(schema, table)
    )
}
