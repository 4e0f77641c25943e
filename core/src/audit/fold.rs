//! What it takes to undo many changes: for each row one action, whatever happened to it meanwhile.

use super::image::{hidden, same, Image};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Insert,
    Update,
    Delete,
}

/// One change of the log. `new` of an UPDATE may hold only what changed, `old` only that or all.
#[derive(Clone, Debug)]
pub struct Change {
    pub id: i64,
    /// Where it stands among all that are to be undone: ids alone tell the order of the changes of one
    /// row by several transactions, not that within a transaction.
    pub place: usize,
    pub op: Op,
    /// The row's key after the change; None in a table without one.
    pub key: Option<Rc<str>>,
    /// The key before, if the change changed it.
    pub old_key: Option<Rc<str>>,
    pub old: Image,
    pub new: Image,
}

/// What undoes the changes of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Insert,
    Update,
    Delete,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Action::Insert => "INSERT",
            Action::Update => "UPDATE",
            Action::Delete => "DELETE",
        }
    }
}

/// The changes of one row, undone at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    pub action: Action,
    /// The changes undone, oldest first.
    pub undoes: Vec<i64>,
    /// The row's key as the changes left it, or had it before they deleted the row.
    pub key_now: Option<Rc<str>>,
    pub key_before: Option<Rc<str>>,
    /// The values to restore: of an INSERT the row, of an UPDATE what changed.
    pub set_to: Image,
    /// What is known of the row as the changes left it: of an UPDATE in a table with a key, only
    /// columns the changes show.
    pub left: Image,
    /// Columns that were changed, and whose value is redacted before.
    pub redacted: Vec<Rc<str>>,
    /// Columns that something else changed between the changes.
    pub between: Vec<Rc<str>>,
}

struct Row {
    newest: usize,
    existed: bool,
    exists: bool,
    undoes: Vec<i64>,
    key_now: Option<Rc<str>>,
    key_before: Option<Rc<str>>,
    /// The first value known of each column: before the changes, if the row existed then.
    first: Image,
    /// The last value known.
    left: Image,
    touched: BTreeSet<Rc<str>>,
    between: BTreeSet<Rc<str>>,
}

