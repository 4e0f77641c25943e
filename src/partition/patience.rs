//! Waiting for the locks of others in short steps, each leaving nothing locked, so that nobody
//! queues behind us for longer than one of them.

use crate::catalog::extension_owner;
use crate::error::{Error, Result};
use crate::pg::kept::Kept;
use crate::pg::subxact::subtransaction;
use crate::pg::user::{as_role, Fence};
use crate::pg::{guc, lock};
use crate::settings::PARTITION_LOCK_BUDGET;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

/// The first is a try that does not wait. Shorter steps than the second starve behind many short
/// transactions, longer ones than the last are noticed by those who queue behind us.
const STEPS: [u64; 5] = [1, 20, 50, 100, 200];

/// After this an autovacuum in the way is told to stop, and a deadlock is found: the server's second
/// is longer than any of our steps.
const DEADLOCK_TIMEOUT: &CStr = c"50ms";

/// One try. lock_timeout counts for each lock by itself: with several, others would wait behind the first of
/// them for as long as all the others are waited for.
pub struct Step {
    until: Instant,
}

impl Step {
    fn of(milliseconds: u64) -> Step {
        Step { until: Instant::now() + Duration::from_millis(milliseconds) }
    }

    /// Runs `f`, which may take a lock, with what is left of the step to wait for it. When nothing is left, a
    /// lock that is free is still to be had.
    pub fn rest<T>(&self, f: impl FnOnce() -> T) -> Result<T> {
        let left = self.until.saturating_duration_since(Instant::now()).as_millis().max(1);
        let timeout = CString::new(left.to_string()).map_err(|_| Error::internal("a number with a NUL"))?;
        Ok(guc::with(&[(c"lock_timeout", timeout.as_c_str())], f))
    }

    /// Keeps others from some relations, one after another in the order given.
    pub fn lock(&self, relations: &[pg_sys::Oid]) -> Result<()> {
        relations.iter().try_for_each(|relation| self.rest(|| lock::access_exclusive(*relation)))
    }
}

/// How it went.
#[derive(Default)]
pub struct Waited {
    pub tries: i32,
    /// Who was in the way, one a line.
    pub blockers: Option<String>,
}

/// Runs `f`, which attaches to `parent` or detaches from it, again and again until it gets its locks or
/// the budget is spent.
pub fn ladder(parent: pg_sys::Oid, waited: &mut Waited, f: impl Fn() -> Result<()>) -> Result<()> {
    tries(parent, waited, |step| {
        take_in_order(parent, step)?;
        step.rest(&f)?
    })
}

/// The same for what takes one lock, on `relation`: several would each be waited for as long as the step.
pub fn steps<T>(relation: pg_sys::Oid, waited: &mut Waited, f: impl Fn() -> Result<T>) -> Result<T> {
    tries(relation, waited, |_| f())
}

/// The same for several locks, each within the rest of the step.
pub fn tries<T>(relation: pg_sys::Oid, waited: &mut Waited, f: impl Fn(&Step) -> Result<T>) -> Result<T> {
    tries_after(0, relation, waited, f)
}

/// The same after so many others: its steps are as long as theirs would have become.
pub fn tries_after<T>(
    others: i32,
    relation: pg_sys::Oid,
    waited: &mut Waited,
    f: impl Fn(&Step) -> Result<T>,
) -> Result<T> {
    let budget = Duration::from_millis(PARTITION_LOCK_BUDGET.get().unsigned_abs().into());
    let started = Instant::now();
    let before = waited.tries;
    loop {
        let tries = waited.tries - before;
        let number = (others + tries).unsigned_abs() as usize;
        let step = Step::of(STEPS.get(number).copied().unwrap_or(200));
        waited.tries += 1;
        let tried = guc::with(&[(c"deadlock_timeout", DEADLOCK_TIMEOUT)], || {
            step.rest(|| subtransaction(|| f(&step)))
        })?;
        match tried {
            Err(e) if is_held(&e) => {
                if let Some(blockers) = blockers(relation, false)? {
                    waited.blockers = Some(blockers);
                }
                if started.elapsed() >= budget {
                    return Err(e);
                }
                pause((50 * (tries + 1)).min(500))?;
            }
            other => return other,
        }
    }
}

