//! All that is one tenant's: rows of guarded tables by their column, and of tables without one by what they refer to.

use super::guarded::{guarded, policies, Guarded};
use crate::catalog::{own_table, schema_with};
use crate::ddl::tenant_data as ddl;
use crate::error::{Error, Result};
use dbguard_core::tenant::{self, Kind};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Table {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    /// The tenant column; None: its rows are the tenant's whose rows they refer to.
    pub tenant: Option<(String, Kind)>,
    /// Without the generated ones.
    pub columns: Vec<String>,
}

/// A foreign key among them; not one that lets go by itself (ON DELETE SET NULL).
pub struct Key {
    pub name: String,
    /// Positions of the tables.
    pub child: usize,
    pub parent: usize,
    pub pairs: Vec<ddl::Pair>,
    /// Its columns that may be NULL.
    pub nullable: Vec<String>,
}

pub struct Owned {
    pub value: String,
    pub tables: Vec<Table>,
    pub keys: Vec<Key>,
}

/// A foreign key as the catalogs have it.
struct Found {
    child: Oid,
    /// Where the key is: a child that inherits is not its parent.
    made_on: Oid,
    parent: Oid,
    key: Key,
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
        let mut owned = Owned { value, tables: vec![], keys: vec![] };
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
            for key in found.extract_if(.., |key| key.parent == parent) {
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
                owned.keys.push(Key { child, parent: at, ..key.key });
            }
            at += 1;
        }
        owned.value = owned.shown()?;
        for table in 0..owned.tables.len() {
            owned.condition(table)?;
        }
        Ok(owned)
    }

    /// The tenant as the tables show it, and with them the audit log.
    ///
    /// # Errors
    /// 22023 if a table's tenants are of a type that the value is none of.
    fn shown(&self) -> Result<String> {
        let mut shown = vec![];
        for table in &self.tables {
            let Some((_, kind)) = table.tenant else { continue };
            let value = match kind {
                Kind::Uuid => {
                    tenant::uuid(&self.value).map(|bytes| pgrx::Uuid::from_bytes(bytes).to_string())
                }
                Kind::Bigint => tenant::bigint(&self.value).map(|number| number.to_string()),
                Kind::Int => tenant::int(&self.value).map(|number| number.to_string()),
                Kind::Text => tenant::text(&self.value).map(str::to_owned),
            };
            let Some(value) = value else {
                let message = format!("\"{}\" is no tenant of table \"{}\"", self.value, table.name);
                return Err(Error::invalid_parameter(message)
                    .detail(format!("Its tenants are of type {}.", kind.name()))
                    .hint("Name the schema whose tables are meant: schema => '...'."));
            };
            shown.push(value);
        }
        shown.dedup();
        match &*shown {
            [one] => Ok(one.clone()),
            _ => Ok(self.value.clone()),
        }
    }

    /// The condition that a row of a table is the tenant's.
    ///
    /// # Errors
    /// 0A000 if tables without a tenant column hang on each other in a circle.
    pub fn condition(&self, table: usize) -> Result<String> {
        Aliases { owned: self, next: 0, above: vec![] }.condition(table, ddl::ROW)
    }

    /// The condition that a row refers, by this key, to one that is the tenant's.
    pub fn refers(&self, key: &Key) -> Result<String> {
        let parent = &self.tables[key.parent];
        let condition = Aliases { owned: self, next: 1, above: vec![] }.condition(key.parent, "t0")?;
        Ok(ddl::refers_to(ddl::ROW, &key.pairs, parent.id(), "t0", &condition))
    }
}

/// Puts a condition together, in which each table has a name of its own.
struct Aliases<'a> {
    owned: &'a Owned,
    next: usize,
    above: Vec<usize>,
}

