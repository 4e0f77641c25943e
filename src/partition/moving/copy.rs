//! Copying: once over the pages of the source, a transaction for so many of them, each row into the piece it
//! belongs to. What changes meanwhile is copied again by its key.

use super::made;
use super::source::{Leaf, Source};
use super::stage::{Piece, Stage};
use super::still::unchanged;
use crate::catalog::hold;
use crate::ddl::moving as ddl;
use crate::ddl::{partition, retire};
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::pg::guc;
use crate::pg::user::{as_role, Fence};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::ffi::CStr;

/// Pages in a transaction: 16 MB.
pub const PAGES: i64 = 2048;

fn run(owner: Oid, sql: &str) -> Result<i64> {
    as_role(owner, Fence::RestrictedAllRows, || {
        Spi::connect_mut(|client| Ok(client.update(sql, None, &[])?.len() as i64))
    })
}

/// How many pages a table has.
pub fn pages(leaf: &Leaf) -> Result<i64> {
    const PAGES: &str = "SELECT pg_relation_size($1) / current_setting('block_size')::int8";
    Ok(Spi::get_one_with_args::<i64>(PAGES, &[leaf.oid.into()])?.unwrap_or(0))
}

/// Copies the rows on so many pages; how many there were.
pub fn pages_from(set: &Set, source: &Source, stage: &Stage, leaf: &Leaf, page: i64) -> Result<i64> {
    let copy = ddl::copy(leaf.table(), (&set.schema, &stage.filling), &source.columns);
    let tid = |page: i64| format!("({page},0)");
    let (from, to) = (tid(page), tid(page + PAGES));
    // from here on it stays what it is
    hold(leaf.oid, leaf.table(), leaf.owner)?;
    unchanged(leaf)?;
    made::hold_all(set)?;
    let rows = as_role(set.owner, Fence::RestrictedAllRows, || {
        Spi::connect_mut(|client| {
            Ok::<_, Error>(client.update(copy.as_str(), None, &[from.into(), to.into()])?.len())
        })
    })?;
    Ok(rows as i64)
}

/// How many changes are noted and not copied yet; no more than `most` are counted.
pub fn noted(set: &Set, stage: &Stage, most: i64) -> Result<i64> {
    let query = ddl::count_rows((&set.schema, &stage.noted), most);
    made::hold_all(set)?;
    let count = as_role(set.owner, Fence::RestrictedAllRows, || {
        Spi::connect_mut(|client| client.update(&query, Some(1), &[])?.first().get_one::<i64>())
    })?;
    Ok(count.unwrap_or(most))
}

/// A row that was updated while the pages were read may have been copied twice. All whose key was noted go;
/// `catch_up` brings them back.
pub fn remove_noted(set: &Set, stage: &Stage, key: &[ddl::KeyColumn]) -> Result<()> {
    let (schema, noted) = (&*set.schema, (&*set.schema, &*stage.noted));
    made::hold_all(set)?;
    run(set.owner, &ddl::delete_keys((schema, &stage.filling), noted, key)).map(drop)
}

/// Builds the indexes of a filled piece: by attaching it where the parent's are.
pub fn index(set: &Set, stage: &Stage, piece: &Piece) -> Result<()> {
    let schema = &*set.schema;
    let table = (schema, &*piece.name);
    as_role(set.owner, Fence::RestrictedAllRows, || {
        crate::ddl::run(&retire::detach((schema, &stage.filling), table))?;
        piece.indexes.iter().try_for_each(|statement| crate::ddl::run(statement))?;
        crate::ddl::run(&partition::attach((schema, &stage.indexed), table, &piece.bound()))
    })
}

/// A few keys are looked up one by one, whatever the planner thinks of tables it knows nothing of.
const BY_INDEX: [(&CStr, &CStr); 4] = [
    (c"enable_hashjoin", c"off"),
    (c"enable_mergejoin", c"off"),
    (c"enable_seqscan", c"off"),
    (c"jit", c"off"),
];

/// Brings the rows with the keys noted so far up to date; how many keys there were. What was copied is then as the
/// source was at one moment: only so can no two rows of it have the same key, whichever changed first.
pub fn catch_up(set: &Set, source: &Source, stage: &Stage, key: &[ddl::KeyColumn]) -> Result<i64> {
    let schema = &*set.schema;
    let changes = ddl::Changes {
        source: source.table(),
        noted: (schema, &stage.noted),
        fresh: (schema, &stage.fresh),
        stage: (schema, &stage.indexed),
        key,
        columns: &source.columns,
    };
    hold(source.oid, source.table(), set.owner)?;
    made::hold_all(set)?;
    guc::with(&BY_INDEX, || {
        let keys = as_role(set.owner, Fence::RestrictedAllRows, || {
            let take_up = ddl::take_up(&changes);
            Spi::connect_mut(|client| client.update(&take_up, None, &[])?.first().get_one::<i64>())
        })?
        .unwrap_or(0);
        if keys > 0 {
            run(set.owner, &ddl::put_fresh(&changes))?;
            run(set.owner, &ddl::empty(changes.fresh))?;
        }
        Ok(keys)
    })
}