/// Waits until the transactions that use `parent` or its partition now have ended, without a lock of our own:
/// for what would wait for them however long they take.
pub fn unused(parent: pg_sys::Oid, partition: pg_sys::Oid, waited: &mut Waited) -> Result<()> {
    const USED: &str = "
        SELECT array_agg(DISTINCT virtualtransaction) FROM pg_locks
        WHERE locktype = 'relation' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
          AND relation IN (SELECT $1 UNION SELECT relid FROM pg_partition_tree($2))
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND ($3 IS NULL OR virtualtransaction = ANY ($3))";
    let used = |by: Option<Vec<String>>| {
        Spi::connect(|client| {
            let args = [parent.into(), partition.into(), by.into()];
            client.select(Kept(USED), Some(1), &args)?.first().get_one::<Vec<String>>()
        })
    };
    let budget = Duration::from_millis(PARTITION_LOCK_BUDGET.get().unsigned_abs().into());
    let started = Instant::now();
    let mut users = used(None)?;
    while users.is_some() {
        waited.tries += 1;
        if started.elapsed() >= budget {
            waited.blockers = blockers(parent, true)?.or(blockers(partition, true)?);
            return Err(Error::new(PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, "the table is in use")
                .detail("Transactions that have used it have not ended in time.")
                .hint("The next run tries again; see the column blockers for who they are."));
        }
        pause((50 * waited.tries).min(500))?;
        users = used(users)?;
    }
    Ok(())
}

/// Whether others' locks are the trouble, so that trying again may help.
pub fn is_held(e: &Error) -> bool {
    use PgSqlErrorCode::{ERRCODE_LOCK_NOT_AVAILABLE, ERRCODE_T_R_DEADLOCK_DETECTED};
    [ERRCODE_LOCK_NOT_AVAILABLE, ERRCODE_T_R_DEADLOCK_DETECTED].contains(&e.code())
}

/// Parent before default partition, as queries lock them: the other order would be a deadlock.
fn take_in_order(parent: pg_sys::Oid, step: &Step) -> Result<()> {
    step.rest(|| lock::share_update_exclusive(parent))?;
    let default = Spi::connect_mut(|client| {
        // as a write, to see one that was made while we waited
        let found = client.update(
            Kept("SELECT nullif(partdefid, 0) FROM pg_partitioned_table WHERE partrelid = $1"),
            None,
            &[parent.into()],
        )?;
        found.into_iter().next().map_or(Ok(None), |row| row.get::<pg_sys::Oid>(1))
    })?;
    if let Some(default) = default {
        step.rest(|| lock::access_exclusive(default))?;
    }
    Ok(())
}

/// The locks that ATTACH takes, or any on the table itself, against those that others hold. Statements are not
/// shown: who reads the log of runs need not have the right to see them.
const BLOCKERS: &str = "
WITH wanted AS (
  SELECT $1::oid AS relation, CASE WHEN NOT $2 THEN
         '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'::text[] END AS modes
  UNION ALL
  SELECT partdefid, NULL FROM pg_partitioned_table WHERE partrelid = $1
  UNION ALL
  SELECT confrelid, '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
  FROM pg_constraint WHERE conrelid = $1 AND contype = 'f'
), held AS (
  SELECT l.pid, l.virtualtransaction, string_agg(DISTINCT format('%s on %s', l.mode, l.relation::regclass), ', ') AS locks
  FROM pg_locks l JOIN wanted w ON w.relation = l.relation
  WHERE l.granted AND l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (w.modes IS NULL OR l.mode = ANY (w.modes))
  GROUP BY 1, 2
)
SELECT string_agg(
         CASE
           WHEN a.backend_type = 'autovacuum worker' THEN
             format('pid %s, autovacuum%s', h.pid,
                    CASE WHEN a.query LIKE '%(to prevent wraparound)' THEN ' to prevent wraparound, which is not cancelled' END)
           WHEN h.pid IS NULL THEN
             format('prepared transaction %L of %s, since %s', p.gid, p.owner, p.prepared)
           ELSE
             concat_ws(', ', 'pid ' || h.pid, 'user ' || a.usename,
                       'application ' || nullif(a.application_name, ''), a.state,
                       'transaction for ' || date_trunc('second', clock_timestamp() - a.xact_start),
                       'query began ' || a.query_start)
         END || ', holds ' || h.locks, E'\\n' ORDER BY a.xact_start, h.pid)
FROM (SELECT * FROM held ORDER BY pid LIMIT 20) h
LEFT JOIN pg_stat_activity a ON a.pid = h.pid
LEFT JOIN pg_locks x ON h.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
                    AND x.virtualtransaction = h.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid";

/// Who holds what was not to be had; nobody, if it was let go in the meantime.
fn blockers(parent: pg_sys::Oid, any: bool) -> Result<Option<String>> {
    as_role(extension_owner()?, Fence::Local, || {
        Spi::connect(|client| {
            // both views show the first look of a transaction until told otherwise
            client.select("SELECT pg_stat_clear_snapshot()", None, &[])?;
            Ok(client.select(BLOCKERS, None, &[parent.into(), any.into()])?.first().get_one::<String>()?)
        })
    })
}

/// For about so long: two who wait for each other must not come back at the same moment.
fn pause(milliseconds: i32) -> Result<()> {
    Spi::connect(|client| {
        client.select("SELECT pg_sleep($1 * (0.75 + random() / 2) / 1000)", None, &[milliseconds.into()])?;
        Ok(())
    })
}
