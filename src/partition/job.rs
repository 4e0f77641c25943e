//! Long work on one table, and how far it is: dbguard.partition_job, one row a table, which others see after
//! each commit. What a killed session left is taken up by the next call.

use super::config::write;

use crate::error::{notice, Error, Result};
use crate::pg::activity;
use crate::pg::relation::Relation;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What is done to a table.
#[derive(Clone, Copy)]
pub enum Kind {
    Convert,
    Unconvert,
    Regrain,
    Drain,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Convert => "convert",
            Kind::Unconvert => "unconvert",
            Kind::Regrain => "regrain",
            Kind::Drain => "drain",
        }
    }
}

/// Work on one table, in whatever transaction.
#[derive(Clone)]
pub struct Job {
    relation: Oid,
    kind: Kind,
    name: String,
    quiet: bool,
}

/// Notes that this session begins, or takes up, work on a table. Refused while another session is at it,
/// and while what was begun is of another kind.
pub fn begin(relation: Oid, table: &Relation, kind: Kind) -> Result<Job> {
    const BEGIN: &str = "
        INSERT INTO dbguard.partition_job AS j (schema_name, table_name, relation, kind, phase, pid, backend_start)
        SELECT $1::name, $2::name, $3, $4, 'beginning', a.pid, a.backend_start
        FROM pg_stat_get_activity(pg_backend_pid()) a
        ON CONFLICT (relation) DO UPDATE
        SET kind = excluded.kind, schema_name = excluded.schema_name, table_name = excluded.table_name, pid = excluded.pid,
            backend_start = excluded.backend_start, phase = 'beginning', rows_done = 0, rows_total = NULL,
            started = excluded.started, phase_started = excluded.phase_started
        WHERE (j.kind = excluded.kind OR (j.kind, excluded.kind) IN (('drain', 'regrain'), ('regrain', 'drain')))
          AND NOT EXISTS (SELECT FROM pg_stat_get_activity(j.pid) a
                          WHERE a.pid = j.pid AND a.pid <> pg_backend_pid() AND a.backend_start = j.backend_start)";
    let args =
        [table.schema.as_str().into(), table.name.as_str().into(), relation.into(), kind.word().into()];
    if write(BEGIN, &args)? == 0 {
        return Err(under_way(relation, &table.name)?);
    }
    Ok(Job { relation, kind, name: table.name.clone(), quiet: false })
}

/// Whether work on a table is under way, or was begun and is not ended.
pub fn is_noted(relation: Oid) -> Result<bool> {
    Ok(kind_of(relation)?.is_some())
}

/// What was begun on a table and is not ended.
pub fn kind_of(relation: Oid) -> Result<Option<String>> {
    const KIND: &str = "SELECT kind FROM dbguard.partition_job WHERE relation = $1";
    Spi::connect(|client| {
        let mut rows = client.select(KIND, Some(1), &[relation.into()])?;
        Ok(rows.next().map_or(Ok(None), |row| row.get::<String>(1))?)
    })
}

fn under_way(relation: Oid, name: &str) -> Result<Error> {
    const WHICH: &str = "SELECT kind, pid FROM dbguard.partition_job WHERE relation = $1";
    let (kind, pid) = Spi::connect(|client| {
        client.select(WHICH, Some(1), &[relation.into()])?.first().get_two::<String, i32>()
    })?;
    let error = Error::not_in_state(format!(
        "dbguard.partition_{} of \"{name}\" is under way",
        kind.unwrap_or_default()
    ));
    Ok(match pid {
        Some(pid) => error.detail(format!("It was begun by the session with PID {pid}.")).hint(format!(
            "See dbguard.partition_progress; SELECT pg_cancel_backend({pid}) ends it. \
             What a session that is gone left behind is ended by calling the same again."
        )),
        None => error
            .detail("It ended early and could not take back what it had begun.")
            .hint("Call the same again, or the function that cancels it."),
    })
}

impl Job {
    /// Tells no phase to the client.
    pub fn quietly(&self) -> Job {
        Job { quiet: true, ..self.clone() }
    }

    /// A phase begins; `total` rows are to be done in it, if rows are counted.
    pub fn phase(&self, phase: &str, total: Option<i64>) -> Result<()> {
        const PHASE: &str = "
            UPDATE dbguard.partition_job
            SET phase = $2, rows_done = 0, rows_total = $3, phase_started = clock_timestamp() WHERE relation = $1";
        if !self.quiet {
            notice(format!("{} of \"{}\": {phase}", self.kind.word(), self.name));
        }
        activity::report(&format!("dbguard {} {}: {phase}", self.kind.word(), self.name));
        write(PHASE, &[self.relation.into(), phase.into(), total.into()]).map(drop)
    }

    /// Notes what is made on the table for the time of the work: what others call alike is not ours.
    pub fn makes(&self, name: &str) -> Result<()> {
        const MAKES: &str = "UPDATE dbguard.partition_job SET made = made || $2::name WHERE relation = $1";
        write(MAKES, &[self.relation.into(), name.into()]).map(drop)
    }

    /// It was not made after all, or is gone.
    pub fn unmade(&self, name: &str) -> Result<()> {
        const UNMADE: &str =
            "UPDATE dbguard.partition_job SET made = array_remove(made, $2::name) WHERE relation = $1";
        write(UNMADE, &[self.relation.into(), name.into()]).map(drop)
    }

    /// Both, of this run and of those before that were ended.
    pub fn made(&self) -> Result<Vec<String>> {
        const MADE: &str = "SELECT made::text[] FROM dbguard.partition_job WHERE relation = $1";
        // read as a write, to see what was noted in this transaction
        let made = Spi::connect_mut(|client| {
            client.update(MADE, Some(1), &[self.relation.into()])?.first().get_one::<Vec<String>>()
        })?;
        Ok(made.unwrap_or_default())
    }

    /// So many more rows are done.
    pub fn advance(&self, rows: i64) -> Result<()> {
        const ADVANCE: &str =
            "UPDATE dbguard.partition_job SET rows_done = rows_done + $2 WHERE relation = $1";
        write(ADVANCE, &[self.relation.into(), rows.into()]).map(drop)
    }

    /// This session goes no further; another may take it up.
    pub fn leave(&self) -> Result<()> {
        const LEAVE: &str = "UPDATE dbguard.partition_job SET pid = NULL WHERE relation = $1";
        write(LEAVE, &[self.relation.into()]).map(drop)
    }

    /// It is done, or taken back.
    pub fn end(&self) -> Result<()> {
        const END: &str = "DELETE FROM dbguard.partition_job WHERE relation = $1";
        write(END, &[self.relation.into()]).map(drop)
    }
}
