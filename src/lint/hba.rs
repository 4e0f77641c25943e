//! Who may come in.

use crate::error::Result;
use crate::lint::read::rows;
use crate::pg::subxact::look;
use dbguard_core::lint::catalog::{Door, Doors};

pub fn doors() -> Result<Doors> {
    let listen = rows("SELECT pg_catalog.current_setting('listen_addresses')", |r| r.get::<String>(1))?;
    let addresses = listen.iter().flat_map(|l| l.split(',')).map(str::trim).filter(|a| !a.is_empty());
    // by default only superusers may read the file
    let lines = look(|| {
        rows(include_str!("sql/hba.sql"), |r| {
            Ok(Door {
                line: r.get(1)?,
                kind: r.get(2)?,
                databases: r.list(3)?,
                users: r.list(4)?,
                address: r.maybe(5)?.unwrap_or_default(),
                netmask: r.maybe(6)?.unwrap_or_default(),
                method: r.get(7)?,
                options: r.list(8)?,
            })
        })
    });
    Ok(Doors {
        listens: addresses.clone().next().is_some(),
        beyond: addresses.clone().any(|a| !matches!(a, "localhost" | "127.0.0.1" | "::1")),
        lines: lines.map_err(|e| e.message().to_owned()),
    })
}
