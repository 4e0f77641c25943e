//! What keeps a table from being converted, each with the way out.

use super::around::Around;
use super::cutover::Fate;
use super::request::Request;
use super::table::{Index, Table};
use super::{oddities, rights};
use crate::ddl::convert as ddl;
use crate::ddl::partition::given;
use crate::error::{Error, Result};
use crate::partition::set::Set;
use crate::partition::{blueprint, make};
use crate::pg::compat::owns_relation;
use crate::pg::procedure;
use crate::pg::subxact::{look, subtransaction};
use crate::pg::user::{self, as_role, Fence};
use dbguard_core::partition::name;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What becomes of an index; none where it cannot stay and nothing was chosen for it.
pub fn fate(request: &Request, index: &Index) -> Result<Option<Fate>> {
    if index.has_key || !index.unique {
        return Ok(Some(Fate::Shared));
    }
    let locally = request.extra.unique()?;
    Ok(match &index.constraint {
        None if index.plain && locally.contains(&index.columns) => Some(Fate::Local),
        Some(_) if request.extend_keys => Some(Fate::Extended),
        _ => None,
    })
}

/// All that can be told without reading rows and without making anything.
pub fn by_catalog(request: &Request, table: &Table, around: &Around) -> Result<Vec<String>> {
    let mut blocked = oddities::of(table.oid)?;
    blocked.extend(rights::missing(table.oid)?);
    for index in &table.indexes {
        blocked.extend(of_index(request, table, index)?);
    }
    for key in &table.foreign_keys {
        let name = &key.name;
        if key.to == table.oid {
            blocked.push(format!(
                "foreign key \"{name}\" refers to the table itself: drop it first, and make it again afterwards"
            ));
        } else if !key.validated {
            blocked.push(format!(
                "foreign key \"{name}\" is not valid: ALTER TABLE ... VALIDATE CONSTRAINT first, or drop it"
            ));
        }
    }
    for trigger in &table.triggers {
        let name = &trigger.name;
        if trigger.is_audit {
            // goes on with the partitioned table
        } else if trigger.of_rows && trigger.has_transition_table {
            blocked.push(format!(
                "row trigger \"{name}\" has a transition table, which is not possible on partitions: make it a statement trigger"
            ));
        } else if !trigger.executable {
            blocked.push(format!(
                "the table's owner may not execute the function of trigger \"{name}\": GRANT EXECUTE first"
            ));
        }
    }
    blocked.extend(of_others(request, table, around)?);
    Ok(blocked)
}

fn of_index(request: &Request, table: &Table, index: &Index) -> Result<Option<String>> {
    let name = &index.name;
    if table.is_ours(index) {
        return Ok(None);
    }
    if !index.valid {
        return Ok(Some(format!("index \"{name}\" is not valid: REINDEX INDEX CONCURRENTLY, or drop it")));
    }
    Ok(match fate(request, index)? {
        None if index.constraint.is_some() => Some(format!(
            "key \"{name}\" does not contain \"{}\", which each key of a partitioned table must: \
             give extend_keys => true to append it, or drop the key",
            table.key
        )),
        None if index.plain => Some(format!(
            "unique index \"{name}\" does not contain \"{}\": give unique_on => '{{...}}' with its columns, \
             to have each partition unique by itself, or drop it",
            table.key
        )),
        None => Some(format!("unique index \"{name}\" does not contain \"{}\": drop it", table.key)),
        Some(Fate::Extended) if index.replica_identity => Some(format!(
            "key \"{name}\" is the replica identity and would be made anew: ALTER TABLE ... REPLICA IDENTITY DEFAULT first"
        )),
        Some(Fate::Local) if index.replica_identity => Some(format!(
            "index \"{name}\" is the replica identity and stays the first partition's own: ALTER TABLE ... REPLICA IDENTITY DEFAULT first"
        )),
        Some(Fate::Extended) => {
            let built = super::extended_name(table, name);
            if !table.made.contains(&built) && make::exists(&table.schema, &built)? {
                return Ok(Some(format!(
                    "relation \"{built}\" has the name that the new key has until the cut-over: rename it"
                )));
            }
            let views = oddities::views_of_constraint(table.oid, name)?;
            views.first().map(|view| {
                format!("view {view} groups by key \"{name}\", which would be made anew: drop it first")
            })
        }
        Some(_) => None,
    })
}

