//! What goes first when rows of several tables are put back.

use super::fold::Action;

/// Rows of one table to which the same is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub table: usize,
    pub action: Action,
}

/// The order of `groups`, as positions: parents come before the children that refer to them, and go
/// after them. Where that leaves a choice, rows of a table go before others change or come, so that a
/// unique value is free for them; else the groups keep their order. `references` are (child, parent).
///
/// A circle of references has no such order: its groups keep theirs.
pub fn order(groups: &[Group], references: &[(usize, usize)]) -> Vec<usize> {
    let n = groups.len();
    let mut before = vec![vec![false; n]; n];
    for (i, a) in groups.iter().enumerate() {
        for (j, b) in groups.iter().enumerate() {
            before[i][j] = must_precede(*a, *b, references) && !must_precede(*b, *a, references);
        }
    }
    for (i, a) in groups.iter().enumerate() {
        for (j, b) in groups.iter().enumerate() {
            if a.table == b.table && rank(a.action) < rank(b.action) && !reaches(&before, j, i) {
                before[i][j] = true;
            }
        }
    }
    let mut left: Vec<usize> = (0..n).collect();
    let mut order = vec![];
    while !left.is_empty() {
        let free = |i: usize| left.iter().all(|j| *j == i || !before[*j][i]);
        let next = left.iter().position(|i| free(*i)).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

fn must_precede(a: Group, b: Group, references: &[(usize, usize)]) -> bool {
    use Action::{Delete, Insert, Update};
    let a_is_parent = references.contains(&(b.table, a.table));
    let a_is_child = references.contains(&(a.table, b.table));
    if a.table == b.table {
        // rows that refer to others of their table: those come before and go after them
        return a_is_parent && rank(a.action) > rank(b.action);
    }
    match (a.action, b.action) {
        (Insert | Update, Insert | Update) => a_is_parent,
        (Delete, Delete | Update) | (Update, Delete) => a_is_child,
        _ => false,
    }
}

fn rank(action: Action) -> u8 {
    match action {
        Action::Delete => 0,
        Action::Update => 1,
        Action::Insert => 2,
    }
}

fn reaches(edges: &[Vec<bool>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; edges.len()];
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        if at == to {
            return true;
        }
        if !std::mem::replace(&mut seen[at], true) {
            next.extend((0..edges.len()).filter(|j| edges[at][*j]));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Delete, Insert, Update};

    fn ordered(groups: &[(usize, Action)], references: &[(usize, usize)]) -> Vec<(usize, Action)> {
        let all: Vec<Group> =
            groups.iter().map(|(table, action)| Group { table: *table, action: *action }).collect();
        order(&all, references).into_iter().map(|i| groups[i]).collect()
    }

    #[test]
    fn parents_come_first_and_go_last() {
        let chain = [(0, 1), (1, 2)];
        assert_eq!(
            ordered(&[(0, Insert), (1, Insert), (2, Insert)], &chain),
            [(2, Insert), (1, Insert), (0, Insert)]
        );
        assert_eq!(
            ordered(&[(2, Delete), (1, Delete), (0, Delete)], &chain),
            [(0, Delete), (1, Delete), (2, Delete)]
        );
        // children move from one parent to another
        assert_eq!(
            ordered(&[(1, Delete), (0, Update), (1, Insert)], &[(0, 1)]),
            [(1, Insert), (0, Update), (1, Delete)]
        );
    }

    #[test]
    fn unique_values_are_freed_first() {
        assert_eq!(
            ordered(&[(0, Insert), (0, Update), (0, Delete)], &[]),
            [(0, Delete), (0, Update), (0, Insert)]
        );
        assert_eq!(
            ordered(&[(0, Insert), (0, Delete), (1, Insert)], &[(0, 1), (0, 0)]),
            [(1, Insert), (0, Insert), (0, Delete)]
        );
    }

    #[test]
    fn circles_keep_their_order() {
        let circle = [(0, 1), (1, 0)];
        assert_eq!(ordered(&[(0, Insert), (1, Insert)], &circle), [(0, Insert), (1, Insert)]);
        assert_eq!(ordered(&[], &circle), []);
    }
}
