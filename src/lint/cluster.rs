//! The part of the snapshot about the server as a whole, read when a rule asks for it.

use crate::error::{Error, Result};
use crate::lint::read::rows;
use crate::lint::workload;
use dbguard_core::lint::catalog::cluster::{
    Archiver, Cluster, DatabaseAge, LoginRole, Prepared, Sender, Session, Setting, Slot, Wait,
};
use std::collections::HashMap;

pub fn take() -> Result<Cluster> {
    let mut cluster = server()?;
    cluster.memory = memory();
    cluster.settings = settings()?;
    cluster.roles = rows(include_str!("sql/cluster_roles.sql"), |r| {
        Ok(LoginRole { oid: r.oid(1)?, name: r.get(2)?, settings: r.list(3)?, member_of: r.oids(4)? })
    })?;
    cluster.sessions = sessions()?;
    cluster.waits = rows(include_str!("sql/cluster_waits.sql"), |r| {
        Ok(Wait { pid: r.get(1)?, seconds: r.get(2)?, blockers: r.list(3)? })
    })?;
    cluster.prepared = rows(include_str!("sql/cluster_prepared.sql"), |r| {
        Ok(Prepared { name: r.get(1)?, here: r.get(2)?, seconds: r.get(3)?, xid_age: r.get(4)? })
    })?;
    cluster.senders = rows(include_str!("sql/cluster_senders.sql"), |r| {
        Ok(Sender {
            name: r.get(1)?,
            state: r.get(2)?,
            lag: r.maybe(3)?,
            lag_bytes: r.maybe(4)?,
            xmin_age: r.maybe(5)?,
        })
    })?;
    cluster.slots = slots()?;
    cluster.databases = rows(include_str!("sql/cluster_databases.sql"), |r| {
        Ok(DatabaseAge { name: r.get(1)?, xids: r.get(2)?, multixacts: r.get(3)? })
    })?;
    cluster.oldest = rows(include_str!("sql/cluster_oldest.sql"), |r| Ok((r.get(1)?, r.get(2)?)))?;
    cluster.statements = Some(workload::of_itself()?);
    Ok(cluster)
}

fn server() -> Result<Cluster> {
    let one = rows(include_str!("sql/cluster.sql"), |r| {
        Ok(Cluster {
            standby: r.get(1)?,
            sees_all: r.get(2)?,
            database_bytes: r.get(3)?,
            replay_delay: r.maybe(4)?,
            archiver: Archiver {
                failed: r.get(5)?,
                last_archived: r.maybe(6)?,
                last_failed: r.maybe(7)?,
                failed_file: r.maybe(8)?,
            },
            ..Cluster::default()
        })
    })?;
    one.into_iter().next().ok_or_else(|| Error::internal("no facts about this server"))
}

fn settings() -> Result<HashMap<String, Setting>> {
    let settings = rows(include_str!("sql/cluster_settings.sql"), |r| {
        Ok((r.get::<String>(1)?, Setting { value: r.get(2)?, unit: r.maybe(3)?, source: r.get(4)? }))
    })?;
    Ok(settings.into_iter().collect())
}

fn sessions() -> Result<Vec<Session>> {
    rows(include_str!("sql/cluster_sessions.sql"), |r| {
        Ok(Session {
            pid: r.get(1)?,
            role: r.maybe(2)?,
            application: r.get(3)?,
            state: r.get(4)?,
            command: r.get(5)?,
            here: r.maybe(6)?.unwrap_or(false),
            transaction_age: r.maybe(7)?,
            state_age: r.maybe(8)?,
            xmin_age: r.maybe(9)?,
            role_oid: r.oid(10)?,
        })
    })
}

fn slots() -> Result<Vec<Slot>> {
    rows(include_str!("sql/cluster_slots.sql"), |r| {
        Ok(Slot {
            name: r.get(1)?,
            logical: r.get(2)?,
            active: r.get(3)?,
            elsewhere: r.get(4)?,
            wal_status: r.get(5)?,
            retained: r.maybe(6)?,
            xmin_age: r.maybe(7)?,
            catalog_xmin_age: r.maybe(8)?,
        })
    })
}

/// The least of what the machine has and what the container may use, in bytes.
fn memory() -> Option<i64> {
    let read = |path| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok()? * 1024)
    })?;
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = container.iter().filter_map(|path| read(path)?.trim().parse::<i64>().ok());
    limits.chain([machine]).min()
}
