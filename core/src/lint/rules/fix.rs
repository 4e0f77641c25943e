//! Statements that several rules propose.

use crate::lint::catalog::{Attribute, Catalog, Grant, Relation, RelationKind, PUBLIC};
use crate::lint::finding::{Fix, Safety, Severity};
use crate::lint::text::idents;
use crate::quote::ident;

/// `ALTER COLUMN TYPE`, where the server would accept it.
pub fn retype(t: &Relation, a: &Attribute, type_name: &str, using: Option<&str>) -> Option<Fix> {
    if !can_retype(t, a) {
        return None;
    }
    let column = ident(&a.name);
    let using = using.map(|u| format!(" USING {column} {u}")).unwrap_or_default();
    let table = t.sql_name();
    let fix = Fix::new(
        format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name}{using};"),
        Safety::Rewrite,
    );
    Some(fix.undo(format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {};", a.type_name)))
}

/// Whether ALTER COLUMN TYPE is not refused for what depends on the column.
pub fn can_retype(t: &Relation, a: &Attribute) -> bool {
    !a.type_pinned && !a.inherited && !a.generated && !t.typed && !in_partition_key(t, a)
}

/// An expression in the key may name any column.
fn in_partition_key(t: &Relation, a: &Attribute) -> bool {
    t.partition_key.iter().any(|k| *k == a.num || *k == 0)
}

/// The column and every foreign key column that follows it, made bigint together: all or nothing.
pub fn widen_with_references(c: &Catalog, t: &Relation, a: &Attribute) -> Option<Fix> {
    let mut sql = vec![retype(t, a, "bigint", None)?.sql];
    for (child, fk) in c.references_to(t.oid, a.num) {
        let at = fk.ref_columns.iter().position(|n| *n == a.num)?;
        let column = child.attribute(*fk.columns.get(at)?)?;
        // A column that others refer to in turn would need the same again.
        if c.references_to(child.oid, column.num).next().is_some() || child.is_partition {
            return None;
        }
        if column.base_type != crate::lint::catalog::types::INT8 {
            sql.push(retype(child, column, "bigint", None)?.sql);
        }
    }
    if let Some(s) = c.sequence_of(t.oid, a.num).filter(|_| !a.identity) {
        sql.push(format!("ALTER SEQUENCE {} AS bigint;", s.object().identity));
    }
    Some(Fix::new(sql.join("\n"), Safety::Rewrite))
}

/// CONCURRENTLY is not to be had on a partitioned table. Without a name: the server finds a free one.
pub fn create_index(t: &Relation, columns: &[i16]) -> Fix {
    let (how, safety) = match t.kind {
        RelationKind::PartitionedTable => ("", Safety::Rewrite),
        _ => (" CONCURRENTLY", Safety::Online),
    };
    let columns = idents(&t.names(columns));
    Fix::new(format!("CREATE INDEX{how} ON {} ({columns});", t.sql_name()), safety)
}

/// Whether no index finds rows by the column and no other rule says so: IDX001 tells of foreign keys.
pub fn index_wanted(t: &Relation, column: i16) -> bool {
    !t.finds_by(column)
        && t.partition_key.first() != Some(&column)
        && !t.constraints.iter().any(|k| k.kind == 'f' && k.columns == [column])
}

/// By the rows that are read for want of the index.
pub fn missing_index_severity(t: &Relation) -> Severity {
    match t.tuples {
        n if n >= 100_000.0 => Severity::Error,
        n if (0.0..1000.0).contains(&n) && t.kind == RelationKind::Table => Severity::Info,
        _ => Severity::Warning,
    }
}

/// Nobody but the owner reads it. None: somebody with rights has no name.
pub fn revoke_select(c: &Catalog, t: &Relation) -> Option<Fix> {
    let readers = || t.grants.iter().filter(|g| g.has("SELECT"));
    let name = |g: &Grant| match g.grantee {
        PUBLIC => Some("PUBLIC".to_owned()),
        role => c.roles.get(&role).map(|r| ident(&r.name)),
    };
    let table = t.sql_name();
    let mut roles = readers().map(name).collect::<Option<Vec<_>>>()?;
    let undo: Vec<String> = readers()
        .zip(&roles)
        .map(|(g, role)| match g.column {
            0 => format!("GRANT SELECT ON {table} TO {role};"),
            column => format!("GRANT SELECT ({}) ON {table} TO {role};", idents(&t.names(&[column]))),
        })
        .collect();
    roles.dedup();
    let sql = format!("REVOKE SELECT ON {table} FROM {};", roles.join(", "));
    Some(Fix::new(sql, Safety::Review).undo(undo.join("\n")))
}