/// Objects around the table, which may be somebody else's.
fn of_others(request: &Request, table: &Table, around: &Around) -> Result<Vec<String>> {
    let mut blocked = vec![];
    let shared = |index: &String| -> Result<bool> {
        match table.indexes.iter().find(|i| i.name == *index) {
            Some(index) => Ok(fate(request, index)? == Some(Fate::Shared)),
            None => Ok(false),
        }
    };
    for referrer in &around.referrers {
        let what =
            format!("foreign key \"{}\" of table {}.{}", referrer.name, referrer.schema, referrer.table);
        if !shared(&referrer.index)? {
            blocked.push(format!(
                "{what} refers to key \"{}\", which a partitioned table cannot have without \"{}\": drop the foreign key",
                referrer.index, table.key
            ));
        } else if referrer.partitioned {
            blocked.push(format!(
                "{what}, which is partitioned, cannot be made anew without reading it: drop it first, and make it again afterwards"
            ));
        }
    }
    for view in &around.views {
        let what = format!("view {}.{}", view.schema, view.name);
        if view.temporary {
            blocked.push(format!(
                "{what} is temporary, and its session's to replace: it goes with that session"
            ));
        } else if view.definition.contains(&ddl::only(table.id())) {
            blocked.push(format!(
                "{what} reads ONLY the table, which would show no row any more: make it anew without ONLY"
            ));
        } else if !view.replaceable {
            blocked.push(format!(
                "the owner of {what} may not replace it: GRANT CREATE ON SCHEMA {} first",
                dbguard_core::quote::ident(&view.schema)
            ));
        }
    }
    for publication in &around.publications {
        let what = format!("publication \"{}\"", publication.name);
        if !publication.via_root {
            blocked.push(format!(
                "{what} would publish changes under the names of partitions: \
                 ALTER PUBLICATION ... SET (publish_via_partition_root = true) first"
            ));
        } else if publication.listed && !publication.restricted && !publication.addable {
            blocked.push(format!(
                "the owner of {what} could not add the table again: GRANT him the role of its owner first"
            ));
        }
    }
    blocked.extend(published_in_part(around));
    blocked.extend(not_own(around));
    Ok(blocked)
}

/// Publications that would publish more of the table when it is added to them again.
pub fn published_in_part(around: &Around) -> Vec<String> {
    let restricted = around.publications.iter().filter(|publication| publication.restricted);
    let blocked = restricted.map(|publication| {
        format!(
            "publication \"{}\" has a row filter or a column list for the table: take the table out first, and add it again afterwards",
            publication.name
        )
    });
    blocked.collect()
}

/// What the caller has no right to change.
pub fn not_own(around: &Around) -> Vec<String> {
    let own = |relation: Oid| owns_relation(relation, user::current());
    let referrers = around.referrers.iter().filter(|referrer| !own(referrer.relation)).map(|referrer| {
        format!(
            "foreign key \"{}\" has to be made anew, and table {}.{} is not yours: let a member of its owner's role call this",
            referrer.name, referrer.schema, referrer.table
        )
    });
    let views = around.views.iter().filter(|view| !own(view.oid)).map(|view| {
        format!(
            "view {}.{} has to be replaced, and is not yours: let a member of its owner's role call this",
            view.schema, view.name
        )
    });
    let publications =
        around.publications.iter().filter(|publication| publication.listed && !publication.own);
    let publications = publications.map(|publication| {
        format!(
            "publication \"{}\" has to be altered, and is not yours: let a member of its owner's role call this",
            publication.name
        )
    });
    referrers.chain(views).chain(publications).collect()
}

/// What the server refuses: a partitioned table with all that is to be made on it, tried beside the table and
/// taken back. Where nothing can be made, as on a standby, nothing is tried.
pub fn by_trying(request: &Request, set: &Set, table: &Table) -> Result<Vec<String>> {
    if procedure::is_read_only() {
        return Ok(vec![]);
    }
    let identity = format!("{}.{}", table.schema, table.name);
    let interim =
        name::fit(&table.name, "_dbguard_try", &identity, |name| make::exists(&table.schema, name))?;
    let interim = (table.schema.as_str(), interim.as_str());
    let mut statements = vec![];
    for index in &table.indexes {
        let statement = match (&index.constraint, fate(request, index)?) {
            (Some(constraint), Some(Fate::Extended)) => {
                let columns = index.extended(&table.key);
                let key = index.key(&columns);
                ddl::try_constraint(
                    interim,
                    &ddl::key_constraint(index.is_primary(), &key, constraint.deferring),
                )
            }
            (Some(constraint), Some(Fate::Shared)) => ddl::try_constraint(interim, &constraint.definition),
            (None, Some(Fate::Shared)) if !table.is_ours(index) => {
                ddl::try_index(interim, index.unique, &index.tail)
            }
            _ => continue,
        };
        statements.push((index.name.as_str(), statement));
    }
    let given = given(&blueprint::of(set)?, interim);
    let tried = look(|| {
        as_role(set.owner, Fence::Restricted, || {
            Spi::run(&ddl::create_parent(interim, table.id(), &table.key, table.tablespace.as_deref()))?;
            given.iter().try_for_each(|statement| Spi::run(statement))?;
            let mut refused = vec![];
            for (index, statement) in &statements {
                if let Err(error) = subtransaction(|| Ok::<_, Error>(Spi::run(statement)?)) {
                    refused.push(format!(
                        "index \"{index}\" is not possible on a partitioned table ({}): drop it",
                        error.message()
                    ));
                }
            }
            Ok(refused)
        })
    });
    Ok(match tried {
        Ok(refused) => refused,
        Err(error) => vec![format!("the partitioned table cannot be made: {}", error.message())],
    })
}