/// One action for each row that is not as it was, in the order of the rows' newest changes, newest
/// first. `changes` must be those of one table, oldest first.
pub fn fold(changes: Vec<Change>) -> Vec<Net> {
    let mut rows: Vec<Row> = vec![];
    // by key, or by the whole image where there is none: then several rows may have the same
    let mut alive: HashMap<Rc<str>, Vec<usize>> = HashMap::new();
    let mut dead: HashMap<Rc<str>, Vec<usize>> = HashMap::new();
    for change in changes {
        let (before, after) = names(&change);
        let known = match change.op {
            Op::Insert => take(&mut dead, &before).or_else(|| {
                // deleted in between by something that is not to be undone
                change.key.as_ref().and_then(|_| take(&mut alive, &before))
            }),
            Op::Update | Op::Delete => take(&mut alive, &before),
        };
        let at = known.unwrap_or_else(|| {
            rows.push(Row::met(&change));
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(at) {
            row.apply(change);
            let map = if row.exists { &mut alive } else { &mut dead };
            map.entry(after).or_default().push(at);
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.newest));
    rows.into_iter().filter_map(Row::net).collect()
}

/// What a row is found by before and after a change.
fn names(change: &Change) -> (Rc<str>, Rc<str>) {
    match (&change.key, change.op) {
        (Some(key), _) => (change.old_key.as_ref().unwrap_or(key).clone(), key.clone()),
        (None, Op::Insert) => twice(&change.new),
        (None, Op::Delete) => twice(&change.old),
        (None, Op::Update) => {
            let mut after = change.old.clone();
            after.overlay(&change.new);
            (change.old.json().into(), after.json().into())
        }
    }
}

fn twice(image: &Image) -> (Rc<str>, Rc<str>) {
    let text: Rc<str> = image.json().into();
    (text.clone(), text)
}

fn take(map: &mut HashMap<Rc<str>, Vec<usize>>, key: &str) -> Option<usize> {
    let list = map.get_mut(key)?;
    let at = list.pop();
    if list.is_empty() {
        map.remove(key);
    }
    at
}

impl Row {
    fn met(change: &Change) -> Row {
        Row {
            newest: change.place,
            existed: change.op != Op::Insert,
            exists: change.op != Op::Insert,
            undoes: vec![],
            key_now: None,
            key_before: change.old_key.as_ref().or(change.key.as_ref()).cloned(),
            first: Image::default(),
            left: Image::default(),
            touched: BTreeSet::new(),
            between: BTreeSet::new(),
        }
    }

    fn apply(&mut self, change: Change) {
        self.undoes.push(change.id);
        self.newest = change.place;
        self.key_now = change.key;
        // what the row was before this change is what the last one left, or somebody else came in between
        if self.exists {
            for (name, value) in change.old.iter() {
                if self.left.get(name).is_some_and(|left| !same(left, value)) {
                    self.between.insert(name.clone());
                }
            }
            if self.existed {
                self.first.fill(&change.old);
            }
        }
        match change.op {
            Op::Insert => {
                if self.exists {
                    self.between.extend(change.new.iter().map(|(name, _)| name.clone()));
                }
                self.touched.extend(change.new.iter().map(|(name, _)| name.clone()));
                self.left = change.new;
                self.exists = true;
            }
            Op::Update => {
                for (name, value) in change.new.iter() {
                    if change.old.get(name) != Some(value) || hidden(value) {
                        self.touched.insert(name.clone());
                    }
                }
                self.left.overlay(&change.old);
                self.left.overlay(&change.new);
            }
            Op::Delete => {
                self.left = change.old;
                self.exists = false;
            }
        }
    }

    /// None if nothing is left to undo.
    fn net(self) -> Option<Net> {
        let mut set_to = Image::default();
        let mut redacted = vec![];
        let action = match (self.existed, self.exists) {
            (false, false) => return None,
            (false, true) => Action::Delete,
            (true, false) => {
                set_to = self.first.clone();
                Action::Insert
            }
            (true, true) => {
                for name in &self.touched {
                    let (first, left) = (self.first.get(name), self.left.get(name));
                    let differs = |first: &str| left.is_none_or(|left| !same(first, left));
                    if let Some(first) = first.filter(|f| differs(f) || hidden(f)) {
                        set_to.set(name, first);
                    }
                }
                if set_to.is_empty() {
                    return None;
                }
                Action::Update
            }
        };
        set_to.retain(|name, value| {
            let known = !hidden(value);
            if !known {
                redacted.push(Rc::from(name));
            }
            known
        });
        Some(Net {
            action,
            undoes: self.undoes,
            key_now: self.key_now,
            key_before: self.key_before,
            set_to,
            left: self.left,
            redacted,
            between: self.between.into_iter().collect(),
        })
    }
}

impl Net {
    /// Whether the key itself is to be set back.
    pub fn moves(&self) -> bool {
        self.action == Action::Update && self.key_now != self.key_before
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::Names;
    use super::*;

    fn change(id: i64, op: Op, key: &str, old: &str, new: &str) -> Change {
        let image = |json: &str| Image::parse(json, &mut Names::default()).unwrap_or_default();
        let (old_key, key) = match key.split_once('>') {
            Some((old, new)) => (Some(old.into()), new),
            None => (None, key),
        };
        let key = (!key.is_empty()).then(|| key.into());
        Change { id, place: id as usize, op, key, old_key, old: image(old), new: image(new) }
    }

    fn told(changes: Vec<Change>) -> Vec<String> {
        let name = |key: &Option<Rc<str>>| key.as_deref().unwrap_or("-").to_owned();
        fold(changes)
            .iter()
            .map(|n| {
                let key = if n.key_now == n.key_before {
                    name(&n.key_now)
                } else {
                    format!("{}>{}", name(&n.key_now), name(&n.key_before))
                };
                let mut told = format!("{} {key} {} {:?}", n.action.word(), n.set_to.json(), n.undoes);
                if !n.between.is_empty() {
                    told += &format!(" between {:?}", n.between);
                }
                if !n.redacted.is_empty() {
                    told += &format!(" redacted {:?}", n.redacted);
                }
                told
            })
            .collect()
    }

    use Op::{Delete as D, Insert as I, Update as U};

    #[test]
    fn a_row_that_came_and_went_is_nothing() {
        let changes = vec![
            change(1, I, "1", "", r#"{"id": 1, "a": 1}"#),
            change(2, U, "1", r#"{"a": 1}"#, r#"{"a": 2}"#),
            change(3, D, "1", r#"{"id": 1, "a": 2}"#, ""),
        ];
        assert_eq!(told(changes.clone()), Vec::<String>::new());
        assert_eq!(told(changes[..2].to_vec()), ["DELETE 1 {} [1, 2]"]);
    }

    #[test]
    fn updates_go_back_to_the_first_values() {
        let changes = vec![
            change(1, U, "1", r#"{"a": 1}"#, r#"{"a": 2}"#),
            change(2, U, "1", r#"{"a": 2, "b": 5}"#, r#"{"a": 3, "b": 6}"#),
            change(3, U, "1", r#"{"b": 6}"#, r#"{"b": 5}"#),
        ];
        assert_eq!(told(changes), [r#"UPDATE 1 {"a": 1} [1, 2, 3]"#]);
        // what was updated back is nothing
        let back = vec![
            change(1, U, "1", r#"{"a": 1}"#, r#"{"a": 2}"#),
            change(2, U, "1", r#"{"a": 2}"#, r#"{"a": 1}"#),
        ];
        assert_eq!(told(back), Vec::<String>::new());
    }

    #[test]
    fn a_deleted_row_is_as_before_its_updates() {
        let changes = vec![
            change(1, U, "1", r#"{"a": 1}"#, r#"{"a": 2}"#),
            change(2, D, "1", r#"{"id": 1, "a": 2, "b": 7}"#, ""),
        ];
        assert_eq!(told(changes), [r#"INSERT 1 {"a": 1, "b": 7, "id": 1} [1, 2]"#]);
    }

    #[test]
    fn deleted_and_inserted_again_is_an_update() {
        let mut changes = vec![
            change(1, D, "1", r#"{"id": 1, "a": 1, "b": 7}"#, ""),
            change(2, I, "1", "", r#"{"id": 1, "a": 2, "b": 7}"#),
        ];
        assert_eq!(told(changes.clone()), [r#"UPDATE 1 {"a": 1} [1, 2]"#]);
        changes.push(change(3, U, "1", r#"{"b": 7}"#, r#"{"b": 8}"#));
        assert_eq!(told(changes.clone()), [r#"UPDATE 1 {"a": 1, "b": 7} [1, 2, 3]"#]);
        changes.push(change(4, D, "1", r#"{"id": 1, "a": 2, "b": 8}"#, ""));
        assert_eq!(told(changes), [r#"INSERT 1 {"a": 1, "b": 7, "id": 1} [1, 2, 3, 4]"#]);
    }

    #[test]
    fn keys_are_followed() {
        let changes = vec![
            change(1, U, "1>2", r#"{"id": 1}"#, r#"{"id": 2}"#),
            change(2, I, "1", "", r#"{"id": 1, "a": 0}"#),
            change(3, U, "2>3", r#"{"id": 2, "a": 5}"#, r#"{"id": 3, "a": 6}"#),
        ];
        assert_eq!(told(changes), [r#"UPDATE 3>1 {"a": 5, "id": 1} [1, 3]"#, "DELETE 1 {} [2]"]);
    }

    #[test]
    fn full_images_change_only_what_differs() {
        let changes = vec![change(1, U, "1", r#"{"id": 1, "a": 1, "b": 2}"#, r#"{"id": 1, "a": 9, "b": 2}"#)];
        assert_eq!(told(changes), [r#"UPDATE 1 {"a": 1} [1]"#]);
    }

    #[test]
    fn changes_of_others_in_between_are_seen() {
        let changes = vec![
            change(1, U, "1", r#"{"a": 1}"#, r#"{"a": 2}"#),
            change(5, U, "1", r#"{"a": 3, "b": 1}"#, r#"{"a": 4, "b": 2}"#),
        ];
        assert_eq!(told(changes), [r#"UPDATE 1 {"a": 1, "b": 1} [1, 5] between ["a"]"#]);
        // and a row that somebody else deleted and the selection made again
        let changes = vec![change(1, I, "1", "", r#"{"id": 1}"#), change(5, I, "1", "", r#"{"id": 1}"#)];
        assert_eq!(told(changes), [r#"DELETE 1 {} [1, 5] between ["id"]"#]);
    }

    #[test]
    fn rows_without_key_are_followed_by_their_values() {
        let changes = vec![
            change(1, U, "", r#"{"a": 1, "b": 1}"#, r#"{"a": 2}"#),
            change(2, U, "", r#"{"a": 1, "b": 1}"#, r#"{"a": 2}"#),
            change(3, U, "", r#"{"a": 2, "b": 1}"#, r#"{"b": 3}"#),
            change(4, I, "", "", r#"{"a": 8, "b": 8}"#),
            change(5, D, "", r#"{"a": 8, "b": 8}"#, ""),
        ];
        assert_eq!(
            told(changes.clone()),
            [r#"UPDATE - {"a": 1, "b": 1} [2, 3]"#, r#"UPDATE - {"a": 1} [1]"#]
        );
        assert_eq!(fold(changes)[0].left.json(), r#"{"a": 2, "b": 3}"#);
    }

    #[test]
    fn redacted_values_are_not_restored() {
        let changes = vec![
            change(1, U, "1", r#"{"a": 1, "s": "[redacted]"}"#, r#"{"a": 2, "s": "[redacted]"}"#),
            change(2, D, "2", r#"{"id": 2, "s": "[redacted]"}"#, ""),
        ];
        assert_eq!(
            told(changes),
            [r#"INSERT 2 {"id": 2} [2] redacted ["s"]"#, r#"UPDATE 1 {"a": 1} [1] redacted ["s"]"#]
        );
    }
}