impl Aliases<'_> {
    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("t{}", self.next)
    }

    fn condition(&mut self, table: usize, alias: &str) -> Result<String> {
        let (owned, this) = (self.owned, &self.owned.tables[table]);
        if let Some((column, kind)) = &this.tenant {
            return Ok(ddl::is_tenants(alias, column, *kind, &owned.value));
        }
        let by_others = self.by_others(table, alias)?;
        let own: Vec<&Key> = owned.keys.iter().filter(|k| k.child == table && k.parent == table).collect();
        let Some(first) = own.first() else { return Ok(by_others) };
        let (inner, tree) = (self.fresh(), self.fresh());
        let seed = self.by_others(table, &inner)?;
        let descends = ddl::descends(alias, &first.pairs, this.id(), (&inner, &tree), &seed);
        if own.len() > 1 {
            return Err(Error::unsupported(format!("table \"{}\" refers to itself in two ways", this.name))
                .detail("Which of its rows are the tenant's cannot be told.")
                .hint("Give it a tenant column of its own: dbguard.tenant_enable."));
        }
        Ok(format!("({by_others} OR {descends})"))
    }

    fn by_others(&mut self, table: usize, alias: &str) -> Result<String> {
        let owned = self.owned;
        if self.above.contains(&table) {
            let names: Vec<String> =
                self.above.iter().map(|t| format!("\"{}\"", owned.tables[*t].name)).collect();
            return Err(Error::unsupported(format!("tables {} hang on each other", names.join(", ")))
                .detail("They have no tenant column, so that it cannot be told which of their rows are the tenant's.")
                .hint("Give one of them a tenant column: dbguard.tenant_enable."));
        }
        self.above.push(table);
        let mut ways = vec![];
        for key in owned.keys.iter().filter(|k| k.child == table && k.parent != table) {
            let parent = self.fresh();
            let condition = self.condition(key.parent, &parent)?;
            ways.push(ddl::refers_to(alias, &key.pairs, owned.tables[key.parent].id(), &parent, &condition));
        }
        self.above.pop();
        Ok(match ways.len() {
            1 => ways.concat(),
            _ => format!("({})", ways.join(" OR ")),
        })
    }
}

/// All foreign keys that hold on to what they refer to, of partitioned tables by their root.
fn keys() -> Result<Vec<Found>> {
    const KEYS: &str = "
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid),
               CASE WHEN i.inhrelid IS NULL OR c.relispartition THEN coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid) ELSE i.inhparent END,
               coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid),
               k.conname::text,
               u.columns, u.refers_to, u.schemas, u.operators, u.nullable
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = k.conrelid AND i.inhseqno = 1
          AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = i.inhparent AND p.polname = 'dbguard_tenant')
        CROSS JOIN LATERAL (
          SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, array_agg(f.attname::text ORDER BY u.place) AS refers_to,
                 array_agg(s.nspname::text ORDER BY u.place) AS schemas, array_agg(o.oprname::text ORDER BY u.place) AS operators,
                 coalesce(array_agg(a.attname::text ORDER BY u.place) FILTER (WHERE NOT a.attnotnull), '{}') AS nullable
          FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY u(attnum, refers_to, operator, place)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
          JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.refers_to
          JOIN pg_operator o ON o.oid = u.operator
          JOIN pg_namespace s ON s.oid = o.oprnamespace) u
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confdeltype NOT IN ('n', 'd')
        ORDER BY n.nspname, c.relname, k.conname";
    Ok(Spi::connect(|client| -> std::result::Result<Vec<Found>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(KEYS, None, &[])? {
            let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
            let texts = |n: usize| row.get::<Vec<String>>(n).map(Option::unwrap_or_default);
            let oid = |n: usize| row.get::<Oid>(n).map(|oid| oid.unwrap_or(Oid::INVALID));
            let operators = texts(7)?.into_iter().zip(texts(8)?);
            let pairs = texts(5)?.into_iter().zip(texts(6)?).zip(operators).map(|((a, b), o)| (a, b, o));
            list.push(Found {
                child: oid(1)?,
                made_on: oid(2)?,
                parent: oid(3)?,
                key: Key { name: text(4)?, child: 0, parent: 0, pairs: pairs.collect(), nullable: texts(9)? },
            });
        }
        Ok(list)
    })?)
}
