//! audit_verify: is the log still what was sealed?

use super::bounds;
use super::chain::{self, Link};
use super::differences::Differences;
use super::guard;
use super::members::{self, Kind, LoggedTable, Stretch, Suspect, Suspects, KINDS};
use super::misplaced::Marks;
use super::redactions::Redactions;
use super::sealed::{self, Parts};
use crate::audit::store::oldest::Oldest;
use crate::error::Result;
use crate::pg::identity;
use dbguard_core::seal::What;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::JsonB;
use std::collections::HashSet;

/// A row of the answer.
#[derive(Default)]
struct Row {
    seal: Option<i64>,
    state: &'static str,
    changes: Option<i64>,
    problem: Option<String>,
    id: Option<i64>,
    table: Option<String>,
    key: Option<String>,
    at: Option<TimestampWithTimeZone>,
}

#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn audit_verify(
    since_seal: Option<i64>,
    head: Option<JsonB>,
) -> std::result::Result<
    TableIterator<
        'static,
        (
            name!(seal, Option<i64>),
            name!(state, &'static str),
            name!(changes, Option<i64>),
            name!(problem, Option<String>),
            name!(id, Option<i64>),
            name!(table, Option<String>),
            name!(key, Option<String>),
            name!(at, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    let rows = verify(since_seal.unwrap_or(1).max(1), head)?;
    let columns = |r: Row| (r.seal, r.state, r.changes, r.problem, r.id, r.table, r.key, r.at);
    Ok(TableIterator::new(rows.into_iter().map(columns)))
}

fn verify(since: i64, head: Option<JsonB>) -> Result<Vec<Row>> {
    chain::need_log()?;
    let head = head.map(|JsonB(head)| chain::exported(&head)).transpose()?;
    let mut check = Check {
        rows: vec![],
        tables: members::tables()?,
        redactions: Redactions::load()?,
        oldest: Oldest::load()?,
        marks: Marks::default(),
        told: HashSet::new(),
    };
    let mut links = chain::since(1)?.into_iter().peekable();
    while let Some(link) = links.next_if(|link| link.seal.number < since - 1) {
        check.marks.add(&link);
    }
    // the link before the first is not checked itself
    let mut before = links.next_if(|link| link.seal.number == since - 1);
    before.iter().for_each(|link| check.marks.add(link));
    let mut last = since - 1;
    for link in links {
        check.gap(last, link.seal.number);
        check.seal(&link, before.as_ref().filter(|b| b.seal.number == link.seal.number - 1))?;
        last = link.seal.number;
        check.marks.add(&link);
        before = Some(link);
    }
    if let Some(highest) = sealed::highest()? {
        check.gap(last, highest + 1);
    }
    if let Some((number, hash)) = head {
        check.head(number, &hash)?;
    }
    for table in guard::missing()? {
        let problem = format!("table \"{table}\" is not guarded against changes");
        check.rows.push(Row { state: "problem", problem: Some(problem), ..Row::default() });
    }
    check.tail()?;
    Ok(check.rows)
}

struct Check {
    rows: Vec<Row>,
    tables: Vec<LoggedTable>,
    redactions: Redactions,
    oldest: Oldest,
    marks: Marks,
    /// A context or a table's entry is in many seals: told once.
    told: HashSet<(Kind, i64)>,
}

impl Check {
    fn problem(&mut self, seal: Option<i64>, problem: impl Into<String>) {
        self.rows.push(Row { seal, state: "problem", problem: Some(problem.into()), ..Row::default() });
    }

    /// Seals between these two numbers are missing.
    fn gap(&mut self, last: i64, next: i64) {
        match next - last {
            ..=1 => {}
            2 => self.problem(Some(last + 1), "seal is missing"),
            _ => self.problem(Some(last + 1), format!("seals {} to {} are missing", last + 1, next - 1)),
        }
    }

    /// One seal: itself, its link to the one `before`, and all it covers.
    fn seal(&mut self, link: &Link, before: Option<&Link>) -> Result<()> {
        let (seal, number) = (&link.seal, link.seal.number);
        let problems = self.rows.len();
        if seal.hash().as_slice() != link.hash {
            self.problem(Some(number), "seal was changed");
        }
        // without the one before there is nothing to compare with: that it is missing was told
        let follows = match before {
            Some(before) => seal.previous.as_ref() == Some(&before.hash),
            None => number > 1 || seal.previous.is_none(),
        };
        if !follows {
            self.problem(Some(number), "seal does not follow the one before it");
        }
        let parts = Parts::of(number)?;
        if parts.altered || parts.contents.as_slice() != seal.contents {
            self.problem(Some(number), "digests of the seal were changed");
        }
        // what was sealed before the log begins is gone, and its digests may be
        let sealed_at = i64::from(link.sealed_at);
        let gone: Vec<Kind> =
            KINDS.into_iter().filter(|kind| parts.let_go.contains(&kind.letter())).collect();
        let (may_go, missing): (Vec<Kind>, Vec<Kind>) =
            gone.into_iter().partition(|kind| sealed_at <= self.oldest.of(*kind));
        if !missing.is_empty() {
            self.problem(Some(number), "digests of the seal are missing");
        }
        let mut relations = members::of_home(&self.tables, &seal.home);
        relations.extend(sealed::relations(number)?);
        let stretch = Stretch { home: &seal.home, from: seal.from_xact, to: seal.to_xact, relations };
        let (mut redacted, mut dropped) = (0, 0);
        for kind in KINDS {
            let found =
                Differences::of(kind, Some(number), &stretch, &self.redactions, self.oldest.of(kind))?;
            if kind == Kind::Change {
                let dropped_all = if may_go.contains(&kind) { seal.changes } else { found.dropped };
                (redacted, dropped) = (found.redacted, dropped_all);
            }
            self.tell(kind, Some(number), found)?;
        }
        self.look(Some(number), &stretch)?;
        let mut notes = vec![];
        if redacted > 0 {
            notes.push(format!("{redacted} redacted"));
        }
        if dropped > 0 {
            notes.push(format!("{dropped} dropped with their partition"));
        }
        let state = match () {
            () if self.rows.len() > problems => "broken",
            () if dropped > 0 && dropped == seal.changes => "dropped",
            () => "ok",
        };
        self.rows.push(Row {
            seal: Some(number),
            state,
            changes: Some(seal.changes),
            problem: (!notes.is_empty()).then(|| notes.join(", ")),
            at: Some(link.sealed_at),
            ..Row::default()
        });
        Ok(())
    }

    fn tell(&mut self, kind: Kind, seal: Option<i64>, mut found: Differences) -> Result<()> {
        if found.may_be_redacted() {
            // by a session that committed after we began
            self.redactions = Redactions::load()?;
            found.accept(&self.redactions);
        }
        let word = kind.word();
        if found.unreadable {
            self.problem(seal, format!("digests of the seal cannot be read ({word}s)"));
        }
        for pack in &found.damaged {
            let problem = format!("pack is damaged, its {} changes cannot be read", pack.changes);
            let suspect = Suspect { id: pack.id, at: pack.at, relation: pack.relation, key: None };
            self.suspect(seal, problem, suspect);
        }
        let more = found.more;
        for p in found.problems() {
            if kind.by_id() && !self.told.insert((kind, p.id)) {
                continue;
            }
            let problem = match p.what {
                What::Changed => format!("{word} was changed"),
                What::Removed => format!("{word} was removed"),
                What::Inserted => format!("{word} was inserted"),
                What::Renumbered { was } => format!("{word} was sealed under id {was}"),
            };
            let about = p.about.unwrap_or_default();
            let suspect = Suspect { id: p.id, at: p.at, relation: about.relation, key: about.key };
            self.suspect(seal, problem, suspect);
        }
        if more > 0 {
            self.problem(seal, format!("and {more} more such problems"));
        }
        Ok(())
    }

    /// What is wrong with the changes of a stretch by themselves, whatever was sealed of them.
    fn look(&mut self, seal: Option<i64>, stretch: &Stretch) -> Result<()> {
        self.suspects(seal, "pack has wrong bounds", bounds::wrong(stretch)?);
        self.suspects(seal, "change was put among older ones", self.marks.misplaced(stretch)?);
        Ok(())
    }

    fn suspects(&mut self, seal: Option<i64>, problem: &str, suspects: Suspects) {
        for suspect in suspects.list {
            self.suspect(seal, problem.to_owned(), suspect);
        }
        if suspects.more > 0 {
            self.problem(seal, format!("and {} more such problems", suspects.more));
        }
    }

    fn suspect(&mut self, seal: Option<i64>, problem: String, suspect: Suspect) {
        self.rows.push(Row {
            seal,
            state: "problem",
            changes: None,
            problem: Some(problem),
            id: Some(suspect.id),
            table: self.table(suspect.relation),
            key: suspect.key,
            at: suspect.at.try_into().ok(),
        });
    }

    fn table(&self, relation: Option<i32>) -> Option<String> {
        self.tables.iter().find(|t| Some(t.id) == relation).map(|t| t.name.clone())
    }

    fn head(&mut self, number: i64, hash: &str) -> Result<()> {
        let link = chain::since(number)?.into_iter().next().filter(|link| link.seal.number == number);
        match link {
            None => self
                .problem(Some(number), "seal of the given head is missing: the chain was cut or made anew"),
            Some(link) if dbguard_core::seal::hex(&link.hash) != hash => {
                self.problem(Some(number), "seal is not the one of the given head: the chain was made anew");
            }
            Some(link) => self.rows.push(Row {
                seal: Some(number),
                state: "ok",
                problem: Some("the given head is in the chain".into()),
                at: Some(link.sealed_at),
                ..Row::default()
            }),
        }
        Ok(())
    }

    /// What no seal covers: of open homes it is new; of one that was closed nothing new can come.
    fn tail(&mut self) -> Result<()> {
        const UNSEALED: &str = "
            SELECT coalesce(sum(c.changes), 0)::bigint, min(c.at)
            FROM (SELECT 1 AS changes, at FROM dbguard.audit_change WHERE relation = ANY ($1) AND xact >= $2::xid8
                  UNION ALL
                  SELECT changes, at FROM dbguard.audit_pack WHERE relation = ANY ($1) AND xact >= $2::xid8) c";
        let here = identity::database();
        let ends = chain::ends()?;
        let mut homes: Vec<String> = self.tables.iter().map(|t| t.home.clone()).collect();
        homes.sort();
        homes.dedup();
        let (mut unsealed, mut oldest) = (0, None::<TimestampWithTimeZone>);
        for home in homes {
            let relations = members::of_home(&self.tables, &home);
            let end = ends.iter().find(|(h, _, _)| *h == home);
            let from = end.map_or(0, |(_, to, _)| *to);
            if home != here && end.is_some_and(|(_, _, closed)| *closed) {
                let stretch = Stretch { home: &home, from, to: u64::MAX, relations };
                let found = Differences::of(
                    Kind::Change,
                    None,
                    &stretch,
                    &self.redactions,
                    self.oldest.of(Kind::Change),
                )?;
                self.tell(Kind::Change, None, found)?;
                self.look(None, &stretch)?;
                continue;
            }
            let stretch = Stretch { home: &home, from, to: u64::MAX, relations: relations.clone() };
            self.look(None, &stretch)?;
            let (count, first) = Spi::connect(|client| {
                let args = [relations.into(), from.to_string().into()];
                client.select(UNSEALED, Some(1), &args)?.first().get_two::<i64, TimestampWithTimeZone>()
            })?;
            unsealed += count.unwrap_or_default();
            oldest = [oldest, first].into_iter().flatten().min();
        }
        self.rows.push(Row { state: "unsealed", changes: Some(unsealed), at: oldest, ..Row::default() });
        Ok(())
    }
}
