//! Who is connected, but for people and their tools.

use crate::lint::catalog::{Cluster, Oid};
use std::collections::HashMap;

/// How the application_name of tools starts, in lower case.
const TOOLS: &[&str] = &[
    "psql",
    "pg_dump",
    "pg_restore",
    "pg_basebackup",
    "pg_receivewal",
    "pgadmin",
    "dbeaver",
    "datagrip",
    "tableplus",
    "navicat",
    "postico",
    "beekeeper",
    "azuredatastudio",
    "pgbackrest",
    "barman",
    "repmgr",
    "patroni",
    "walreceiver",
    "datadog",
    "telegraf",
    "postgres_exporter",
    "pganalyze",
    "pghero",
    "pgwatch",
    "zabbix",
    "pg_cron",
    "pgcli",
    "dbguard",
];

/// Sessions of applications in this database, by role.
pub fn application_sessions(cluster: &Cluster) -> HashMap<Oid, i64> {
    let mut found = HashMap::new();
    for s in cluster.sessions.iter().filter(|s| s.here) {
        let name = s.application.to_lowercase();
        if !TOOLS.iter().any(|t| name.starts_with(t)) {
            *found.entry(s.role_oid).or_insert(0) += 1;
        }
    }
    found
}
