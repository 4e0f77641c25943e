//! What a seal covers, read from the log in the order of ids: the same for sealing and for checking.
//!
//! The members are told by the transaction that wrote them, not by id or time: a transaction that has
//! ended writes no more, so a stretch of ended transactions is the same set for ever, whatever order
//! they ended in. Numbers of transactions mean something in one database only; which one a change was
//! made in is known by the row of audit_relation it refers to.

use crate::error::{Error, Result};
use dbguard_core::seal::{Entry, Found};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use std::vec::IntoIter;

/// Parts of a seal come in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Relation,
    Context,
    Redaction,
    Change,
}

pub const KINDS: [Kind; 4] = [Kind::Relation, Kind::Context, Kind::Redaction, Kind::Change];

/// A change, or a pack of them, that something is wrong with.
pub struct Suspect {
    pub id: i64,
    pub at: i64,
    pub relation: Option<i32>,
    pub key: Option<String>,
}

/// Those of a stretch: so many that they can be told, and how many more.
#[derive(Default)]
pub struct Suspects {
    pub list: Vec<Suspect>,
    pub more: u64,
}

impl Suspects {
    pub fn add(&mut self, suspect: Suspect) {
        const MOST: usize = 1000;
        if self.list.len() < MOST {
            self.list.push(suspect);
        } else {
            self.more += 1;
        }
    }
}

/// Which transactions, of which home.
#[derive(Clone)]
pub struct Stretch<'a> {
    pub home: &'a str,
    pub from: u64,
    /// Exclusive.
    pub to: u64,
    /// The rows of audit_relation that are of this home.
    pub relations: Vec<i32>,
}

/// What can be said of a record beyond its digest.
#[derive(Clone, Default)]
pub struct About {
    pub relation: Option<i32>,
    pub key: Option<String>,
    /// Of a pack that cannot be read: how many changes it held.
    pub damaged: Option<i32>,
}

impl Kind {
    /// In audit_seal_record.
    pub fn letter(self) -> u8 {
        match self {
            Kind::Relation => b'R',
            Kind::Context => b'W',
            Kind::Redaction => b'E',
            Kind::Change => b'C',
        }
    }

    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Relation => "table's entry",
            Kind::Context => "context",
            Kind::Redaction => "redaction",
            Kind::Change => "change",
        }
    }

    /// What changes refer to is checked by its id: who refers to it may have been tampered with.
    pub fn by_id(self) -> bool {
        matches!(self, Kind::Relation | Kind::Context)
    }

    /// id, at, digest, relation, key, changes of a damaged pack.
    fn query(self) -> &'static str {
        match self {
            Kind::Relation => RELATIONS,
            Kind::Context => CONTEXTS,
            Kind::Redaction => REDACTIONS,
            Kind::Change => CHANGES,
        }
    }
}

const CHANGES: &str = "
    SELECT id, at, digest, relation, key, CASE WHEN op = 'X' THEN coalesce(pack_changes, 1) END
    FROM dbguard.audit_record
    WHERE relation = ANY ($4) AND xact >= $2::xid8 AND xact < $3::xid8
    ORDER BY id";

macro_rules! relations {
    () => {
        "SELECT r.id::bigint, r.since,
                dbguard._audit_digest(r.lineage::text, r.schema_name::text, r.table_name::text, r.home,
                                      r.key_columns::text, r.columns::text, extract(epoch FROM r.since)::text,
                                      r.column_numbers::text, r.starts::text),
                r.id, NULL::text, NULL::int
         FROM dbguard.audit_relation r WHERE r.id = ANY "
    };
}

macro_rules! contexts {
    () => {
        "SELECT t.id, t.at,
                dbguard._audit_digest(extract(epoch FROM t.at)::text, t.actor, t.session_user_name, t.current_user_name,
                                      t.application_name, t.client_addr::text, t.context::text, t.query),
                NULL::int, t.actor, NULL::int
         FROM dbguard.audit_context t WHERE t.id = ANY "
    };
}

const RELATIONS: &str = concat!(
    relations!(),
    "(SELECT relation FROM dbguard.audit_change WHERE relation = ANY ($4) AND xact >= $2::xid8 AND xact < $3::xid8
      UNION
      SELECT relation FROM dbguard.audit_pack WHERE relation = ANY ($4) AND xact >= $2::xid8 AND xact < $3::xid8)
     ORDER BY 1"
);
const CONTEXTS: &str = concat!(
    contexts!(),
    "(SELECT context FROM dbguard.audit_change WHERE relation = ANY ($4) AND xact >= $2::xid8 AND xact < $3::xid8
      UNION
      SELECT context FROM dbguard.audit_pack WHERE relation = ANY ($4) AND xact >= $2::xid8 AND xact < $3::xid8)
     ORDER BY 1"
);
const RELATIONS_BY_ID: &str = concat!(relations!(), "($1) ORDER BY 1");
const CONTEXTS_BY_ID: &str = concat!(contexts!(), "($1) ORDER BY 1");

