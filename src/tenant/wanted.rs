//! What tenant_enable is asked for, and whether a table can have it.

use crate::catalog::own_table;
use crate::error::{Error, Result};
use crate::pg::attribute::attributes_of_relation;
use crate::pg::relation::{partition_parent, Relation};
use dbguard_core::tenant::{is_setting, Kind};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;

#[derive(Clone)]
pub struct Wanted {
    pub column: String,
    pub setting: String,
    pub force: bool,
    /// The table of the tenants, if the column shall refer to it.
    pub tenants: Option<Oid>,
}

impl Wanted {
    pub fn new(
        column: Option<&str>,
        setting: Option<&str>,
        force: Option<bool>,
        tenants: Option<Oid>,
    ) -> Result<Wanted> {
        let setting = setting.ok_or_else(|| Error::null_argument("setting"))?;
        // names of our own are known to the server, which takes no others
        if !is_setting(setting) || setting.to_ascii_lowercase().starts_with("dbguard.") {
            let code = PgSqlErrorCode::ERRCODE_INVALID_NAME;
            return Err(Error::new(code, format!("invalid setting name \"{setting}\""))
                .detail("A setting of an application is two or more simple names with dots between them.")
                .hint("For example: app.tenant_id"));
        }
        Ok(Wanted {
            column: column.ok_or_else(|| Error::null_argument("tenant_column"))?.to_owned(),
            setting: setting.to_owned(),
            force: force.ok_or_else(|| Error::null_argument("force"))?,
            tenants,
        })
    }

    /// How the table's tenant column is read.
    ///
    /// # Errors
    /// 42703 if there is no such column, 42804 if its type is none a tenant may have.
    pub fn kind(&self, table: &Relation) -> Result<Kind> {
        let attributes = attributes_of_relation(table.oid);
        let Some(column) = attributes.iter().find(|a| a.name == self.column) else {
            return Err(Error::undefined_column(&self.column, &table.name)
                .hint("Name the column that says whose row it is: tenant_column => '...'."));
        };
        match column.base {
            pg_sys::UUIDOID => Ok(Kind::Uuid),
            pg_sys::INT8OID => Ok(Kind::Bigint),
            pg_sys::INT4OID => Ok(Kind::Int),
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Ok(Kind::Text),
            _ => Err(Error::new(
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
                format!("column \"{}\" of relation \"{}\" cannot hold a tenant", self.column, table.name),
            )
            .detail("A tenant is a uuid, bigint, integer, text or varchar, or a domain over one of them.")
            .hint("Change the column's type, or name another column: tenant_column => '...'.")),
        }
    }
}

/// A table that can be guarded by itself.
///
/// # Errors
/// Those of `own_table`, and 42809 for a member of an extension and for a partition, which follows its table.
pub fn root_table(relid: Oid) -> Result<Relation> {
    let table = own_table(relid)?;
    if let Some(extension) = extension_of(relid)? {
        return Err(Error::wrong_object_type(format!("\"{}\" belongs to extension {extension}", table.name))
            .hint("Name a table of your own."));
    }
    if table.is_partition {
        let parent = crate::catalog::relation(partition_parent(relid))?;
        return Err(Error::wrong_object_type(format!("\"{}\" is a partition", table.name)).hint(format!(
            "Name the partitioned table, {}: its partitions follow, those made later too.",
            dbguard_core::quote::qualified(&parent.schema, &parent.name)
        )));
    }
    Ok(table)
}

fn extension_of(relid: Oid) -> Result<Option<String>> {
    const EXTENSION: &str = "
        SELECT e.extname::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = $1 AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'";
    Ok(Spi::connect(|client| {
        let mut found = client.select(EXTENSION, Some(1), &[relid.into()])?;
        found.next().map_or(Ok(None), |row| row.get::<String>(1))
    })
    .map_err(|e: pgrx::spi::Error| e)?)
}
