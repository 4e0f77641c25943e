//! What stands in the way of undoing the changes of a row.

use super::fold::{Action, Net};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There is no such row: somebody deleted it, or row-level security hides it.
    Gone,
    /// A row with the key to restore is there.
    There,
    /// Columns whose value is not what the changes left: name, value now, value then.
    Differs(Vec<(String, String, String)>),
    /// Columns changed in between by something that is not undone.
    Between(Vec<String>),
    /// Rows of another table refer to the row that is to be deleted, and are not undone themselves.
    Referenced { table: String, rows: i64, fate: Fate },
    /// What cannot be done at all, in words.
    Impossible(String),
}

/// What becomes of a row when the row it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deleted,
    /// Its reference is set to NULL or to its default.
    Changed,
    /// Its foreign key does not let the other go.
    InTheWay,
}

/// What the table says about a row.
#[derive(Debug, Default)]
pub struct Found {
    /// The row as the changes left it is there.
    pub row: bool,
    /// A row with the key to restore is there, and stays.
    pub place_taken: bool,
    /// Columns whose value is not what the changes left: name, value now, value then.
    pub differs: Vec<(String, String, String)>,
}

/// Whether `net` can be undone without losing somebody else's change.
pub fn decide(net: &Net, found: Found) -> Option<Conflict> {
    match net.action {
        Action::Insert => found.place_taken.then_some(Conflict::There),
        _ if !found.row => Some(Conflict::Gone),
        Action::Update if found.place_taken => Some(Conflict::There),
        _ if !found.differs.is_empty() => Some(Conflict::Differs(found.differs)),
        // what was there in between is lost with the row anyway
        Action::Update if net.set_to.iter().any(|(name, _)| net.between.contains(name)) => {
            let lost = net.between.iter().filter(|name| net.set_to.get(name).is_some());
            Some(Conflict::Between(lost.map(|name| name.to_string()).collect()))
        }
        _ => None,
    }
}

impl Conflict {
    /// What is done all the same when the old values are to be set by force; None if nothing can be.
    pub fn forced(&self, action: Action) -> Option<Action> {
        match (self, action) {
            (Conflict::There, Action::Insert) => Some(Action::Update),
            (Conflict::Differs(_) | Conflict::Between(_), action) => Some(action),
            (Conflict::Referenced { fate: Fate::Deleted | Fate::Changed, .. }, action) => Some(action),
            _ => None,
        }
    }
}

const LONGEST_VALUE: usize = 60;

fn shortened(value: &str) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((cut, _)) => format!("{}...", &value[..cut]),
        None => value.to_owned(),
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Gone => f.write_str("row is gone or not visible"),
            Conflict::There => f.write_str("row is there already"),
            Conflict::Differs(columns) => {
                let told: Vec<String> = columns
                    .iter()
                    .map(|(name, now, then)| {
                        format!(
                            "column \"{name}\" is {}, but the change left {}",
                            shortened(now),
                            shortened(then)
                        )
                    })
                    .collect();
                f.write_str(&told.join("; "))
            }
            Conflict::Between(columns) => {
                let told: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
                write!(f, "something that is not selected changed {} in between", told.join(", "))
            }
            Conflict::Referenced { table, rows, fate } => {
                let (what, refer, it) =
                    if *rows == 1 { ("row", "refers", "it") } else { ("rows", "refer", "they") };
                write!(f, "{rows} {what} of table \"{table}\" {refer} to it")?;
                match fate {
                    Fate::Deleted => write!(f, ": {it} would be deleted with it"),
                    Fate::Changed => write!(f, ": {it} would be changed with it"),
                    Fate::InTheWay => Ok(()),
                }
            }
            Conflict::Impossible(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::{fold, Change, Op};
    use super::super::image::{Image, Names};
    use super::*;

    fn net(op: Op) -> Net {
        let image = |json: &str| Image::parse(json, &mut Names::default()).unwrap();
        let (old, new) = match op {
            Op::Insert => ("{}", r#"{"id": 1, "a": 2}"#),
            Op::Update => (r#"{"a": 1}"#, r#"{"a": 2}"#),
            Op::Delete => (r#"{"id": 1, "a": 1}"#, "{}"),
        };
        let change = Change {
            id: 1,
            place: 1,
            op,
            key: Some("1".into()),
            old_key: None,
            old: image(old),
            new: image(new),
        };
        fold(vec![change]).remove(0)
    }

    fn said(op: Op, found: Found) -> String {
        decide(&net(op), found).map_or("fine".into(), |c| c.to_string())
    }

    #[test]
    fn what_is_in_the_way() {
        let there = || Found { row: true, ..Found::default() };
        let taken = || Found { place_taken: true, ..Found::default() };
        let differs =
            || Found { row: true, differs: vec![("a".into(), "5".into(), "2".into())], place_taken: false };
        assert_eq!(said(Op::Update, there()), "fine");
        assert_eq!(said(Op::Insert, there()), "fine");
        assert_eq!(said(Op::Delete, Found::default()), "fine");
        assert_eq!(said(Op::Delete, taken()), "row is there already");
        assert_eq!(said(Op::Insert, Found::default()), "row is gone or not visible");
        assert_eq!(said(Op::Update, taken()), "row is gone or not visible");
        assert_eq!(said(Op::Update, differs()), "column \"a\" is 5, but the change left 2");
        assert_eq!(said(Op::Insert, differs()), "column \"a\" is 5, but the change left 2");
    }

    #[test]
    fn what_force_does() {
        assert_eq!(Conflict::There.forced(Action::Insert), Some(Action::Update));
        assert_eq!(Conflict::Differs(vec![]).forced(Action::Delete), Some(Action::Delete));
        assert_eq!(Conflict::Gone.forced(Action::Update), None);
        assert_eq!(Conflict::There.forced(Action::Update), None);
        assert_eq!(Conflict::Impossible(String::new()).forced(Action::Insert), None);
    }

    #[test]
    fn what_refers_to_a_row() {
        let referenced = |rows, fate| Conflict::Referenced { table: "line".to_owned(), rows, fate };
        assert_eq!(
            referenced(1, Fate::Deleted).to_string(),
            "1 row of table \"line\" refers to it: it would be deleted with it"
        );
        assert_eq!(
            referenced(2, Fate::Changed).to_string(),
            "2 rows of table \"line\" refer to it: they would be changed with it"
        );
        assert_eq!(referenced(2, Fate::InTheWay).to_string(), "2 rows of table \"line\" refer to it");
        assert_eq!(referenced(1, Fate::Changed).forced(Action::Delete), Some(Action::Delete));
        assert_eq!(referenced(1, Fate::InTheWay).forced(Action::Delete), None);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = "\u{e4}".repeat(100);
        let told = Conflict::Differs(vec![("a".into(), long, "1".into())]).to_string();
        assert!(told.contains(&format!("{}...", "\u{e4}".repeat(60))), "{told}");
    }
}
