//! In which order a tenant's tables go: what refers to another goes first, and comes last. Where tables refer to each
//! other in a circle, one of the keys must give way.

use super::owned::{Key, Owned};
use crate::error::{Error, Result};

pub struct Order {
    /// Positions of the tables, those first to which nothing refers.
    pub tables: Vec<usize>,
    /// Positions of the keys whose columns are set NULL first, unless the key does so by itself.
    pub cuts: Vec<usize>,
}

/// # Errors
/// 55000 if a circle cannot be broken.
pub fn order(owned: &Owned) -> Result<Order> {
    let mut order = Order { tables: vec![], cuts: vec![] };
    while order.tables.len() < owned.tables.len() {
        let left: Vec<usize> = (0..owned.tables.len()).filter(|t| !order.tables.contains(t)).collect();
        let free = left.iter().find(|t| !holding(owned, &order).any(|(_, key)| key.parent == **t));
        if let Some(table) = free {
            order.tables.push(*table);
            continue;
        }
        let circle = |key: &Key| reaches(owned, &order, key.parent, key.child, &mut vec![]);
        let in_circle: Vec<(usize, &Key)> = holding(owned, &order).filter(|(_, key)| circle(key)).collect();
        // a row without a tenant column would be the tenant's no more
        let can = |key: &Key| !key.nullable.is_empty() && owned.tables[key.child].tenant.is_some();
        let lets_go = in_circle.iter().find(|(_, key)| !key.holds);
        let Some((cut, _)) = in_circle.iter().find(|(_, key)| key.holds && can(key)).or(lets_go) else {
            let mut names: Vec<String> =
                in_circle.iter().map(|(_, key)| format!("\"{}\"", owned.tables[key.child].name)).collect();
            names.sort();
            names.dedup();
            return Err(Error::not_in_state(format!("tables {} refer to each other", names.join(", ")))
                .detail("None of them can be emptied first: no foreign key among them has columns that may be NULL.")
                .hint("ALTER TABLE ... ALTER COLUMN ... DROP NOT NULL lets one of them let go."));
        };
        order.cuts.push(*cut);
    }
    Ok(order)
}

/// The keys that still count: of one table to another, none of which has gone.
fn holding<'a>(owned: &'a Owned, order: &'a Order) -> impl Iterator<Item = (usize, &'a Key)> {
    owned.keys.iter().enumerate().filter(|(at, key)| {
        key.child != key.parent && !order.tables.contains(&key.child) && !order.cuts.contains(at)
    })
}

fn reaches(owned: &Owned, order: &Order, from: usize, to: usize, seen: &mut Vec<usize>) -> bool {
    if from == to {
        return true;
    }
    if seen.contains(&from) {
        return false;
    }
    seen.push(from);
    let next: Vec<usize> =
        holding(owned, order).filter(|(_, k)| k.child == from).map(|(_, k)| k.parent).collect();
    next.into_iter().any(|parent| reaches(owned, order, parent, to, seen))
}
