//! All that is one tenant's: rows of guarded tables by their column, and of tables without one by what they refer to.

mod condition;
mod keys;

use super::guarded::{guarded, policies, Guarded};
use crate::catalog::{own_table, schema_with};
use crate::ddl::tenant_data as ddl;
use crate::error::{Error, Result};
use dbguard_core::tenant::{self, Kind};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub use keys::Key;
use keys::{inherits, keys, of_two, Found, Part};

pub struct Table {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    partitioned: bool,
    /// The tenant column; None: its rows are the tenant's whose rows they refer to.
    pub tenant: Option<(String, Kind)>,
    /// Without the generated ones.
    pub columns: Vec<String>,
}

pub struct Owned {
    pub value: String,
    /// The tenant as its tables show it, each type in its way: so the audit log has it.
    pub shown: Vec<String>,
    /// Of all schemas.
    pub everywhere: bool,
    pub tables: Vec<Table>,
    pub keys: Vec<Key>,
}

impl Table {
    fn of(relation: Oid, guard: Option<&Guarded>) -> Result<Table> {
        const COLUMNS: &str = "
            SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
        let table = own_table(relation)?;
        let columns = Spi::connect(|client| {
            client.select(COLUMNS, Some(1), &[relation.into()])?.first().get_one::<Vec<String>>()
        })?;
        Ok(Table {
            oid: relation,
            schema: table.schema,
            name: table.name,
            owner: table.owner,
            partitioned: table.kind == 'p',
            tenant: guard.map(|g| (g.column.clone(), g.kind)),
            columns: columns.unwrap_or_default(),
        })
    }

    pub fn id(&self) -> ddl::Name<'_> {
        (&self.schema, &self.name)
    }
}

impl Owned {
    /// Of the guarded tables of a schema, or of all, and of whatever refers to them.
    pub fn of(value: Option<&str>, schema: Option<&str>) -> Result<Owned> {
        let value = value.ok_or_else(|| Error::null_argument("tenant"))?.to_owned();
        let schema = schema.map(|name| schema_with(name, &[])).transpose()?;
        if let Some(broken) =
            policies(schema, None)?.iter().find(|p| !p.follows && (p.rule.is_none() || !p.enabled))
        {
            return Err(Error::not_in_state(format!("table \"{}\" is not guarded as it was", broken.name))
                .detail("So it cannot be told which of its rows are the tenant's.")
                .hint("See SELECT * FROM dbguard.tenant_status();"));
        }
        let guards: Vec<Guarded> = guarded(None)?.into_iter().filter(|g| !g.follows).collect();
        let guard = |relation: Oid| guards.iter().find(|g| g.relation == relation);
        let everywhere = schema.is_none();
        let mut owned = Owned { value, shown: vec![], everywhere, tables: vec![], keys: vec![] };
        for relation in guarded(schema)?.iter().filter(|g| !g.follows).map(|g| g.relation) {
            owned.tables.push(Table::of(relation, guard(relation))?);
        }
        if owned.tables.is_empty() {
            return Err(Error::not_in_state("no table is guarded")
                .hint("SELECT * FROM dbguard.tenant_enable('...');"));
        }
        let mut found = keys()?;
        // each table that is added may be referred to by others
        let mut at = 0;
        while let Some(parent) = owned.tables.get(at).map(|t| t.oid) {
            // one that lets go makes nobody's row a tenant's; but whose rows are has to come in order
            let counts = |key: &Found| key.key.holds || guard(key.child).is_some();
            for key in found.extract_if(.., |key| key.parent == parent && counts(key)) {
                if key.made_on != key.child {
                    return Err(Error::unsupported(format!(
                        "foreign key \"{}\" is of a table that inherits",
                        key.key.name
                    ))
                    .hint("Delete its rows first, or drop the key."));
                }
                let child = match owned.tables.iter().position(|t| t.oid == key.child) {
                    Some(child) => child,
                    None => {
                        owned.tables.push(Table::of(key.child, guard(key.child))?);
                        owned.tables.len() - 1
                    }
                };
                owned.add(child, at, key)?;
            }
            at += 1;
        }
        for key in found {
            let at = |oid: Oid| owned.tables.iter().position(|t| t.oid == oid);
            match (at(key.child), at(key.parent)) {
                (Some(child), Some(parent)) => owned.add(child, parent, key)?,
                // what is inherited from one of them is not one of them
                (_, None) if key.key.holds && inherits(key.parent, &owned.tables)? => {
                    return Err(partial(&key.key.name));
                }
                _ => {}
            }
        }
        one_table_each(&owned.tables)?;
        owned.shown = owned.shown()?;
        if let [one] = &*owned.shown {
            owned.value = one.clone();
        }
        for table in 0..owned.tables.len() {
            owned.condition(table)?;
        }
        Ok(owned)
    }

    /// # Errors
    /// 0A000 if it makes rows the tenant's and is about a part of a table only.
    fn add(&mut self, child: usize, parent: usize, found: Found) -> Result<()> {
        let tenant = self.tables[child].tenant.as_ref();
        let in_part = child == parent && (found.key.of.is_some() || found.key.to.is_some());
        if (found.partial || in_part) && found.key.holds && tenant.is_none() {
            return Err(partial(&found.key.name));
        }
        let mut key = Key { child, parent, ..found.key };
        key.nullable.retain(|column| tenant.is_none_or(|(tenant, _)| tenant != column));
        self.keys.push(key);
        Ok(())
    }

    /// The tenant as a table of this kind shows it.
    fn of_kind(&self, kind: Kind) -> String {
        spelled(&self.value, kind).unwrap_or_else(|| self.value.clone())
    }

    /// The tenant as the tables show it.
    ///
    /// # Errors
    /// 22023 if a table's tenants are of a type that the value is none of.
    fn shown(&self) -> Result<Vec<String>> {
        let mut shown = vec![];
        for table in &self.tables {
            let Some((_, kind)) = table.tenant else { continue };
            let value = spelled(&self.value, kind);
            let Some(value) = value else {
                let message = format!("\"{}\" is no tenant of table \"{}\"", self.value, table.name);
                return Err(Error::invalid_parameter(message)
                    .detail(format!("Its tenants are of type {}.", kind.name()))
                    .hint("Name the schema whose tables are meant: schema => '...'."));
            };
            shown.push(value);
        }
        shown.sort();
        shown.dedup();
        Ok(shown)
    }
}

fn partial(key: &str) -> Error {
    Error::unsupported(format!("foreign key \"{key}\" is about a part of a table only"))
        .detail("It is of a table that inherits or is inherited from, or refers to one that inherits, or is of a partition and refers to its own table: which rows are the tenant's cannot be told by it.")
        .hint("Give the table that refers a tenant column of its own (dbguard.tenant_enable), or make the key on the whole table.")
}

/// # Errors
/// 0A000 if rows are in two of the tables.
fn one_table_each(tables: &[Table]) -> Result<()> {
    match of_two(tables)? {
        None => Ok(()),
        Some(name) => {
            Err(Error::unsupported(format!("table \"{name}\" inherits from two tables of the tenant"))
                .detail("Its rows would be taken twice.")
                .hint("ALTER TABLE ... NO INHERIT one of them."))
        }
    }
}

/// As the kind shows the value; None if it is none.
fn spelled(value: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Uuid => tenant::uuid(value).map(|bytes| pgrx::Uuid::from_bytes(bytes).to_string()),
        Kind::Bigint => tenant::bigint(value).map(|number| number.to_string()),
        Kind::Int => tenant::int(value).map(|number| number.to_string()),
        Kind::Text => tenant::text(value).map(str::to_owned),
    }
}
