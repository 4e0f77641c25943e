//! What a table has of its own that another must get when that takes its place: indexes, foreign keys and
//! triggers, with definitions as the server prints them. They name the table, so that they are right for
//! whichever has its name.

use crate::ddl::convert as ddl;
use crate::ddl::retire::Table as Name;
use crate::error::{Error, Result};
use dbguard_core::partition::list;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

pub struct Table {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub owner: Oid,
    pub tablespace: Option<String>,
    /// The column that the partitions are of.
    pub key: String,
    pub key_not_null: bool,
    pub indexes: Vec<Index>,
    pub foreign_keys: Vec<ForeignKey>,
    pub triggers: Vec<Trigger>,
    pub policy_comments: Vec<(String, String)>,
    /// What a conversion that is under way, or was ended, made on it: not the user's.
    pub made: Vec<String>,
}

pub struct Index {
    pub oid: Oid,
    pub name: String,
    pub unique: bool,
    pub valid: bool,
    /// From USING on.
    pub tail: String,
    pub has_key: bool,
    /// Whether it is of plain columns and of all rows.
    pub plain: bool,
    pub columns: Vec<String>,
    pub include: Vec<String>,
    pub nulls_not_distinct: bool,
    pub options: Vec<(String, String)>,
    pub tablespace: Option<String>,
    /// The tablespace it lies in, also if that is the database's own.
    pub place: String,
    pub replica_identity: bool,
    /// What CLUSTER without a name goes by.
    pub clustered: bool,
    /// Numbers of its columns that have a statistics target, and the targets.
    pub statistics: Vec<(i32, i32)>,
    pub comment: Option<String>,
    pub constraint: Option<Constraint>,
}

/// The constraint an index is of: it has the index's name.
pub struct Constraint {
    /// pg_constraint.contype
    pub kind: char,
    pub definition: String,
    /// The end of the definition that says whether its check may be deferred.
    pub deferring: &'static str,
    pub comment: Option<String>,
}

pub struct ForeignKey {
    pub name: String,
    pub definition: String,
    pub validated: bool,
    pub to: Oid,
    pub comment: Option<String>,
}

pub struct Trigger {
    pub name: String,
    pub definition: String,
    /// pg_trigger.tgenabled
    pub state: char,
    pub of_rows: bool,
    pub has_transition_table: bool,
    pub is_audit: bool,
    /// Whether the owner of the table may make it.
    pub executable: bool,
    pub comment: Option<String>,
}

impl Table {
    pub fn of(oid: Oid, key: &str) -> Result<Table> {
        const TABLE: &str = "
            SELECT n.nspname::text, c.relname::text, c.relowner, s.spcname::text, a.attnotnull,
                   (SELECT j.made::text[] FROM dbguard.partition_job j WHERE j.relation = c.oid)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
            WHERE c.oid = $1";
        let gone = || Error::internal("the table was changed by another session");
        let mut table = Spi::connect(|client| {
            let row = client.select(TABLE, Some(1), &[oid.into(), key.into()])?.next().ok_or_else(gone)?;
            Ok::<_, Error>(Table {
                oid,
                schema: row.get(1)?.ok_or_else(gone)?,
                name: row.get(2)?.ok_or_else(gone)?,
                owner: row.get(3)?.ok_or_else(gone)?,
                tablespace: row.get(4)?,
                key: key.to_owned(),
                key_not_null: row.get(5)?.unwrap_or(false),
                indexes: vec![],
                foreign_keys: vec![],
                triggers: vec![],
                policy_comments: vec![],
                made: row.get(6)?.unwrap_or_default(),
            })
        })?;
        table.indexes = indexes(&table)?;
        table.foreign_keys = foreign_keys(oid)?;
        table.triggers = triggers(oid)?;
        table.policy_comments = policy_comments(oid)?;
        Ok(table)
    }

    pub fn id(&self) -> Name<'_> {
        (&self.schema, &self.name)
    }

    /// Whether an index is one that is to take the place of another.
    pub fn is_ours(&self, index: &Index) -> bool {
        index.constraint.is_none() && self.made.contains(&index.name)
    }
}

