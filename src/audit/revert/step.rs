//! One statement of an undo: from what is to be undone and what the table is now.

use super::table::{KeyForm, Table};
use crate::ddl::revert::Shape;
use dbguard_core::audit::conflict::Conflict;
use dbguard_core::audit::fold::{Action, Net};
use dbguard_core::audit::image::{self, Image, Names};
use dbguard_core::quote::ident;
use std::rc::Rc;

/// A column by its position in the table, and its value as JSON.
pub type Values = Vec<(usize, String)>;

pub struct Step {
    /// By position among the tables.
    pub table: usize,
    /// None where nothing can be done.
    pub action: Option<Action>,
    pub net: Option<Net>,
    pub key: Option<String>,
    pub undoes: Vec<i64>,
    pub set: Values,
    /// What the row is found by; empty in a table without key.
    pub locate: Values,
    /// The key to restore, where it may be taken.
    pub wanted: Values,
    /// What should be there.
    pub expect: Values,
    pub conflict: Option<Conflict>,
    pub notes: Vec<String>,
    pub sql: Option<String>,
}

impl Step {
    pub fn impossible(table: usize, id: i64, why: &str) -> Step {
        Step {
            table,
            action: None,
            net: None,
            key: None,
            undoes: vec![id],
            set: vec![],
            locate: vec![],
            wanted: vec![],
            expect: vec![],
            conflict: Some(Conflict::Impossible(why.to_owned())),
            notes: vec![],
            sql: None,
        }
    }

    /// Of a table that does not exist any more if `table` is None.
    pub fn new(position: usize, table: Option<&Table>, net: Net) -> Step {
        let mut step = Step {
            action: Some(net.action),
            key: net.key_now.as_deref().map(str::to_owned),
            undoes: net.undoes.clone(),
            conflict: None,
            ..Step::impossible(position, 0, "")
        };
        match table {
            Some(table) => {
                if let Err(why) = step.prepare(table, &net) {
                    step.conflict = Some(Conflict::Impossible(why));
                }
            }
            None => step.conflict = Some(Conflict::Impossible("table does not exist".to_owned())),
        }
        step.net = Some(net);
        step
    }

    /// Whether it is to be done.
    pub fn stands(&self) -> bool {
        self.conflict.is_none() && self.action.is_some()
    }

    /// What it changes: the row by its keys, or some row of the table.
    pub fn rows(&self) -> [(usize, Option<Rc<str>>); 2] {
        let key = |key: fn(&Net) -> &Option<Rc<str>>| {
            (self.table, self.net.as_ref().and_then(|net| key(net).clone()))
        };
        [key(|net| &net.key_now), key(|net| &net.key_before)]
    }

    /// The values it sets, by name.
    pub fn set_to(&self, table: Option<&Table>) -> String {
        let Some(table) = table else {
            return self.net.as_ref().map_or("{}".to_owned(), |net| net.set_to.json());
        };
        let pairs: Vec<String> = self
            .set
            .iter()
            .filter_map(|(at, value)| {
                let value = self.net.as_ref()?.set_to.get(&table.columns.get(*at)?.sql.name).unwrap_or(value);
                Some(format!("{}: {value}", image::quoted(&table.columns.get(*at)?.sql.name)))
            })
            .collect();
        format!("{{{}}}", pairs.join(", "))
    }

    /// Does `action` in spite of the conflict: `texts` are those of its values.
    pub fn force(&mut self, action: Action, table: &Table, texts: &mut Vec<Option<String>>) {
        self.notes.extend(self.conflict.take().map(|conflict| format!("forced: {conflict}")));
        if self.action == Some(action) {
            return;
        }
        // a row that is there already gets all values: what it is found by is the key to restore
        self.action = Some(action);
        self.locate = std::mem::take(&mut self.wanted);
        let before = self.locate.len();
        let mut n = 0;
        texts.retain(|_| {
            n += 1;
            n <= before || self.set.get(n - before - 1).is_none_or(|(at, _)| !fixed(table, *at))
        });
        self.set.retain(|(at, _)| !fixed(table, *at));
    }

    /// Writes the statement for people: `texts` are those of its values.
    pub fn write(&mut self, table: Option<&Table>, texts: &[Option<String>]) {
        if let (Some(table), Some(action)) = (table, self.action) {
            self.sql = Some(shape(table, self).statement(action.word(), texts));
        }
    }

    /// Fills in everything; Err says why nothing can be done.
    fn prepare(&mut self, table: &Table, net: &Net) -> Result<(), String> {
        self.set_values(table, net)?;
        if net.action == Action::Insert {
            self.defaults(table, net)?;
        } else {
            if net.action == Action::Update && self.set.is_empty() {
                let notes = std::mem::take(&mut self.notes);
                return Err(format!("nothing can be restored: {}", notes.join("; ")));
            }
            self.find_by(table, net)?;
        }
        if net.action == Action::Insert || net.moves() {
            let value = |at: &usize| {
                let of = |list: &Values| list.iter().find(|(n, _)| n == at).cloned();
                of(&self.set).or_else(|| of(&self.locate))
            };
            // a column of the key that is not known gets its default, which is nobody's yet
            self.wanted = table.key.iter().map(value).collect::<Option<_>>().unwrap_or_default();
        }
        Ok(())
    }

