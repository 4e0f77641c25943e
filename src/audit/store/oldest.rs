//! Where the log begins: what is missing from before was dropped with its partition.

use crate::audit::evidence::members::Kind;
use crate::error::Result;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

/// What lies before the first partition was dropped with its partition.
pub struct Oldest {
    pub change: i64,
    pub context: i64,
}

impl Oldest {
    pub fn load() -> Result<Oldest> {
        // the lower bounds, as DDL shows them
        const OLDEST: &str = "
            SELECT min((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']*)''\\)'))[1]::timestamptz)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = to_regclass($1)";
        let of = |table: &str| -> Result<i64> {
            let oldest = Spi::connect(|client| {
                client.select(OLDEST, Some(1), &[table.into()])?.first().get_one::<TimestampWithTimeZone>()
            })?;
            Ok(oldest.map_or(i64::MIN, Into::into))
        };
        let change = of("dbguard.audit_change")?.min(of("dbguard.audit_pack")?);
        Ok(Oldest { change, context: of("dbguard.audit_context")? })
    }

    pub fn of(&self, kind: Kind) -> i64 {
        match kind {
            Kind::Change => self.change,
            Kind::Context => self.context,
            Kind::Relation | Kind::Redaction => i64::MIN,
        }
    }
}
