//! What must stay as it was from the beginning of a move to its end.

use super::made::{self, KEYS, PIECES};
use super::source::{self, Leaf, STATE};
use super::swap::Move;
use crate::ddl::partition;
use crate::error::{Error, Result};
use crate::partition::blueprint;
use crate::partition::set::{self, Set};
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

/// How things were.
pub struct Before {
    /// `of_parent`.
    pub parent: String,
    /// `noting` of each leaf.
    pub noting: Vec<Option<String>>,
    /// `made::version` of the table of keys, and of what was made for the rows when it was complete.
    pub keys: String,
    pub pieces: String,
}

/// All that a piece takes over of its parent when it is made, as one text.
pub fn of_parent(set: &Set) -> Result<String> {
    const SHAPE: &str = "
        SELECT row(ARRAY(SELECT row(conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = $1 ORDER BY oid),
                   ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1 ORDER BY indexrelid))::text";
    let parent = blueprint::of(set)?;
    let children = vec![String::new(); parent.hash.as_ref().map_or(0, |hash| hash.count as usize)];
    let statements = partition::script(&partition::make(&parent, "", &children, "", ""));
    Ok(statements + &text(SHAPE, &[set.parent.into()])?.unwrap_or_default())
}

/// Rows that were all written anew are on other pages than those copied; TRUNCATE is seen by no row trigger.
pub fn unchanged(leaf: &Leaf) -> Result<()> {
    const NOW: &str = "SELECT s.state FROM pg_class c CROSS JOIN LATERAL";
    match text(&format!("{NOW} {STATE} WHERE c.oid = $1"), &[leaf.oid.into()])? {
        Some(state) if state == leaf.state => Ok(()),
        _ => Err(Error::not_in_state(format!(
            "\"{}\" was truncated, rewritten, altered or dropped by another session meanwhile",
            leaf.name
        ))
        .hint("Call the procedure again.")),
    }
}

/// The trigger that notes what changes, as one text. One that was switched off and on again is another version of
/// its row in the catalog.
pub fn noting(leaf: &Leaf) -> Result<Option<String>> {
    const TRIGGER: &str = "
        SELECT row(t.oid, t.xmin, t.tgenabled)::text FROM pg_trigger t
        WHERE t.tgrelid = $1 AND t.tgfoid = 'dbguard.partition_capture()'::regprocedure";
    text(TRIGGER, &[leaf.oid.into()])
}

/// As a write, to see what another session has just done.
pub fn text(query: &str, args: &[DatumWithOid]) -> Result<Option<String>> {
    Spi::connect_mut(|client| {
        let rows = client.update(query, Some(1), args)?;
        Ok(rows.into_iter().next().map_or(Ok(None), |row| row.get::<String>(1))?)
    })
}

/// Whether all is as it was.
pub fn still(work: &Move) -> Result<()> {
    let Move { set, source, leaves, before, .. } = *work;
    let changed = |what: String| Err(Error::not_in_state(what).hint("Call the procedure again."));
    let now = set::live(set.parent)?;
    let same = (&now.schema, &now.name, now.owner) == (&set.schema, &set.name, set.owner);
    let found = source::partition(set, source.oid)?;
    let as_was = (&found.schema, &found.name, found.range) == (&source.schema, &source.name, source.range);
    if !same || !as_was || of_parent(&now)? != before.parent {
        return changed(format!("\"{}\" was changed by another session meanwhile", set.name));
    }
    for (leaf, noted) in leaves.iter().zip(&before.noting) {
        unchanged(leaf)?;
        if noted.is_none() || noting(leaf)? != *noted {
            return changed(format!(
                "triggers of \"{}\" were switched off by another session meanwhile",
                leaf.name
            ));
        }
    }
    if made::version(set, &KEYS)? != before.keys || made::version(set, &PIECES)? != before.pieces {
        return changed(format!(
            "tables made to move rows of \"{}\" were changed by another session meanwhile",
            set.name
        ));
    }
    Ok(())
}
