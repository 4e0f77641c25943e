//! Which changes are to be undone.

use super::table;
use crate::audit::read::access;
use crate::audit::read::key;
use crate::error::{Error, Result};
use dbguard_core::audit::fold::{Change, Op};
use dbguard_core::audit::image::{Image, Names};
use dbguard_core::image::Rename;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::rc::Rc;

pub struct Selection {
    pub xact: Option<String>,
    pub statement: Option<TimestampWithTimeZone>,
    pub relation: Option<Oid>,
    pub key: Option<String>,
    pub actor: Option<String>,
    pub tenant: Option<String>,
    pub since: Option<TimestampWithTimeZone>,
    pub until: Option<TimestampWithTimeZone>,
}

/// The selected changes of one table, as the log names it.
#[derive(Default)]
pub struct Logged {
    pub lineage: i32,
    pub schema: String,
    pub name: String,
    /// Oldest first.
    pub changes: Vec<Change>,
    /// What cannot be undone, and why.
    pub impossible: Vec<(i64, &'static str)>,
    /// The transaction and the time of changes of key.
    moves: HashMap<i64, (Option<String>, Option<TimestampWithTimeZone>)>,
}

/// A key of a row, and the change it had it until.
struct Key {
    text: String,
    until: Option<Until>,
}

struct Until {
    id: i64,
    xact: Option<String>,
    at: Option<TimestampWithTimeZone>,
}

/// Oldest first. Ids are drawn when changes are written, with their rows locked: so a transaction that
/// came later to a row has the higher last id. Within one, a trigger's changes may be written before
/// those of the statement that fired it; the time tells.
///
/// A selection is followed through the view, so with the rights of whoever asks. Parameters that are
/// NULL are gone from the plan: it is made for the values.
const SELECTED: &str = "
    SELECT l.id, l.op, l.lineage, l.schema_name::text, l.table_name::text, l.key, l.old_key, l.old::text, l.new::text,
           l.version, l.xact::text, l.at
    FROM dbguard.audit_log l
    WHERE ($1::text IS NULL OR l.xact = $1::text::xid8)
      AND ($2::timestamptz IS NULL OR l.at = $2)
      AND ($3::int4 IS NULL OR l.lineage = $3)
      AND ($4::text IS NULL OR l.actor = $4)
      AND ($5::text IS NULL OR l.tenant = $5)
      AND ($6::timestamptz IS NULL OR l.at >= $6)
      AND ($7::timestamptz IS NULL OR l.at < $7)
      AND ($8::text IS NULL OR l.key = $8 OR l.old_key = $8)
      AND ($9::int8 IS NULL OR CASE WHEN l.xact = $11::text::xid8 THEN (l.at, l.id) < ($12, $9) ELSE l.id < $9 END)
      AND ($10::jsonb IS NULL OR l.old @> $10 OR l.new @> $10)
    ORDER BY max(l.id) OVER (PARTITION BY l.xact), l.at, l.id";

const AT_ONCE: i64 = 5000;

impl Selection {
    /// Refuses what selects nothing or everything.
    pub fn check(&self) -> Result<()> {
        const HINT: &str = "Give xact, key, actor, tenant or since: for example xact => '123456'.";
        if self.xact.is_none()
            && self.key.is_none()
            && self.actor.is_none()
            && self.tenant.is_none()
            && self.since.is_none()
        {
            return Err(Error::invalid_parameter("nothing says which changes to undo").hint(HINT));
        }
        if self.statement.is_some() && self.xact.is_none() {
            return Err(Error::invalid_parameter("argument \"statement\" needs argument \"xact\"")
                .hint("Give the transaction, too: a statement is one moment of it."));
        }
        if self.key.is_some() && self.relation.is_none() {
            return Err(Error::invalid_parameter("argument \"key\" needs argument \"relation\"")
                .hint("Give the table the key is of: relation => '...'."));
        }
        // a look at its rights only: what is read below is read with the caller's own
        access::with_log(|| Ok(()))
    }

    /// The selected changes, by table. Runs under the pinned search_path.
    pub fn read(&self) -> Result<Vec<Logged>> {
        self.check()?;
        let Some(relation) = self.relation else { return self.fetch(None, None, None) };
        let table = access::logged_as(relation)?;
        let Some(lineage) = access::with_log(|| access::lineage_of(&table))? else { return Ok(vec![]) };
        let Some(key) = &self.key else { return self.fetch(Some(lineage), None, None) };
        match key::find(table.oid, key)? {
            Some(text) => self.fetch_row(lineage, text),
            None => self.fetch(Some(lineage), None, Some(key)),
        }
    }

