//! Few rows of a default partition: moved into the new partition in the one transaction that makes it, with
//! the table locked.

use super::build::oid;
use super::resting::Resting;
use super::source::{self, Source};
use crate::catalog::{hold, is_still};
use crate::ddl::moving as ddl;
use crate::ddl::partition::Blueprint;
use crate::error::{notice, Error, Result};
use crate::partition::job;
use crate::partition::make::{take_replica_identity, Step};
use crate::partition::patience::{self, Waited};
use crate::partition::set::Set;
use crate::pg::user::{as_role, Fence};
use crate::settings::PARTITION_DRAIN_ROWS;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Makes the partition that was refused because of rows in the default partition, if those are few.
pub fn make(set: &Set, parent: &Blueprint, step: &Step, waited: &mut Waited, refused: Error) -> Result<()> {
    let drain = ddl::drain((&set.schema, &set.name), None);
    let by_hand = refused.hint(format!("Move the rows of this range out of the default partition: {drain}"));
    let Some(source) = source::default_of(set)? else { return Err(by_hand) };
    let under_way = || match job::is_noted(set.parent)? {
        true => {
            Err(Error::not_in_state("long work on the table is under way, see dbguard.partition_progress"))
        }
        false => Ok(()),
    };
    if let Err(why) = may(set, &source).and_then(|()| under_way()) {
        return Err(by_hand.detail(format!("They were not moved: {}.", why.message())));
    }
    let most = i64::from(PARTITION_DRAIN_ROWS.get());
    let rows = rows(set, &source, step, most + 1)?;
    if rows > most {
        return Err(by_hand);
    }
    carry(set, parent, &source, step, waited)?;
    notice(format!("{rows} rows were moved from \"{}\" to \"{}\"", source.name, step.name));
    Ok(())
}

/// Whether rows may be taken out of the default partition one by one.
pub fn may(set: &Set, source: &Source) -> Result<()> {
    let leaves = source.leaves()?;
    source::check(set, source, &leaves)?;
    runs_no_code(set.parent, &set.name)?;
    if let Some(leaf) = leaves.iter().find(|leaf| leaf.has_rules) {
        return Err(Error::unsupported(format!("\"{}\" has rules", leaf.name)));
    }
    if let Some(publication) = source::published(set, source)? {
        return Err(Error::unsupported(format!("publication \"{publication}\" would publish their removal")));
    }
    Ok(())
}

/// While triggers of foreign keys and of the audit rest no code of the owner may run, which could change what it
/// likes unseen: what a row that is written has evaluated must be the server's.
fn runs_no_code(table: pg_sys::Oid, name: &str) -> Result<()> {
    const CODE: &str = "
        SELECT EXISTS (
          SELECT FROM pg_depend d
          WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
            AND (d.classid = 'pg_constraint'::regclass
                 AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = $1 AND contype = 'c')
                 OR d.classid = 'pg_class'::regclass
                 AND d.objid IN (SELECT indexrelid FROM pg_index WHERE indrelid = $1)
                 OR d.classid = 'pg_attrdef'::regclass
                 AND d.objid IN (SELECT f.oid FROM pg_attrdef f
                                 JOIN pg_attribute a ON (a.attrelid, a.attnum) = (f.adrelid, f.adnum)
                                 WHERE f.adrelid = $1 AND a.attgenerated <> '')))";
    match source::rows(CODE, &[table.into()], |row| Ok(row.get::<bool>(1)?))?.as_slice() {
        [Some(false)] => Ok(()),
        _ => Err(Error::unsupported(format!(
            "a constraint, a generated column or an index of \"{name}\" calls a function that does not come with the server"
        ))),
    }
}

fn rows(set: &Set, source: &Source, step: &Step, most: i64) -> Result<i64> {
    let query = ddl::count_up_to(source.table(), &source.key(), &step.lower, &step.upper);
    hold(source.oid, source.table(), set.owner)?;
    let rows = as_role(set.owner, Fence::RestrictedAllRows, || {
        Spi::connect(|client| client.select(&query, Some(1), &[most.into()])?.first().get_one::<i64>())
    })?;
    Ok(rows.unwrap_or(0))
}

/// No logical change happens, so no trigger is to see one: those of users and of foreign keys rest. The rows
/// that a foreign key refers to are there again when the partition is attached. Not by
/// session_replication_role, under which the owner's code could pass by the triggers of others.
pub fn carry(set: &Set, parent: &Blueprint, source: &Source, step: &Step, waited: &mut Waited) -> Result<()> {
    let rows = ddl::Rows {
        source: source.table(),
        columns: &source.columns,
        key: source.key(),
        lower: &step.lower,
        upper: &step.upper,
    };
    let move_rows = ddl::carry(&rows, (&set.schema, &step.name));
    let Some((attach, table)) = step.statements.split_last() else {
        return Err(Error::internal("a partition without statements"));
    };
    patience::tries(set.parent, waited, |one_try| {
        // also the parent, or who waited for the default partition would go on to read it without knowing of
        // the new one
        one_try.lock(&[set.parent, source.oid])?;
        is_still(set.parent, (&set.schema, &set.name), set.owner)?;
        is_still(source.oid, source.table(), set.owner)?;
        as_role(set.owner, Fence::RestrictedAllRows, || {
            table.iter().try_for_each(|statement| crate::ddl::run(statement))
        })?;
        runs_no_code(oid(&set.schema, &step.name)?, &set.name)?;
        let resting = Resting::of_rows(source.oid)?;
        resting.rest()?;
        as_role(set.owner, Fence::RestrictedAllRows, || crate::ddl::run(&move_rows))?;
        resting.wake()?;
        as_role(set.owner, Fence::Restricted, || {
            crate::ddl::run(attach)?;
            match parent.replica_identity {
                'i' => take_replica_identity(set, &step.name),
                _ => Ok(()),
            }
        })
    })
}
