//! Steps of the same shape: looked at, locked and done with one statement.

use super::step::{shape, Step, Values};
use super::table::Table;
use crate::ddl::revert::Shape;
use crate::error::{Error, Result};
use crate::pg::subxact::subtransaction;
use dbguard_core::audit::conflict::{Conflict, Found};
use dbguard_core::audit::fold::Action;
use dbguard_core::audit::image::{Image, Names};
use pgrx::prelude::*;
use std::collections::HashMap;

/// How much one statement gets, in bytes of JSON: little to look at, so that the answer fits well into
/// memory; more to do, because rows that refer to each other are best done at once.
const LOOK_AT: usize = 4 << 20;
const DO_AT_ONCE: usize = 64 << 20;

pub struct Batch<'a> {
    pub table: &'a Table,
    pub action: Action,
    /// Positions among all steps.
    pub steps: Vec<usize>,
    shape: Shape<'a>,
}

/// What the table says about a step.
pub struct Seen {
    pub found: Found,
    pub texts: Vec<Option<String>>,
}

fn columns(step: &Step) -> [Vec<usize>; 4] {
    let of = |values: &Values| values.iter().map(|(at, _)| *at).collect();
    [of(&step.locate), of(&step.wanted), of(&step.expect), of(&step.set)]
}

/// Puts the steps at these positions together by their shape, in the order they first appear.
pub fn batches<'a>(
    tables: &'a [Option<Table>],
    steps: &[Step],
    positions: impl IntoIterator<Item = usize>,
) -> Vec<Batch<'a>> {
    let mut list: Vec<Batch> = vec![];
    let mut known: HashMap<(usize, Action, [Vec<usize>; 4]), usize> = HashMap::new();
    for i in positions {
        let Some(step) = steps.get(i) else { continue };
        let (Some(action), Some(Some(table))) = (step.action, tables.get(step.table)) else { continue };
        let columns = columns(step);
        let at = *known.entry((step.table, action, columns)).or_insert_with(|| {
            list.push(Batch { table, action, steps: vec![], shape: shape(table, step) });
            list.len() - 1
        });
        if let Some(batch) = list.get_mut(at) {
            batch.steps.push(i);
        }
    }
    list
}

