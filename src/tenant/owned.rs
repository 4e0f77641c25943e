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
    partitioned: bool,
    /// The tenant column; None: its rows are the tenant's whose rows they refer to.
    pub tenant: Option<(String, Kind)>,
    /// Without the generated ones.
    pub columns: Vec<String>,
}

/// A foreign key among them.
pub struct Key {
    pub name: String,
    /// Positions of the tables.
    pub child: usize,
    pub parent: usize,
    pub pairs: Vec<ddl::Pair>,
    /// Its columns that may be NULL, but for the tenant's.
    pub nullable: Vec<String>,
    /// It does not let go by itself (ON DELETE SET NULL, SET DEFAULT): rows that refer are the tenant's, too.
    pub holds: bool,
    /// It is of one partition of the table alone, and refers to one.
    of: Option<Part>,
    to: Option<Part>,
}

/// A partition: its schema and name, and whether it has none of its own.
struct Part(String, String, bool);

pub struct Owned {
    pub value: String,
    /// The tenant as its tables show it, each type in its way: so the audit log has it.
    pub shown: Vec<String>,
    /// Of all schemas.
    pub everywhere: bool,
    pub tables: Vec<Table>,
    pub keys: Vec<Key>,
}

/// A foreign key as the catalogs have it.
struct Found {
    child: Oid,
    /// Where the key is: a child that inherits is not its parent.
    made_on: Oid,
    parent: Oid,
    /// To or from what inherits, or from what is inherited from: the rows it is about are not told by the table.
    partial: bool,
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

    /// The tenant as the tables show it.
    ///
    /// # Errors
    /// 22023 if a table's tenants are of a type that the value is none of.
    fn shown(&self) -> Result<Vec<String>> {
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
        shown.sort();
        shown.dedup();
        Ok(shown)
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
        let condition = Aliases { owned: self, next: 1, above: vec![] }.condition(key.parent, "t0")?;
        Ok(self.refers_by(key, ddl::ROW, "t0", &condition))
    }

    fn refers_by(&self, key: &Key, child: &str, parent: &str, condition: &str) -> String {
        let table = &self.tables[key.parent];
        let to = match &key.to {
            Some(Part(schema, name, leaf)) => ((schema.as_str(), name.as_str()), !leaf),
            None => (table.id(), table.partitioned),
        };
        let refers = ddl::refers_to(child, &key.pairs, to, parent, condition);
        match &key.of {
            Some(Part(schema, name, leaf)) => {
                format!("({} AND {refers})", ddl::lies_in(child, (schema, name), *leaf))
            }
            None => refers,
        }
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
        let own: Vec<&Key> =
            owned.keys.iter().filter(|k| k.holds && k.child == table && k.parent == table).collect();
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
        for key in owned.keys.iter().filter(|k| k.holds && k.child == table && k.parent != table) {
            let parent = self.fresh();
            let condition = self.condition(key.parent, &parent)?;
            ways.push(owned.refers_by(key, alias, &parent, &condition));
        }
        self.above.pop();
        Ok(match ways.len() {
            1 => ways.concat(),
            _ => format!("({})", ways.join(" OR ")),
        })
    }
}

fn partial(key: &str) -> Error {
    Error::unsupported(format!("foreign key \"{key}\" is about a part of a table only"))
        .detail("It is of a table that inherits or is inherited from, or refers to one that inherits, or is of a partition and refers to its own table: which rows are the tenant's cannot be told by it.")
        .hint("Give the table that refers a tenant column of its own (dbguard.tenant_enable), or make the key on the whole table.")
}

/// Whether the relation inherits from one of the tables.
fn inherits(relation: Oid, tables: &[Table]) -> Result<bool> {
    const ABOVE: &str = "
        WITH RECURSIVE above(oid) AS (
          SELECT inhparent FROM pg_inherits WHERE inhrelid = $1
          UNION SELECT i.inhparent FROM pg_inherits i JOIN above ON i.inhrelid = above.oid)
        SELECT EXISTS (SELECT FROM above WHERE oid = ANY ($2))";
    let tables: Vec<Oid> = tables.iter().map(|t| t.oid).collect();
    let found = Spi::connect(|client| {
        client.select(ABOVE, Some(1), &[relation.into(), tables.into()])?.first().get_one::<bool>()
    })?;
    Ok(found == Some(true))
}

/// All foreign keys, of partitioned tables by their root.
fn keys() -> Result<Vec<Found>> {
    const KEYS: &str = "
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid),
               CASE WHEN i.inhrelid IS NULL OR c.relispartition THEN coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid) ELSE i.inhparent END,
               coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid),
               k.conname::text,
               u.columns, u.refers_to, u.schemas, u.operators, u.nullable,
               k.confdeltype NOT IN ('n', 'd'),
               EXISTS (
                 SELECT FROM pg_inherits h JOIN pg_class above ON above.oid = h.inhparent
                 WHERE above.relkind <> 'p' AND (k.conrelid IN (h.inhrelid, h.inhparent) OR k.confrelid = h.inhrelid)),
               CASE WHEN c.relispartition THEN ARRAY[n.nspname::text, c.relname::text, CASE WHEN c.relkind <> 'p' THEN 'leaf' END] END,
               CASE WHEN p.relispartition THEN ARRAY[pn.nspname::text, p.relname::text, CASE WHEN p.relkind <> 'p' THEN 'leaf' END] END
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_class p ON p.oid = k.confrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_namespace pn ON pn.oid = p.relnamespace
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
        WHERE k.contype = 'f' AND k.conparentid = 0
        ORDER BY n.nspname, c.relname, k.conname";
    Ok(Spi::connect(|client| -> std::result::Result<Vec<Found>, pgrx::spi::Error> {
        let mut list = vec![];
        for row in client.select(KEYS, None, &[])? {
            let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
            let texts = |n: usize| row.get::<Vec<String>>(n).map(Option::unwrap_or_default);
            let part = |n: usize| -> std::result::Result<Option<Part>, pgrx::spi::Error> {
                Ok(row.get::<Vec<Option<String>>>(n)?.and_then(|part| match <[_; 3]>::try_from(part) {
                    Ok([Some(schema), Some(name), leaf]) => Some(Part(schema, name, leaf.is_some())),
                    _ => None,
                }))
            };
            let oid = |n: usize| row.get::<Oid>(n).map(|oid| oid.unwrap_or(Oid::INVALID));
            let operators = texts(7)?.into_iter().zip(texts(8)?);
            let pairs = texts(5)?.into_iter().zip(texts(6)?).zip(operators).map(|((a, b), o)| (a, b, o));
            list.push(Found {
                child: oid(1)?,
                made_on: oid(2)?,
                parent: oid(3)?,
                partial: row.get::<bool>(11)?.unwrap_or_default(),
                key: Key {
                    name: text(4)?,
                    child: 0,
                    parent: 0,
                    pairs: pairs.collect(),
                    nullable: texts(9)?,
                    holds: row.get::<bool>(10)?.unwrap_or_default(),
                    of: part(12)?,
                    to: part(13)?,
                },
            });
        }
        Ok(list)
    })?)
}
