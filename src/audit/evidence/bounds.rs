//! The bounds of packs say in which of them a key is looked for. No digest holds them, for they follow
//! from the keys inside: so they are checked against those.

use super::members::{Stretch, Suspect, Suspects};
use crate::error::Result;
use crate::pg::query::{each, param, text_param};
use dbguard_core::pack::{self, SortKey};

/// Those packs of a stretch whose bounds are not those of their keys.
pub fn wrong(stretch: &Stretch) -> Result<Suspects> {
    // not in order: that would sort the packs themselves
    const PACKS: &str = "
        SELECT id, at, relation, lowest_key, highest_key, data FROM dbguard.audit_pack
        WHERE relation = ANY ($1) AND xact >= $2::xid8 AND xact < $3::xid8";
    let params = [
        param(stretch.relations.clone()),
        text_param(stretch.from.to_string().as_bytes()),
        text_param(stretch.to.to_string().as_bytes()),
    ];
    let mut wrong = Suspects::default();
    each(PACKS, &params, |row| {
        if !fit(row.bytes(5).unwrap_or_default(), [row.bytes(3), row.bytes(4)]) {
            let (id, at) = (row.int8(0).unwrap_or_default(), row.int8(1).unwrap_or_default());
            wrong.add(Suspect { id, at, relation: row.int4(2), key: None });
        }
        Ok(())
    })?;
    wrong.list.sort_by_key(|pack| pack.id);
    Ok(wrong)
}

/// Whether these are the bounds of the keys in a pack. Of a damaged one nobody knows, and that it is
/// damaged is told.
fn fit(data: &[u8], bounds: [Option<&[u8]>; 2]) -> bool {
    let Ok(raw) = pack::open(data) else { return true };
    let Ok(records) = pack::records(&raw) else { return true };
    let right = pack::bounds(records.iter().flat_map(|r| [r.key, r.old_key]).flatten());
    let equal = |right: SortKey, bound: Option<&[u8]>| {
        bound.is_some_and(|bound| right.bytes().eq(bound.iter().copied()))
    };
    match right {
        Some([lowest, highest]) => equal(lowest, bounds[0]) && equal(highest, bounds[1]),
        None => bounds == [None, None],
    }
}
