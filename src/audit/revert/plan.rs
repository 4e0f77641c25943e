//! What undoing a selection takes, and what stands in the way.

use super::batch::{batches, Seen};
use super::referrers;
use super::select::Logged;
use super::step::Step;
use super::table::{self, Table};
use crate::error::Result;
use dbguard_core::audit::conflict::decide;
use dbguard_core::audit::fold::{fold, Action, Change};
use dbguard_core::audit::order::{order, Group};
use std::collections::{HashMap, HashSet};

pub struct Plan {
    pub tables: Vec<Option<Table>>,
    /// Names for people, also of tables that are gone.
    pub names: Vec<(String, String)>,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
    pub forced: bool,
}

impl Plan {
    /// Steps of folded changes, in order. Nothing is known yet of what stands in their way.
    pub fn new(logged: &[Logged]) -> Result<Plan> {
        let mut plan = Plan { tables: vec![], names: vec![], steps: vec![], forced: false };
        for entry in logged {
            let table = Table::of_lineage(entry.lineage)?;
            plan.names.push(match &table {
                Some(table) => (table.sql.schema.clone(), table.sql.name.clone()),
                None => (entry.schema.clone(), entry.name.clone()),
            });
            plan.tables.push(table);
        }
        let mut groups: Vec<(Group, i64, Vec<Step>)> = vec![];
        let mut impossible = vec![];
        for (position, entry) in logged.iter().enumerate() {
            let table = plan.tables.get(position).and_then(Option::as_ref);
            for net in fold(entry.changes.clone()) {
                let newest = net.undoes.last().copied().unwrap_or_default();
                let group = Group { table: position, action: net.action };
                let step = Step::new(position, table, net);
                match groups.iter_mut().find(|(g, _, _)| *g == group) {
                    Some((_, _, steps)) => steps.push(step),
                    None => groups.push((group, newest, vec![step])),
                }
            }
            impossible.extend(entry.impossible.iter().map(|(id, why)| Step::impossible(position, *id, why)));
        }
        groups.sort_by_key(|(_, newest, _)| std::cmp::Reverse(*newest));
        let references = table::references(&plan.tables)?;
        let bare: Vec<Group> = groups.iter().map(|(group, _, _)| *group).collect();
        let mut lists: Vec<Option<Vec<Step>>> = groups.into_iter().map(|(_, _, steps)| Some(steps)).collect();
        for i in order(&bare, &references) {
            plan.steps.extend(lists.get_mut(i).and_then(Option::take).unwrap_or_default());
        }
        plan.steps.extend(impossible);
        Ok(plan)
    }

    /// The same undone change by change, newest first: what happened in one order can be undone in
    /// the other, whatever the constraints. Without the changes of rows that are left alone.
    pub fn one_by_one(&self, logged: Vec<Logged>) -> Vec<Step> {
        let left_alone: HashSet<i64> =
            self.steps.iter().filter(|step| !step.stands()).flat_map(|step| step.undoes.clone()).collect();
        let mut all: Vec<(usize, Change)> = vec![];
        for (position, entry) in logged.into_iter().enumerate() {
            all.extend(entry.changes.into_iter().map(|change| (position, change)));
        }
        all.retain(|(_, change)| !left_alone.contains(&change.id));
        all.sort_by_key(|(_, change)| std::cmp::Reverse(change.place));
        let mut steps = vec![];
        for (position, change) in all {
            let table = self.tables.get(position).and_then(Option::as_ref);
            steps.extend(fold(vec![change]).into_iter().map(|net| Step::new(position, table, net)));
        }
        steps
    }

    /// Looks at the rows, and finds the conflicts. Runs under the pinned search_path. `fresh`: after
    /// waiting for their locks.
    pub fn look(&mut self, force: bool, fresh: bool) -> Result<()> {
        let mut seen: HashMap<usize, Seen> = HashMap::new();
        for batch in batches(&self.tables, &self.steps, self.possible()) {
            batch.look(&mut self.steps, &mut seen, fresh)?;
        }
        let free = self.vacated(&seen);
        for (i, step) in self.steps.iter_mut().enumerate() {
            let (Some(mut seen), Some(net)) = (seen.remove(&i), &step.net) else { continue };
            if seen.found.place_taken {
                let (_, wanted) = keys(step, &seen.texts);
                seen.found.place_taken = !free.contains(&(step.table, wanted));
            }
            step.conflict = decide(net, std::mem::take(&mut seen.found));
            let forced = step.conflict.as_ref().filter(|_| force).and_then(|c| c.forced(net.action));
            let table = self.tables.get(step.table).and_then(Option::as_ref);
            if let (Some(action), Some(table)) = (forced, table) {
                self.forced = true;
                step.force(action, table, &mut seen.texts);
            }
            step.write(table, &seen.texts);
        }
        self.look_for_referrers(force, fresh)
    }

    /// Finds rows that would go, or lose their reference, with a row that is to be deleted. A row that
    /// stays for that may in turn keep another.
    fn look_for_referrers(&mut self, force: bool, fresh: bool) -> Result<()> {
        let keys = referrers::foreign_keys(&self.tables)?;
        loop {
            let mut found = vec![];
            for key in &keys {
                found.extend(key.conflicts(&self.tables, &self.steps, fresh)?);
            }
            let mut stays = false;
            for (n, conflict) in found {
                let Some(step) = self.steps.get_mut(n) else { continue };
                if force && conflict.forced(Action::Delete).is_some() {
                    self.forced = true;
                    step.notes.push(format!("forced: {conflict}"));
                } else if step.conflict.is_none() {
                    step.conflict = Some(conflict);
                    stays = true;
                }
            }
            if !stays || force {
                return Ok(());
            }
        }
    }

    /// Locks the rows that are to be changed.
    pub fn lock(&self) -> Result<()> {
        let rows = self.possible().into_iter().filter(|i| {
            self.steps
                .get(*i)
                .is_some_and(|step| matches!(step.action, Some(Action::Update | Action::Delete)))
        });
        batches(&self.tables, &self.steps, rows).iter().try_for_each(|batch| batch.lock(&self.steps))
    }

    pub fn conflicts(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.conflict.is_some())
    }

    /// The steps that nothing is known to stand in the way of.
    pub fn possible(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|i| self.steps.get(*i).is_some_and(Step::stands)).collect()
    }

    /// The keys that are free once the undo is done.
    fn vacated(&self, seen: &HashMap<usize, Seen>) -> HashSet<(usize, Vec<Option<String>>)> {
        let leaves = |step: &Step, seen: &Seen| {
            let goes = step.action == Some(Action::Delete) || !step.wanted.is_empty();
            goes && seen.found.row && seen.found.differs.is_empty()
        };
        seen.iter()
            .filter_map(|(i, seen)| Some((self.steps.get(*i)?, seen)))
            .filter(|(step, seen)| leaves(step, seen))
            .map(|(step, seen)| (step.table, keys(step, &seen.texts).0))
            .collect()
    }
}

/// The key a row has and the one it shall have, of the texts of its values.
fn keys(step: &Step, texts: &[Option<String>]) -> (Vec<Option<String>>, Vec<Option<String>>) {
    let (now, rest) = texts.split_at(step.locate.len().min(texts.len()));
    (now.to_vec(), rest.iter().take(step.wanted.len()).cloned().collect())
}