    fn set_values(&mut self, table: &Table, net: &Net) -> Result<(), String> {
        for (name, value) in net.set_to.iter() {
            let Some((at, column)) = table.position(name).and_then(|at| Some((at, table.columns.get(at)?)))
            else {
                self.notes.push(format!(
                    "column {} does not exist any more: left out",
                    ident(image::name_then(name))
                ));
                continue;
            };
            if column.generated {
                continue;
            }
            if column.identity_always && net.action == Action::Update {
                return Err(format!(
                    "column {} is GENERATED ALWAYS AS IDENTITY: it cannot be updated",
                    ident(name)
                ));
            }
            self.set.push((at, stored(table, at, value)));
        }
        self.set.sort_by_key(|(at, _)| *at);
        if net.action == Action::Update {
            for name in &net.redacted {
                self.notes.push(format!("column {} is redacted in the log: left as it is", ident(name)));
            }
        }
        Ok(())
    }

    /// What a row that is inserted again has in columns the log does not show.
    fn defaults(&mut self, table: &Table, net: &Net) -> Result<(), String> {
        for (at, column) in table.columns.iter().enumerate() {
            if column.generated || self.set.iter().any(|(n, _)| *n == at) {
                continue;
            }
            let name = &column.sql.name;
            let how = if net.redacted.iter().any(|r| **r == **name) { "redacted" } else { "not" };
            let what = format!("column {} is {how} in the log", ident(name));
            if column.sql.not_null && !column.has_default {
                return Err(format!("{what}, and it is NOT NULL without a default"));
            }
            self.notes
                .push(format!("{what}: set to {}", if column.has_default { "its default" } else { "NULL" }));
        }
        Ok(())
    }

    /// How the row is found, and what should be in it.
    fn find_by(&mut self, table: &Table, net: &Net) -> Result<(), String> {
        let known = |at: usize| {
            let name = table.columns.get(at)?.sql.name.as_str();
            net.left.get(name).filter(|value| !image::hidden(value)).map(|value| stored(table, at, value))
        };
        if table.key.is_empty() {
            for at in (0..table.columns.len()).filter(|at| !table.columns[*at].generated) {
                let value = known(at)
                    .ok_or("the table has no primary key, and the log does not show the whole row")?;
                self.expect.push((at, value));
            }
            return Ok(());
        }
        let key = net.key_now.as_deref().filter(|_| table.key_stands).map(|key| from_text(table, key));
        for at in &table.key {
            let of_text = || key.as_ref()?.get(&table.columns.get(*at)?.sql.name).map(str::to_owned);
            let value = known(*at).or_else(of_text).ok_or_else(|| {
                if table.key_stands {
                    "the key is too long for the log to hold".to_owned()
                } else {
                    "the primary key has changed since".to_owned()
                }
            })?;
            self.locate.push((*at, value));
        }
        let all = || (0..table.columns.len()).collect();
        let compared: Vec<usize> = match net.action {
            Action::Update => self.set.iter().map(|(at, _)| *at).collect(),
            _ => all(),
        };
        for at in compared.into_iter().filter(|at| !table.columns[*at].generated) {
            self.expect.extend(known(at).map(|value| (at, value)));
        }
        Ok(())
    }
}

/// The columns of a step.
pub fn shape<'a>(table: &'a Table, step: &Step) -> Shape<'a> {
    let pick =
        |list: &Values| list.iter().filter_map(|(at, _)| table.columns.get(*at)).map(|c| &c.sql).collect();
    Shape {
        table: &table.sql,
        key: pick(&step.locate),
        wanted: pick(&step.wanted),
        expect: pick(&step.expect),
        set: pick(&step.set),
        by_wanted: false,
    }
}

/// Whether an UPDATE cannot set the column.
fn fixed(table: &Table, at: usize) -> bool {
    table.columns.get(at).is_some_and(|c| c.identity_always)
}

/// A value as the column's type reads it from JSON.
fn stored(table: &Table, at: usize, value: &str) -> String {
    match table.columns.get(at).and_then(|c| c.sql.json) {
        Some("json") if value != "null" => image::quoted(&image::json_as_stored(value)),
        _ => value.to_owned(),
    }
}

/// The columns of a key, from its text in the log. None of them if the text was cut for its length.
fn from_text(table: &Table, key: &str) -> Image {
    const CUT: &str = "... sha256:";
    let cut = key.rfind(CUT).is_some_and(|at| key.len() - at == CUT.len() + 64);
    let mut values = Image::default();
    if cut {
        return values;
    }
    match table.key.as_slice() {
        [single] => {
            let Some(column) = table.columns.get(*single) else { return values };
            let is_json = column.key_form == KeyForm::Json || column.sql.json.is_some();
            let json = is_json && serde_json::from_str::<serde_json::Value>(key).is_ok();
            let value = if json { key.to_owned() } else { image::quoted(key) };
            values.set(&column.sql.name.as_str().into(), &value);
        }
        _ => values.fill(&Image::parse(key, &mut Names::default()).unwrap_or_default()),
    }
    values
}
