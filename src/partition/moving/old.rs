//! What becomes of the old partition.

use super::source::Source;
use crate::error::{Error, Result};
use pgrx::prelude::*;

/// Whether it can be dropped when its rows have been copied. What goes with it is in nobody's way.
pub fn can_be_dropped(source: &Source) -> Result<()> {
    const DEPENDENTS: &str = "
        WITH its AS (
          SELECT 'pg_class'::regclass AS class, relid AS object FROM pg_partition_tree($1)
          UNION ALL
          SELECT 'pg_type'::regclass, unnest(ARRAY[y.oid, y.typarray])
          FROM pg_partition_tree($1) t JOIN pg_type y ON y.typrelid = t.relid
        ), dependents AS (
          SELECT d.classid, d.objid, d.objsubid FROM pg_depend d JOIN its ON (d.refclassid, d.refobjid) = (class, object)
          WHERE d.deptype = 'n'
            AND NOT EXISTS (SELECT FROM pg_depend o JOIN its ON (o.refclassid, o.refobjid) = (class, object)
                            WHERE (o.classid, o.objid) = (d.classid, d.objid) AND o.deptype IN ('a', 'i')))
        SELECT string_agg(DISTINCT format('%s depends on %s',
                 CASE WHEN r.oid IS NULL THEN pg_describe_object(d.classid, d.objid, d.objsubid)
                      ELSE pg_describe_object('pg_class'::regclass, r.ev_class, 0) END,
                 pg_describe_object('pg_class'::regclass, $1, 0)), E'\\n'),
               $1::regclass::text
        FROM dependents d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid";
    let (dependents, name) = Spi::connect(|client| {
        client.select(DEPENDENTS, Some(1), &[source.oid.into()])?.first().get_two::<String, String>()
    })?;
    let Some(dependents) = dependents else { return Ok(()) };
    let message = format!(
        "cannot drop table {} because other objects depend on it",
        name.unwrap_or_else(|| source.name.clone())
    );
    Err(Error::new(PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST, message)
        .detail(dependents)
        .hint("Drop them first, or call it with drop_old => false."))
}
