//! The statements of the cut-over, in order: the table steps aside, a partitioned one takes its name and all
//! that was the table's, and the table becomes its first partition. No row is read.

use super::around::{Around, Identity, Referrer};
use super::table::{Index, Table, Trigger};
use super::{Act, CHECK};
use crate::ddl::convert::{self as ddl, Commented};
use crate::ddl::partition::Blueprint;
use crate::ddl::retire::Table as Name;

/// What becomes of an index.
#[derive(Clone, Copy, PartialEq)]
pub enum Fate {
    /// The partitioned table gets one, of which it becomes a part.
    Shared,
    /// A new one takes its place, which has the key as well.
    Extended,
    /// It stays the table's own.
    Local,
}

/// All that is known before anything is done.
pub struct CutOver {
    pub table: Table,
    pub around: Around,
    pub blueprint: Blueprint,
    /// Where the first partition ends.
    pub bound: String,
    /// The table's name from then on.
    pub aside: String,
    /// What becomes of each index, and its name from then on.
    pub indexes: Vec<(Fate, String)>,
    /// Where each identity's sequence stands.
    pub positions: Vec<(i64, bool)>,
}

impl CutOver {
    pub fn acts(&self) -> Vec<Act> {
        let table = &self.table;
        let (parent, first) = (table.id(), (table.schema.as_str(), self.aside.as_str()));
        let mut acts = let_go(table, &self.around);
        let mut own = |sql: String| acts.push(Act { role: table.owner, sql });
        for (index, (fate, aside)) in table.indexes.iter().zip(&self.indexes) {
            match fate {
                Fate::Local => {}
                Fate::Shared => own(ddl::rename_index((&table.schema, &index.name), aside)),
                Fate::Extended => {
                    let deferring = index.constraint.as_ref().map_or("", |c| c.deferring);
                    let built = super::extended_name(table, &index.name);
                    own(ddl::drop_constraint(parent, &index.name));
                    own(ddl::constraint_using_index(parent, aside, index.is_primary(), &built, deferring));
                    if index.clustered {
                        own(ddl::cluster_on(parent, aside));
                    }
                }
            }
        }
        own(ddl::rename_table(parent, &self.aside));
        own(ddl::create_parent(parent, first, &table.key, table.tablespace.as_deref()));
        own(ddl::drop_constraint(parent, CHECK));
        crate::ddl::partition::given(&self.blueprint, parent).into_iter().for_each(&mut own);
        for (policy, text) in &table.policy_comments {
            own(ddl::comment(parent, Commented::Policy(policy), Some(text)));
        }
        for key in &table.foreign_keys {
            own(ddl::add_constraint(parent, &key.name, &key.definition));
            if let Some(text) = &key.comment {
                own(ddl::comment(parent, Commented::Constraint(&key.name), Some(text)));
            }
        }
        for (identity, position) in self.around.identities.iter().zip(&self.positions) {
            identify(parent, identity, *position).into_iter().for_each(&mut own);
        }
        for sequence in &self.around.owned {
            own(ddl::own_sequence((&sequence.schema, &sequence.name), parent, &sequence.column));
        }
        make_triggers(parent, &table.triggers).into_iter().for_each(&mut own);
        own(ddl::attach_first(parent, first, &self.bound));
        for (index, (fate, aside)) in table.indexes.iter().zip(&self.indexes) {
            if *fate != Fate::Local {
                shared_index(table, index, *fate, aside).into_iter().for_each(&mut own);
            }
        }
        own(ddl::drop_constraint(first, CHECK));
        acts.extend(take_up(parent, &self.around));
        acts
    }
}

impl Index {
    pub fn is_primary(&self) -> bool {
        self.constraint.as_ref().is_some_and(|constraint| constraint.kind == 'p')
    }

    /// The same columns and the key. One that it includes stays, so that it is there on the way back.
    pub fn extended(&self, key: &str) -> Vec<String> {
        self.columns.iter().cloned().chain([key.to_owned()]).collect()
    }
}

/// What others hold of a table, and its triggers, are taken from it.
pub fn let_go(table: &Table, around: &Around) -> Vec<Act> {
    let mut acts = vec![];
    for referrer in &around.referrers {
        acts.push(Act { role: referrer.owner, sql: ddl::drop_constraint(referrer.table(), &referrer.name) });
    }
    for publication in around.publications.iter().filter(|publication| publication.listed) {
        acts.push(Act { role: publication.owner, sql: ddl::unpublish(&publication.name, table.id()) });
    }
    for trigger in &table.triggers {
        acts.push(Act { role: table.owner, sql: ddl::drop_trigger(table.id(), &trigger.name) });
    }
    for identity in &around.identities {
        acts.push(Act { role: table.owner, sql: ddl::drop_identity(table.id(), &identity.column) });
    }
    acts
}