    /// The changes of one row, under the keys it had before, too.
    fn fetch_row(&self, lineage: i32, key: String) -> Result<Vec<Logged>> {
        let mut row: Option<Logged> = None;
        let mut next = Some(Key { text: key, until: None });
        while let Some(key) = next.take() {
            for mut logged in self.fetch(Some(lineage), Some(&key), None)? {
                // before the change that last gave it this key, the key was another row's
                let given = logged
                    .changes
                    .iter()
                    .rposition(|change| change.old_key.is_some() && change.key.as_deref() == Some(&key.text));
                if let Some(place) = given {
                    logged.changes.drain(..place);
                    next = logged.changes.first().and_then(|change| {
                        let (xact, at) = logged.moves.get(&change.id).cloned().unwrap_or_default();
                        let until = Some(Until { id: change.id, xact, at });
                        Some(Key { text: change.old_key.as_ref()?.to_string(), until })
                    });
                }
                // what it was called before comes before
                if let Some(later) = row.take() {
                    let known: Vec<i64> = logged.changes.iter().map(|change| change.id).collect();
                    let more = later.changes.into_iter().filter(|change| !known.contains(&change.id));
                    logged.changes.extend(more);
                }
                row = Some(logged);
            }
        }
        if let Some(row) = &mut row {
            for (place, change) in row.changes.iter_mut().enumerate() {
                change.place = place;
            }
        }
        Ok(row.into_iter().collect())
    }

    fn fetch(&self, lineage: Option<i32>, key: Option<&Key>, values: Option<&str>) -> Result<Vec<Logged>> {
        let until = key.and_then(|key| key.until.as_ref());
        let args = [
            self.xact.as_deref().into(),
            self.statement.into(),
            lineage.into(),
            self.actor.as_deref().into(),
            self.tenant.as_deref().into(),
            self.since.into(),
            self.until.into(),
            key.map(|key| key.text.as_str()).into(),
            until.map(|until| until.id).into(),
            values.and_then(|values| serde_json::from_str(values).ok().map(pgrx::JsonB)).into(),
            until.and_then(|until| until.xact.as_deref()).into(),
            until.and_then(|until| until.at).into(),
        ];
        let mut tables: Vec<Logged> = vec![];
        let mut positions: HashMap<i32, usize> = HashMap::new();
        // by version, which is of one table only
        let mut renames: HashMap<i32, Vec<Rename>> = HashMap::new();
        let mut names = Names::default();
        let mut place = 0;
        Spi::connect(|client| -> Result<()> {
            let mut cursor = client.try_open_cursor(SELECTED, &args)?;
            loop {
                let rows = cursor.fetch(AT_ONCE)?;
                if rows.is_empty() {
                    return Ok(());
                }
                pgrx::check_for_interrupts!();
                for row in rows {
                    let lineage = row.get::<i32>(3)?.unwrap_or_default();
                    let (schema, name) = (row.get::<String>(4)?, row.get::<String>(5)?);
                    let at = match positions.entry(lineage) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(new) => {
                            renames.extend(table::renames(lineage)?);
                            tables.push(Logged { lineage, ..Logged::default() });
                            *new.insert(tables.len() - 1)
                        }
                    };
                    let Some(table) = tables.get_mut(at) else { continue };
                    // the latest name it had
                    (table.schema, table.name) = (schema.unwrap_or_default(), name.unwrap_or_default());
                    let id = row.get::<i64>(1)?.unwrap_or_default();
                    let op = match row.get::<&str>(2)? {
                        Some("INSERT") => Op::Insert,
                        Some("UPDATE" | "SOFT DELETE" | "RESTORE") => Op::Update,
                        Some("DELETE") => Op::Delete,
                        // not changes of rows
                        Some("PAUSE" | "RESUME") => continue,
                        Some("TRUNCATE") => {
                            table.impossible.push((
                                id,
                                "TRUNCATE cannot be undone: the log does not hold the rows it removed",
                            ));
                            continue;
                        }
                        _ => {
                            table.impossible.push((id, "the log is damaged here"));
                            continue;
                        }
                    };
                    let renamed = row.get::<i32>(10)?.and_then(|version| renames.get(&version));
                    let mut image = |n: usize| -> Result<Image> {
                        let json = row.get::<&str>(n)?;
                        let image = json.and_then(|json| Image::parse(json, &mut names)).unwrap_or_default();
                        Ok(match renamed {
                            Some(renames) => image.renamed(renames, &mut names),
                            None => image,
                        })
                    };
                    let (old, new) = (image(8)?, image(9)?);
                    let text =
                        |n: usize| -> Result<Option<Rc<str>>> { Ok(row.get::<&str>(n)?.map(Rc::from)) };
                    place += 1;
                    let old_key = text(7)?;
                    if old_key.is_some() {
                        table.moves.insert(id, (row.get(11)?, row.get(12)?));
                    }
                    table.changes.push(Change { id, place, op, key: text(6)?, old_key, old, new });
                }
            }
        })?;
        Ok(tables)
    }

    /// What was asked for, as JSON, for the context of the changes that undo it.
    pub fn told(&self, relation: Option<String>) -> serde_json::Map<String, serde_json::Value> {
        let time = |at: &Option<TimestampWithTimeZone>| at.as_ref().map(|at| at.to_iso_string());
        [
            ("xact", self.xact.clone()),
            ("statement", time(&self.statement)),
            ("relation", relation),
            ("key", self.key.clone()),
            ("actor", self.actor.clone()),
            ("tenant", self.tenant.clone()),
            ("since", time(&self.since)),
            ("until", time(&self.until)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect()
    }
}
