//! Extended statistics. LIKE copies them, without their targets.

use super::Act;
use crate::ddl::convert as ddl;
use crate::error::Result;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What makes the statistics of `to` those of `from`: they know each other by what they are on. One that `to` has
/// not is made as it is, so that its name must be free by then, and the name of `from` the other's.
pub fn carried(from: Oid, to: Oid) -> Result<Vec<Act>> {
    const STATISTICS: &str = "
        SELECT n.nspname::text, s.stxname::text, s.stxowner, pg_get_statisticsobjdef(s.oid),
               s.target, obj_description(s.oid, 'pg_statistic_ext'),
               o.schema, o.name, o.owner, o.target, o.comment
        FROM (SELECT *, coalesce(stxstattarget::int, -1) AS target FROM pg_statistic_ext) s
        JOIN pg_namespace n ON n.oid = s.stxnamespace
        LEFT JOIN LATERAL (
          SELECT m.nspname::text AS schema, t.stxname::text AS name, t.stxowner AS owner,
                 coalesce(t.stxstattarget::int, -1) AS target, obj_description(t.oid, 'pg_statistic_ext') AS comment
          FROM pg_statistic_ext t JOIN pg_namespace m ON m.oid = t.stxnamespace
          WHERE t.stxrelid = $2 AND t.stxkind = s.stxkind
            AND pg_get_statisticsobjdef_columns(t.oid) = pg_get_statisticsobjdef_columns(s.oid)
          ORDER BY t.oid LIMIT 1) o ON true
        WHERE s.stxrelid = $1 ORDER BY s.oid";
    // read as a write, to see what was made in this transaction
    Spi::connect_mut(|client| {
        let mut acts = vec![];
        for row in client.update(STATISTICS, None, &[from.into(), to.into()])? {
            let text = |n| Ok::<_, pgrx::spi::Error>(row.get::<String>(n)?.unwrap_or_default());
            let (schema, name, definition) = (text(1)?, text(2)?, text(4)?);
            let (target, comment): (Option<i32>, Option<String>) = (row.get(5)?, row.get(6)?);
            let found: Option<String> = row.get(8)?;
            let is_new = found.is_none();
            let (schema, name) = match found {
                Some(found) => (text(7)?, found),
                None => (schema, name),
            };
            let role = row.get(if is_new { 3 } else { 9 })?.unwrap_or(Oid::INVALID);
            let mut act = |sql: String| acts.push(Act { role, sql });
            if is_new {
                act(definition);
            }
            if target != row.get(10)?.or(Some(-1)) {
                act(ddl::statistics_target((&schema, &name), target.unwrap_or(-1)));
            }
            if comment != row.get(11)? {
                act(ddl::comment_on_statistics((&schema, &name), comment.as_deref()));
            }
        }
        Ok(acts)
    })
}
