//! The part of the snapshot that says who may do what.

use crate::error::{Error, Result};
use crate::lint::read::{rows, Row};
use dbguard_core::lint::catalog::{Grant, Note, Policy, Role};
use dbguard_core::lint::tree::Node;
use std::collections::{HashMap, HashSet};

pub fn policy(r: Row) -> Result<(u32, Policy)> {
    let policy = Policy {
        oid: r.oid(2)?,
        name: r.get(3)?,
        command: r.letter(4)?.unwrap_or('*'),
        permissive: r.get(5)?,
        roles: r.oids(6)?,
        using: tree(r.maybe(7)?)?,
        check: tree(r.maybe(8)?)?,
        columns: r.list(9)?,
    };
    Ok((r.oid(1)?, policy))
}

fn tree(text: Option<String>) -> Result<Option<Node>> {
    let parse = |t: String| Node::parse(&t).ok_or_else(|| Error::internal(format!("not an expression: {t}")));
    text.map(parse).transpose()
}

pub fn grant(r: Row) -> Result<(u32, Grant)> {
    Ok((r.oid(1)?, Grant { column: r.get(2)?, grantee: r.oid(3)?, privileges: r.list(4)? }))
}

/// What it reads, whether it asks who the session is, whether it combines.
pub fn view(r: Row) -> Result<(u32, Vec<u32>, bool, bool)> {
    Ok((r.oid(1)?, r.oids(2)?, r.get(3)?, r.get(4)?))
}

pub fn note(r: Row) -> Result<Note> {
    Ok(Note { relation: r.oid(1)?, column: r.get(2)?, name: r.get(3)?, text: r.get(4)? })
}

pub fn roles() -> Result<HashMap<u32, Role>> {
    let roles = rows(
        "SELECT r.oid, r.rolname::text, r.rolcanlogin, r.rolsuper OR r.rolbypassrls, r.rolsuper FROM pg_catalog.pg_roles r",
        |r| Ok((r.oid(1)?, Role { name: r.get(2)?, login: r.get(3)?, bypasses_policies: r.get(4)?, superuser: r.get(5)? })),
    )?;
    Ok(roles.into_iter().collect())
}

pub fn equality() -> Result<HashSet<u32>> {
    let sql =
        "SELECT DISTINCT o.amopopr FROM pg_catalog.pg_amop o JOIN pg_catalog.pg_am m ON m.oid = o.amopmethod
               WHERE m.amname = 'btree' AND o.amopstrategy = 3";
    Ok(rows(sql, |r| r.oid(1))?.into_iter().collect())
}