/// What others held is turned to the table that now has the name.
pub fn take_up(table: Name, around: &Around) -> Vec<Act> {
    let mut acts = vec![];
    for view in &around.views {
        let sql = ddl::replace_view((&view.schema, &view.name), &view.options, &view.definition);
        acts.push(Act { role: view.owner, sql });
    }
    for publication in around.publications.iter().filter(|publication| publication.listed) {
        acts.push(Act { role: publication.owner, sql: ddl::publish(&publication.name, table) });
    }
    for referrer in &around.referrers {
        let mut own = |sql| acts.push(Act { role: referrer.owner, sql });
        own(ddl::add_constraint(referrer.table(), &referrer.name, &referrer.unchecked()));
        if let Some(text) = &referrer.comment {
            own(ddl::comment(referrer.table(), Commented::Constraint(&referrer.name), Some(text)));
        }
    }
    acts
}

impl Referrer {
    pub fn table(&self) -> Name<'_> {
        (&self.schema, &self.table)
    }

    /// Checked later: that reads both tables.
    fn unchecked(&self) -> String {
        match self.validated {
            true => format!("{} NOT VALID", self.definition),
            false => self.definition.clone(),
        }
    }
}

/// An identity that goes on where another stood.
pub fn identify(table: Name, identity: &Identity, (value, called): (i64, bool)) -> Vec<String> {
    let sequence = (identity.schema.as_str(), identity.name.as_str());
    let made = ddl::Identity {
        column: &identity.column,
        always: identity.always,
        sequence,
        options: &identity.options,
    };
    let mut statements = vec![ddl::add_identity(table, &made), ddl::set_position(sequence, value, called)];
    statements.extend(
        identity
            .revoke
            .iter()
            .map(|role| crate::ddl::audit::revoke_all("SEQUENCE", sequence.0, sequence.1, role.as_deref())),
    );
    statements.extend(identity.grants.iter().map(|(privilege, role, grantable)| {
        ddl::grant_sequence(sequence, privilege, role.as_deref(), *grantable)
    }));
    statements.extend(identity.comment.iter().map(|text| ddl::comment_on_sequence(sequence, text)));
    statements
}

/// Those of audit are the audit's to make.
pub fn make_triggers(table: Name, triggers: &[Trigger]) -> Vec<String> {
    let mut statements = vec![];
    for trigger in triggers.iter().filter(|trigger| !trigger.is_audit) {
        statements.push(trigger.definition.clone());
        statements.extend(ddl::trigger_state(table, &trigger.name, trigger.state));
        if let Some(text) = &trigger.comment {
            statements.push(ddl::comment(table, Commented::Trigger(&trigger.name), Some(text)));
        }
    }
    statements
}

/// An index of the partitioned table, of which the one the first partition has becomes a part.
fn shared_index(table: &Table, index: &Index, fate: Fate, aside: &str) -> Vec<String> {
    let (parent, schema) = (table.id(), table.schema.as_str());
    let mut statements = vec![match &index.constraint {
        Some(constraint) if fate == Fate::Extended => {
            let columns = index.extended(&table.key);
            let key = index.key(&columns);
            let definition = ddl::key_constraint(index.is_primary(), &key, constraint.deferring);
            ddl::add_constraint_only(parent, &index.name, &definition)
        }
        Some(constraint) => {
            let definition = ddl::with_options(&constraint.definition, constraint.deferring, &index.options);
            ddl::add_constraint_only(parent, &index.name, &definition)
        }
        None => ddl::create_index_only(&index.name, parent, index.unique, &index.tail),
    }];
    statements.push(ddl::attach_index((schema, &index.name), (schema, aside)));
    if let Some(tablespace) = &index.tablespace {
        statements.push(ddl::index_tablespace((schema, &index.name), tablespace));
    }
    for (column, target) in &index.statistics {
        statements.push(ddl::index_statistics((schema, &index.name), *column, *target));
    }
    if let Some(text) = &index.comment {
        statements.push(ddl::comment(parent, Commented::Index(&index.name), Some(text)));
    }
    if let Some(text) = index.constraint.as_ref().and_then(|constraint| constraint.comment.as_ref()) {
        statements.push(ddl::comment(parent, Commented::Constraint(&index.name), Some(text)));
    }
    if index.replica_identity {
        statements.push(crate::ddl::partition::replica_identity_index(schema, &table.name, &index.name));
    }
    statements
}

impl Index {
    /// For the statements that make one like it.
    pub fn key<'a>(&'a self, columns: &'a [String]) -> ddl::Key<'a> {
        ddl::Key {
            columns,
            include: &self.include,
            nulls_not_distinct: self.nulls_not_distinct,
            options: &self.options,
            tablespace: &self.place,
        }
    }
}