fn indexes(table: &Table) -> Result<Vec<Index>> {
    const INDEXES: &str = "
        SELECT ic.relname::text, i.indisunique, i.indisvalid AND i.indisready AND i.indislive,
               pg_get_indexdef(i.indexrelid),
               EXISTS (SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k JOIN pg_attribute a
                       ON a.attrelid = i.indrelid AND a.attnum = k WHERE a.attname = $2),
               i.indexprs IS NULL AND i.indpred IS NULL,
               ARRAY(SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(n, at)
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY k.at),
               ARRAY(SELECT a.attname::text FROM unnest(i.indkey[i.indnkeyatts:]) WITH ORDINALITY k(n, at)
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY k.at),
               i.indnullsnotdistinct, ic.reloptions, s.spcname::text, i.indisreplident,
               obj_description(i.indexrelid, 'pg_class'),
               k.contype::text, pg_get_constraintdef(k.oid), k.condeferrable, k.condeferred,
               obj_description(k.oid, 'pg_constraint'),
               (SELECT p.spcname::text FROM pg_tablespace p JOIN pg_database d ON d.datname = current_database()
                WHERE p.oid = coalesce(nullif(ic.reltablespace, 0), d.dattablespace)),
               ARRAY(SELECT a.attnum::int FROM pg_attribute a
                     WHERE a.attrelid = ic.oid AND a.attstattarget >= 0 ORDER BY a.attnum),
               ARRAY(SELECT a.attstattarget::int FROM pg_attribute a
                     WHERE a.attrelid = ic.oid AND a.attstattarget >= 0 ORDER BY a.attnum),
               ic.oid, i.indisclustered
        FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
        LEFT JOIN pg_tablespace s ON s.oid = ic.reltablespace
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
                                 AND k.contype IN ('p', 'u', 'x')
        WHERE i.indrelid = $1 ORDER BY k.contype = 'p' DESC NULLS LAST, ic.relname";
    Spi::connect(|client| {
        let mut indexes = vec![];
        for row in client.select(INDEXES, None, &[table.oid.into(), table.key.as_str().into()])? {
            let name: String = row.get(1)?.unwrap_or_default();
            let unique = row.get(2)?.unwrap_or(false);
            let definition: String = row.get(4)?.unwrap_or_default();
            let head = ddl::index_head(&name, table.id(), unique);
            let options: Vec<String> = row.get(10)?.unwrap_or_default();
            let columns: Vec<i32> = row.get(20)?.unwrap_or_default();
            let targets: Vec<i32> = row.get(21)?.unwrap_or_default();
            let constraint = match row.get::<String>(14)? {
                None => None,
                Some(kind) => Some(Constraint {
                    kind: letter(&kind),
                    definition: row.get(15)?.unwrap_or_default(),
                    deferring: match (row.get(16)?.unwrap_or(false), row.get(17)?.unwrap_or(false)) {
                        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
                        (true, false) => " DEFERRABLE",
                        _ => "",
                    },
                    comment: row.get(18)?,
                }),
            };
            indexes.push(Index {
                oid: row.get(22)?.unwrap_or(Oid::INVALID),
                tail: definition.strip_prefix(head.as_str()).unwrap_or_default().to_owned(),
                name,
                unique,
                valid: row.get(3)?.unwrap_or(false),
                has_key: row.get(5)?.unwrap_or(false),
                plain: row.get(6)?.unwrap_or(false),
                columns: row.get(7)?.unwrap_or_default(),
                include: row.get(8)?.unwrap_or_default(),
                nulls_not_distinct: row.get(9)?.unwrap_or(false),
                options: options.iter().filter_map(|text| list::option(text)).collect(),
                tablespace: row.get(11)?,
                replica_identity: row.get(12)?.unwrap_or(false),
                comment: row.get(13)?,
                place: row.get(19)?.unwrap_or_default(),
                clustered: row.get(23)?.unwrap_or(false),
                statistics: columns.into_iter().zip(targets).collect(),
                constraint,
            });
        }
        Ok(indexes)
    })
}

/// Those the table has; the server's own for partitions of the table they refer to do not count.
fn foreign_keys(oid: Oid) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "
        SELECT conname::text, pg_get_constraintdef(oid), convalidated, confrelid, obj_description(oid, 'pg_constraint')
        FROM pg_constraint WHERE conrelid = $1 AND contype = 'f' AND conparentid = 0 ORDER BY conname";
    Spi::connect(|client| {
        let mut keys = vec![];
        for row in client.select(KEYS, None, &[oid.into()])? {
            keys.push(ForeignKey {
                name: row.get(1)?.unwrap_or_default(),
                definition: row.get(2)?.unwrap_or_default(),
                validated: row.get(3)?.unwrap_or(false),
                to: row.get(4)?.unwrap_or(Oid::INVALID),
                comment: row.get(5)?,
            });
        }
        Ok(keys)
    })
}

fn triggers(oid: Oid) -> Result<Vec<Trigger>> {
    const TRIGGERS: &str = "
        SELECT t.tgname::text, pg_get_triggerdef(t.oid), t.tgenabled::text, t.tgtype::int & 1 = 1,
               t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL,
               t.tgfoid IN ('dbguard.audit_row()'::regprocedure, 'dbguard.audit_truncate()'::regprocedure),
               has_function_privilege(c.relowner, t.tgfoid, 'EXECUTE'), obj_description(t.oid, 'pg_trigger')
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgparentid = 0 ORDER BY t.tgname";
    Spi::connect(|client| {
        let mut triggers = vec![];
        for row in client.select(TRIGGERS, None, &[oid.into()])? {
            triggers.push(Trigger {
                name: row.get(1)?.unwrap_or_default(),
                definition: row.get(2)?.unwrap_or_default(),
                state: letter(&row.get::<String>(3)?.unwrap_or_default()),
                of_rows: row.get(4)?.unwrap_or(false),
                has_transition_table: row.get(5)?.unwrap_or(false),
                is_audit: row.get(6)?.unwrap_or(false),
                executable: row.get(7)?.unwrap_or(false),
                comment: row.get(8)?,
            });
        }
        Ok(triggers)
    })
}

fn policy_comments(oid: Oid) -> Result<Vec<(String, String)>> {
    const COMMENTS: &str = "
        SELECT polname::text, obj_description(oid, 'pg_policy') FROM pg_policy
        WHERE polrelid = $1 AND obj_description(oid, 'pg_policy') IS NOT NULL ORDER BY 1";
    Spi::connect(|client| {
        let mut comments = vec![];
        for row in client.select(COMMENTS, None, &[oid.into()])? {
            comments.push((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default()));
        }
        Ok(comments)
    })
}

/// The value of a "char" column.
pub fn letter(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}
