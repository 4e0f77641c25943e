//! What keeps a table from being converted back. Whatever would be lost with the partitioned one is carried to the
//! table, or told here.

use crate::catalog::hold;
use crate::ddl::convert as ddl;
use crate::error::{Error, Result};
use crate::partition::convert::around::Around;
use crate::partition::convert::stored::Conversion;
use crate::partition::convert::{blocked, oddities, rights};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use pgrx::prelude::*;

/// One error for all that the catalogs say.
///
/// # Errors
/// 55000 if something is in the way.
pub fn check(conversion: &Conversion, table: &str, around: &Around) -> Result<()> {
    let relation = conversion.relation;
    let mut blocked = own(conversion)?;
    blocked.extend(oddities::either_way(relation)?);
    blocked.extend(rights::missing(relation)?);
    blocked.extend(blocked::published_in_part(around));
    blocked.extend(blocked::not_own(around));
    let Some((first, others)) = blocked.split_first() else { return Ok(()) };
    let error = Error::not_in_state(format!("cannot convert \"{table}\" back: {first}"));
    Err(match others.is_empty() {
        true => error,
        false => error.detail(format!("Also in the way: {}.", others.join("; "))),
    })
}

/// What only a partitioned table has, and the one with the rows has not.
fn own(conversion: &Conversion) -> Result<Vec<String>> {
    const OWN: &str = "
        SELECT format('rule %I is on the partitioned table: drop it first, and make it again afterwards', rulename)
        FROM pg_rewrite WHERE ev_class = $1
        UNION ALL
        SELECT format('index %I has no part on partition %I: drop it, or CREATE INDEX there and ALTER INDEX ... ATTACH PARTITION first',
                      c.relname, o.relname)
        FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class o ON o.oid = $2
        WHERE x.indrelid = $1
          AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_index y ON y.indexrelid = h.inhrelid
                          WHERE h.inhparent = x.indexrelid AND y.indrelid = $2)
        UNION ALL
        SELECT DISTINCT format('%s depends on partition %s, which would be dropped: drop it first',
                               CASE WHEN r.oid IS NULL THEN pg_describe_object(d.classid, d.objid, 0)
                                    ELSE pg_describe_object('pg_class'::regclass, r.ev_class, 0) END,
                               d.refobjid::regclass)
        FROM pg_inherits h
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = h.inhrelid AND d.deptype = 'n'
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
        WHERE h.inhparent = $1 AND h.inhrelid <> $2
          AND (r.ev_class <> h.inhrelid OR d.classid = 'pg_proc'::regclass OR k.confrelid = h.inhrelid AND k.conparentid = 0)
        ORDER BY 1";
    Spi::connect(|client| {
        let mut found = vec![];
        for row in client.select(OWN, None, &[conversion.relation.into(), conversion.original.into()])? {
            found.extend(row.get::<String>(1)?);
        }
        Ok(found)
    })
}

/// The table with the rows must still be what the conversion made of it.
pub fn is_first(conversion: &Conversion, name: &str) -> Result<()> {
    const FIRST: &str = "
        SELECT c.relowner = p.relowner AND c.relnamespace = p.relnamespace
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhrelid = $1 AND i.inhparent = $2 AND NOT i.inhdetachpending
          AND pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (MINVALUE) TO %'";
    let found = Spi::connect(|client| {
        let args = [conversion.original.into(), conversion.relation.into()];
        client.select(FIRST, Some(1), &args)?.next().map_or(Ok(None), |row| row.get::<bool>(1))
    })?;
    match found {
        Some(true) => Ok(()),
        Some(false) => Err(Error::not_in_state(format!("cannot convert \"{name}\" back"))
            .detail("The first partition has another owner, or is in another schema.")
            .hint("ALTER TABLE ... OWNER TO, or SET SCHEMA, so that they are alike.")),
        None => Err(Error::not_in_state(format!("cannot convert \"{name}\" back"))
            .detail("The table it was made of is not its first partition any more.")),
    }
}

/// No row may lie anywhere but in the table that is to hold all: the other partitions are dropped.
pub fn has_room(set: &Set, conversion: &Conversion) -> Result<()> {
    const OTHERS: &str = "
        SELECT n.nspname::text, c.relname::text, i.inhdetachpending, c.oid, c.relowner
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = $1 AND i.inhrelid <> $2";
    let others = Spi::connect(|client| {
        let mut others = vec![];
        for row in client.select(OTHERS, None, &[conversion.relation.into(), conversion.original.into()])? {
            let name = (row.get::<String>(1)?.unwrap_or_default(), row.get::<String>(2)?.unwrap_or_default());
            let (Some(oid), Some(owner)) = (row.get(4)?, row.get(5)?) else { continue };
            others.push((oid, owner, name, row.get::<bool>(3)?.unwrap_or(true)));
        }
        Ok::<_, Error>(others)
    })?;
    let cannot = || Error::not_in_state(format!("cannot convert \"{}\" back", set.name));
    let mut rows = 0;
    for (oid, owner, (schema, name), detaching) in &others {
        if *detaching {
            return Err(cannot()
                .detail(format!("Partition \"{name}\" is being detached."))
                .hint("ALTER TABLE ... DETACH PARTITION ... FINALIZE ends that."));
        }
        let query = ddl::count((schema, name));
        hold(*oid, (schema, name), *owner)?;
        rows += as_role(set.owner, Fence::RestrictedAllRows, || {
            Spi::connect(|client| client.select(&query, Some(1), &[])?.first().get_one::<i64>())
        })?
        .unwrap_or(0);
    }
    match rows {
        0 => Ok(()),
        rows => Err(cannot()
            .detail(format!("Rows at or beyond {}: {rows}.", conversion.bound))
            .hint("They are in other partitions, which would be dropped: move or delete them first.")),
    }
}
