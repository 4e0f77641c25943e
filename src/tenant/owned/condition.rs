//! Whether a row is the tenant's, as a condition.

use super::{Key, Owned, Part};
use crate::ddl::tenant_data as ddl;
use crate::error::{Error, Result};

impl Owned {
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
            return Ok(ddl::is_tenants(alias, column, *kind, &owned.of_kind(*kind)));
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