impl Batch<'_> {
    /// The rows as JSON, numbered by their step: as many arrays as it takes to keep each small.
    fn rows(&self, steps: &[Step], some: &[usize], most: usize) -> Vec<(Vec<usize>, String)> {
        let mut parts = vec![];
        let mut numbers = vec![];
        let mut json = String::from("[");
        for i in some {
            let Some(step) = steps.get(*i) else { continue };
            if json.len() > most {
                parts
                    .push((std::mem::take(&mut numbers), std::mem::replace(&mut json, "[".to_owned()) + "]"));
            }
            if !numbers.is_empty() {
                json.push(',');
            }
            json += &format!("{{\"n\":{i}");
            for (prefix, values) in
                [("k", &step.locate), ("w", &step.wanted), ("e", &step.expect), ("s", &step.set)]
            {
                for (n, (_, value)) in values.iter().enumerate() {
                    json += &format!(",\"{prefix}{n}\":{value}");
                }
            }
            json.push('}');
            numbers.push(*i);
        }
        parts.push((numbers, json + "]"));
        parts
    }

    /// What the table says about each step. A value its column cannot read is a conflict of its row.
    /// `fresh`: as it is at this very moment, not when the caller's statement began.
    pub fn look(&self, steps: &mut [Step], seen: &mut HashMap<usize, Seen>, fresh: bool) -> Result<()> {
        let query = self.shape.look();
        for (numbers, json) in self.rows(steps, &self.steps, LOOK_AT) {
            self.look_at(steps, seen, (&query, fresh), &numbers, &json)?;
        }
        Ok(())
    }

    fn look_at(
        &self,
        steps: &mut [Step],
        seen: &mut HashMap<usize, Seen>,
        query: (&str, bool),
        numbers: &[usize],
        json: &str,
    ) -> Result<()> {
        pgrx::check_for_interrupts!();
        let error = match subtransaction(|| self.ask(query, json)) {
            Ok(answers) => {
                seen.extend(answers);
                return Ok(());
            }
            Err(error) => error,
        };
        match numbers {
            _ if !is_unreadable(&error) => return Err(error),
            [] => {}
            [one] => {
                if let Some(step) = steps.get_mut(*one) {
                    let why = format!("a value cannot be read from the log: {}", error.message());
                    step.conflict = Some(Conflict::Impossible(why));
                }
            }
            many => {
                let (a, b) = many.split_at(many.len() / 2);
                for half in [a, b] {
                    for (numbers, json) in self.rows(steps, half, LOOK_AT) {
                        self.look_at(steps, seen, query, &numbers, &json)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn ask(&self, (query, fresh): (&str, bool), json: &str) -> Result<Vec<(usize, Seen)>> {
        let mut names = Names::default();
        let expect: Vec<&str> = self.shape.expect.iter().map(|c| c.name.as_str()).collect();
        Spi::connect_mut(|client| {
            let mut answers = vec![];
            let args = [json.into()];
            // a select in a subtransaction that has written nothing sees what the caller's statement sees
            let rows =
                if fresh { client.update(query, None, &args) } else { client.select(query, None, &args) };
            for row in rows? {
                let n = row.get::<i32>(1)?.unwrap_or_default() as usize;
                let there = row.get::<bool>(2)?.unwrap_or(false);
                let mut image = |n: usize| -> Result<Image> {
                    let text = row.get::<String>(n)?;
                    Ok(text.and_then(|json| Image::parse(&json, &mut names)).unwrap_or_default())
                };
                let (now, was) = (image(4)?, image(5)?);
                let mut differs = vec![];
                for (i, name) in expect.iter().enumerate().filter(|_| there) {
                    let field = format!("f{}", i + 1);
                    if let (Some(now), Some(was)) = (now.get(&field), was.get(&field)) {
                        if now != was {
                            differs.push(((*name).to_owned(), now.to_owned(), was.to_owned()));
                        }
                    }
                }
                let texts = row.get::<Vec<Option<String>>>(6)?.unwrap_or_default();
                let found = Found { row: there, place_taken: row.get::<bool>(3)?.unwrap_or(false), differs };
                answers.push((n, Seen { found, texts }));
            }
            Ok(answers)
        })
    }

    /// Locks the rows, so that nobody changes them between the look and the deed.
    pub fn lock(&self, steps: &[Step]) -> Result<()> {
        let query = self.shape.lock();
        for (numbers, json) in self.rows(steps, &self.steps, LOOK_AT) {
            self.lock_rows(steps, &query, &numbers, &json)?;
        }
        Ok(())
    }

    fn lock_rows(&self, steps: &[Step], query: &str, numbers: &[usize], json: &str) -> Result<()> {
        pgrx::check_for_interrupts!();
        let locked = subtransaction(|| {
            Spi::connect_mut(|client| client.update(query, None, &[json.into()]).map(|_| ()))?;
            Ok(())
        });
        match locked {
            // what cannot be read cannot be found: the look says so
            Err(error) if is_unreadable(&error) => {
                let (a, b) = numbers.split_at(numbers.len() / 2);
                for half in [a, b].into_iter().filter(|half| half.len() < numbers.len()) {
                    for (numbers, json) in
                        self.rows(steps, half, LOOK_AT).iter().filter(|(numbers, _)| !numbers.is_empty())
                    {
                        self.lock_rows(steps, query, numbers, json)?;
                    }
                }
                Ok(())
            }
            other => other,
        }
    }

    /// Does it, with the caller's rights and under his search_path.
    pub fn run(&self, steps: &[Step]) -> Result<()> {
        let shape = &self.shape;
        let statement = match self.action {
            Action::Insert => shape.insert(),
            Action::Update => shape.update(),
            Action::Delete => shape.delete(),
        };
        for (numbers, json) in self.rows(steps, &self.steps, DO_AT_ONCE) {
            pgrx::check_for_interrupts!();
            let changed = change(&statement, &json)?;
            if changed < numbers.len() {
                self.follow_moved(steps, numbers.len(), changed, &json)?;
            }
        }
        Ok(())
    }

    /// Rows whose key a cascade has set back already are under it.
    fn follow_moved(&self, steps: &[Step], rows: usize, changed: usize, json: &str) -> Result<()> {
        let mut shape = self.shape.clone();
        if self.action == Action::Update && !shape.wanted.is_empty() {
            shape.by_wanted = true;
            if change(&shape.update(), json)? >= rows {
                return Ok(());
            }
        }
        let first = self.steps.first().and_then(|i| steps.get(*i)).and_then(|step| step.key.as_deref());
        Err(Error::not_in_state(format!("{changed} of {rows} rows of table \"{}\" were changed", self.table.sql.name))
            .detail(format!(
                "A trigger, a cascade or a row-level security policy kept the others from it. The first of them all has the key {}.",
                first.unwrap_or("NULL")
            )))
    }
}

fn change(statement: &str, json: &str) -> Result<usize> {
    Ok(Spi::connect_mut(|client| client.update(statement, None, &[json.into()]).map(|done| done.len()))?)
}

/// Whether a value was no value of its type.
fn is_unreadable(error: &Error) -> bool {
    let state = error.sqlstate();
    state.starts_with("22") || state == "23502" || state == "23514"
}
