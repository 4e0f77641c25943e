//! What the log of runs tells, and pg_cron, if it is in this database.

use super::{Finding, Severity, Table};
use crate::ddl::health as ddl;
use crate::error::Result;
use crate::partition::set::{self, KNOWN};
use crate::pg::subxact::look as subtransaction;
use dbguard_core::partition::Micros;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// When the last run ended that came to its end.
pub fn last() -> Result<Option<Micros>> {
    const LAST: &str = "
        SELECT (extract(epoch FROM max(at) - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::int8
        FROM dbguard.partition_run WHERE action = 'run'";
    Spi::connect(|client| Ok(client.select(LAST, None, &[])?.first().get_one::<Micros>()?))
}

pub fn look(unworkable: &[Oid], findings: &mut Vec<Finding>) -> Result<()> {
    failures(unworkable, findings)?;
    waiting(findings)?;
    schedule(findings)
}

/// What failed in the last run that came to its end, or later, and was not done since.
fn failures(unworkable: &[Oid], findings: &mut Vec<Finding>) -> Result<()> {
    const FAILED: &str = "
SELECT DISTINCT ON (r.schema_name, r.table_name, r.partition_name, r.action)
       k.found, r.schema_name::text, r.table_name::text, r.partition_name::text, r.action,
       concat_ws('; in the way: ', r.message, replace(r.blockers, E'\\n', '; ')), r.hint
FROM dbguard.partition_run r
LEFT JOIN known k ON k.schema_name = r.schema_name AND k.table_name = r.table_name
WHERE r.state = 'failed' AND r.action <> 'run' AND (k.found IS NOT NULL OR r.table_name IS NULL)
  AND r.run >= coalesce((SELECT max(run) FROM dbguard.partition_run WHERE action = 'run'), 0)
  AND NOT EXISTS (SELECT FROM dbguard.partition_run d
                  WHERE d.state = 'done' AND d.at > r.at AND d.action = r.action
                    AND (d.schema_name, d.table_name, d.partition_name)
                        IS NOT DISTINCT FROM (r.schema_name, r.table_name, r.partition_name))
ORDER BY r.schema_name, r.table_name, r.partition_name, r.action, r.at DESC";
    let home = crate::pg::identity::database();
    Spi::connect(|client| {
        for row in client.select(format!("{KNOWN}{FAILED}").as_str(), None, &set::every(&home))? {
            let table = Table { parent: row.get(1)?, schema: row.get(2)?, name: row.get(3)? };
            let (partition, action): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
            // said already by what makes it unworkable
            if partition.is_none() && table.parent.is_some_and(|parent| unworkable.contains(&parent)) {
                continue;
            }
            let partition = partition.map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let message: String = row.get(6)?.unwrap_or_default();
            findings.push(Finding {
                table,
                severity: Severity::Error,
                problem: "run_failed",
                message: format!("{}{partition} failed: {message}", action.unwrap_or_default()),
                fix: row.get(7)?,
            });
        }
        Ok(())
    })
}

/// Detached partitions that are still there.
fn waiting(findings: &mut Vec<Finding>) -> Result<()> {
    const WAITING: &str = "
SELECT k.found, k.schema_name::text, k.table_name::text, late.late, count(*), min(r.due)::text
FROM dbguard.partition_retired r
JOIN known k ON k.parent = r.parent AND k.home = r.home
JOIN pg_class c ON c.oid = r.relation
CROSS JOIN LATERAL (
  SELECT coalesce(r.due < (SELECT max(at) FROM dbguard.partition_run WHERE action = 'run'), false) AS late) late
WHERE r.home = $1 AND r.left_at IS NOT NULL
GROUP BY 1, 2, 3, 4";
    let home = crate::pg::identity::database();
    Spi::connect(|client| {
        for row in client.select(format!("{KNOWN}{WAITING}").as_str(), None, &set::every(&home))? {
            let late = row.get::<bool>(4)? == Some(true);
            let (count, due): (Option<i64>, Option<String>) = (row.get(5)?, row.get(6)?);
            let (count, due) = (count.unwrap_or(0), due.unwrap_or_default());
            let (severity, verb) = match late {
                true => (Severity::Warning, "were left by the last run: the first was due at"),
                false => (Severity::Info, "wait to be dropped or moved, the first until"),
            };
            findings.push(Finding {
                table: Table { parent: row.get(1)?, schema: row.get(2)?, name: row.get(3)? },
                severity,
                problem: "retired_waiting",
                message: format!("{count} detached partitions {verb} {due}"),
                fix: Some("See dbguard.partition_retired.".to_owned()),
            });
        }
        Ok(())
    })
}

/// The jobs of pg_cron that call partition_maintain in this database.
#[derive(Default)]
struct Cron {
    /// Whether pg_cron is in this database and shows the caller every job.
    shows_all: bool,
    here: bool,
    jobs: usize,
    /// When and why the last run of one failed.
    failure: Option<(String, String)>,
}

/// Whether somebody runs partition_maintain.
fn schedule(findings: &mut Vec<Finding>) -> Result<()> {
    const RECENT: &str = "
        SELECT EXISTS (SELECT FROM dbguard.partition_run WHERE action = 'run' AND at > now() - '2 days'::interval),
               current_database()::text";
    let (ran, database) =
        Spi::connect(|client| client.select(RECENT, None, &[])?.first().get_two::<bool, String>())?;
    let cron = match subtransaction(cron) {
        Ok(cron) => cron,
        Err(error) => {
            findings.push(Finding {
                table: Table::default(),
                severity: Severity::Info,
                problem: "cron_skipped",
                message: format!("pg_cron was not looked into: {}", error.message()),
                fix: None,
            });
            Cron { here: true, ..Cron::default() }
        }
    };
    let mut say = |problem, message, fix| {
        let table = Table::default();
        findings.push(Finding { table, severity: Severity::Warning, problem, message, fix: Some(fix) });
    };
    if ran != Some(true) {
        let message = match (cron.shows_all, cron.jobs) {
            (true, 0) => "no run within 2 days, and pg_cron has no active job that calls it",
            (_, 1..) => "no run within 2 days, though pg_cron has a job that calls it",
            _ => "no run within 2 days",
        };
        let fix = match cron.here {
            true => ddl::schedule(),
            false => ddl::schedule_elsewhere(&database.unwrap_or_default()),
        };
        say("no_run", message.to_owned(), fix);
    }
    if let Some((at, why)) = cron.failure {
        let fix = "See cron.job_run_details.".to_owned();
        say("cron_failed", format!("the last run by pg_cron, at {at}, failed: {why}"), fix);
    }
    Ok(())
}

fn cron() -> Result<Cron> {
    const HERE: &str = "
        SELECT NOT row_security_active(c.oid)
        FROM pg_extension e
        JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
        WHERE e.extname = 'pg_cron' AND c.oid = to_regclass('cron.job')";
    const JOBS: &str = "
        SELECT d.start_time::text, d.return_message, d.status = 'failed'
        FROM cron.job j
        LEFT JOIN LATERAL (
          SELECT d.start_time, d.return_message, d.status FROM cron.job_run_details d
          WHERE d.jobid = j.jobid AND d.status IN ('succeeded', 'failed') ORDER BY d.runid DESC LIMIT 1) d ON true
        WHERE j.active AND j.database = current_database() AND j.command ~* '\\mpartition_maintain\\M'";
    Spi::connect(|client| {
        let mut cron = Cron::default();
        let Some(row) = client.select(HERE, None, &[])?.next() else { return Ok(cron) };
        cron.here = true;
        cron.shows_all = row.get::<bool>(1)? == Some(true);
        for row in client.select(JOBS, None, &[])? {
            cron.jobs += 1;
            if row.get::<bool>(3)? == Some(true) {
                let (at, why): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
                cron.failure = at.zip(why);
            }
        }
        Ok(cron)
    })
}