macro_rules! redactions {
    () => {
        "SELECT number, at,
                dbguard._audit_digest(extract(epoch FROM at)::text, xact::text, home, session_user_name, current_user_name,
                                      lineage::text, schema_name::text, table_name::text, key, columns::text, reason,
                                      ids::text, encode(digests_before, 'hex'), encode(digests_after, 'hex')),
                NULL::int, key, NULL::int
         FROM dbguard.audit_redaction"
    };
}

const REDACTIONS: &str =
    concat!(redactions!(), " WHERE home = $1 AND xact >= $2::xid8 AND xact < $3::xid8 ORDER BY 1");
const ALL_REDACTIONS: &str = concat!(redactions!(), " ORDER BY 1");

/// The members of one kind, read as they are asked for.
pub struct Members {
    cursor: String,
    batch: IntoIter<Found<About>>,
    done: bool,
}

impl Members {
    /// `writing`: the caller changes the database, and what is read must be read anew.
    pub fn of(kind: Kind, stretch: &Stretch, writing: bool) -> Result<Members> {
        let args = [
            stretch.home.into(),
            stretch.from.to_string().into(),
            stretch.to.to_string().into(),
            stretch.relations.clone().into(),
        ];
        Members::open(kind.query(), &args, writing)
    }

    /// Those with these ids, for checking.
    pub fn with_ids(kind: Kind, ids: Vec<i64>) -> Result<Members> {
        let query = if kind == Kind::Relation { RELATIONS_BY_ID } else { CONTEXTS_BY_ID };
        Members::open(query, &[ids.into()], false)
    }

    /// All redactions there are.
    pub fn redactions() -> Result<Members> {
        Members::open(ALL_REDACTIONS, &[], false)
    }

    fn open(query: &str, args: &[DatumWithOid], writing: bool) -> Result<Members> {
        let cursor = Spi::connect_mut(|client| -> std::result::Result<_, pgrx::spi::Error> {
            let cursor = if writing {
                client.try_open_cursor_mut(query, args)
            } else {
                client.try_open_cursor(query, args)
            };
            Ok(cursor?.detach_into_name())
        })?;
        Ok(Members { cursor, batch: vec![].into_iter(), done: false })
    }

    pub fn next(&mut self) -> Result<Option<Found<About>>> {
        if let Some(found) = self.batch.next() {
            return Ok(Some(found));
        }
        if self.done {
            return Ok(None);
        }
        // a connection for each batch: its memory goes with it
        let batch = Spi::connect(|client| -> std::result::Result<_, pgrx::spi::Error> {
            let mut cursor = client.find_cursor(&self.cursor)?;
            let batch = cursor
                .fetch(dbguard_core::seal::PART as _)?
                .map(|row| found(&row))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            if !batch.is_empty() {
                cursor.detach_into_name();
            }
            Ok(batch)
        })?;
        let batch: Option<Vec<_>> = batch.into_iter().collect();
        self.batch = batch
            .ok_or_else(|| Error::internal("the audit log has a record without id or time"))?
            .into_iter();
        let next = self.batch.next();
        self.done = next.is_none();
        Ok(next)
    }
}

fn found(row: &pgrx::spi::SpiHeapTupleData) -> std::result::Result<Option<Found<About>>, pgrx::spi::Error> {
    let (Some(id), Some(at), Some(digest)) =
        (row.get::<i64>(1)?, row.get::<TimestampWithTimeZone>(2)?, row.get::<&[u8]>(3)?)
    else {
        return Ok(None);
    };
    let about = About { relation: row.get(4)?, key: row.get(5)?, damaged: row.get(6)? };
    Ok(digest.try_into().ok().map(|digest| Found { entry: Entry { id, at: at.into(), digest }, about }))
}

/// A row of audit_relation.
pub struct LoggedTable {
    pub id: i32,
    /// The database of its home.
    pub home: String,
    /// As SQL names it.
    pub name: String,
}

pub fn tables() -> Result<Vec<LoggedTable>> {
    const TABLES: &str =
        "SELECT id, home, format('%I.%I', schema_name, table_name) FROM dbguard.audit_relation ORDER BY id";
    let rows = Spi::connect_mut(|client| -> std::result::Result<Vec<_>, pgrx::spi::Error> {
        client
            .select(TABLES, None, &[])?
            .map(|row| Ok((row.get::<i32>(1)?, row.get::<String>(2)?, row.get::<String>(3)?)))
            .collect()
    })?;
    let table = |(id, home, name): (Option<i32>, Option<String>, Option<String>)| {
        let mut home = home?;
        // without the table's OID
        home.truncate(home.rfind('/').unwrap_or(home.len()));
        Some(LoggedTable { id: id?, home, name: name? })
    };
    Ok(rows.into_iter().filter_map(table).collect())
}

/// The ids of those of one home.
pub fn of_home(tables: &[LoggedTable], home: &str) -> Vec<i32> {
    tables.iter().filter(|t| t.home == home).map(|t| t.id).collect()
}
