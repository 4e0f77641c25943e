//! Fills `Facts` by a handful of catalog queries, none of them a relation or a rule at a time.

use crate::error::{Error, Result};
use crate::lint::read::{rows, Row};
use crate::lint::{access, functions, sequences, statistics};
use crate::pg::compat;
use dbguard_core::lint::catalog::{
    Attribute, Constraint, Domain, Facts, Index, IndexKey, Keyword, Relation, RelationKind, Schema, Trigger,
};
use dbguard_core::lint::text::index_predicate;
use std::collections::{HashMap, HashSet};

/// The catalogs as this transaction sees them. Sequences have no last values yet.
pub fn take() -> Result<Facts> {
    let mut facts = facts()?;
    facts.keywords = keywords()?;
    facts.schemas = rows(include_str!("sql/schemas.sql"), |r| {
        Ok(Schema {
            oid: r.oid(1)?,
            name: r.get(2)?,
            owner: r.oid(3)?,
            creators: r.oids(4)?,
            open: r.get(5)?,
        })
    })?;
    facts.domains = domains()?;
    members(&mut facts)?;
    facts.relations = rows(include_str!("sql/relations.sql"), relation)?;
    let at: HashMap<u32, usize> = facts.relations.iter().enumerate().map(|(n, r)| (r.oid, n)).collect();
    let of = |relations: &mut Vec<Relation>, oid: u32, add: &mut dyn FnMut(&mut Relation)| {
        // Made after the relations were read: the next run sees it.
        if let Some(r) = at.get(&oid).and_then(|n| relations.get_mut(*n)) {
            add(r);
        }
    };
    let all = &mut facts.relations;
    for (oid, a) in rows(include_str!("sql/attributes.sql"), attribute)? {
        of(all, oid, &mut |r| r.attributes.push(a.clone()));
    }
    let constraints = include_str!("sql/constraints.sql").replace("{conenforced}", compat::CONENFORCED);
    let mut disabled = disabled()?;
    for (oid, mut k) in rows(&constraints, constraint)? {
        k.disabled = disabled.remove(&k.oid).unwrap_or_default();
        of(all, oid, &mut |r| r.constraints.push(k.clone()));
    }
    let special = special_opclasses()?;
    for (oid, i) in rows(include_str!("sql/indexes.sql"), |r| index(&r, &special))? {
        of(all, oid, &mut |r| r.indexes.push(i.clone()));
    }
    for (oid, t) in rows(include_str!("sql/triggers.sql"), trigger)? {
        of(all, oid, &mut |r| r.triggers.push(t.clone()));
    }
    for (oid, p) in rows(include_str!("sql/policies.sql"), access::policy)? {
        of(all, oid, &mut |r| r.policies.push(p.clone()));
    }
    for (oid, g) in rows(include_str!("sql/grants.sql"), access::grant)? {
        of(all, oid, &mut |r| r.grants.push(g.clone()));
    }
    for (oid, reads, asks_session, combines) in rows(include_str!("sql/views.sql"), access::view)? {
        of(all, oid, &mut |r| {
            (r.reads, r.asks_session, r.combines) = (reads.clone(), asks_session, combines);
        });
    }
    facts.roles = access::roles()?;
    facts.equality = access::equality()?;
    facts.functions = functions::functions()?;
    facts.function_uses = functions::uses()?;
    facts.notes = rows(include_str!("sql/notes.sql"), access::note)?;
    facts.collations = statistics::collations()?;
    facts.sequences = sequences::sequences()?;
    Ok(facts)
}

fn facts() -> Result<Facts> {
    let facts = rows(include_str!("sql/facts.sql"), |r| {
        Ok(Facts {
            database: r.get(1)?,
            server_version: r.get(2)?,
            now: r.get(3)?,
            settings: HashMap::from([
                ("autovacuum".to_owned(), r.get(4)?),
                ("track_counts".to_owned(), r.get(5)?),
                ("pgaudit.log".to_owned(), r.get(6)?),
                ("pgaudit.role".to_owned(), r.get(7)?),
            ]),
            ..Facts::default()
        })
    })?;
    facts.into_iter().next().ok_or_else(|| Error::internal("no facts about this server"))
}

fn keywords() -> Result<HashMap<String, Keyword>> {
    let words = rows(
        "SELECT word, catcode::text FROM pg_catalog.pg_get_keywords() WHERE catcode IN ('R', 'T')",
        |r| Ok((r.get::<String>(1)?, r.letter(2)?)),
    )?;
    let kind = |c| if c == Some('R') { Keyword::Reserved } else { Keyword::FunctionOrType };
    Ok(words.into_iter().map(|(word, code)| (word, kind(code))).collect())
}

fn domains() -> Result<HashMap<u32, Domain>> {
    let domains = rows(
        "SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull FROM pg_catalog.pg_type t WHERE t.typtype = 'd'",
        |r| Ok((r.oid(1)?, Domain { base_type: r.oid(2)?, typmod: r.get(3)?, not_null: r.get(4)? })),
    )?;
    Ok(domains.into_iter().collect())
}

fn special_opclasses() -> Result<HashSet<u32>> {
    let sql = "SELECT c.oid FROM pg_catalog.pg_opclass c WHERE NOT c.opcdefault";
    Ok(rows(sql, |r| r.oid(1))?.into_iter().collect())
}

/// Triggers that enforce foreign keys and are disabled, by constraint.
fn disabled() -> Result<HashMap<u32, Vec<(u32, String)>>> {
    let mut disabled: HashMap<u32, Vec<(u32, String)>> = HashMap::new();
    let all = rows(
        "SELECT t.tgconstraint, t.tgrelid, t.tgname::text FROM pg_catalog.pg_trigger t
         WHERE t.tgisinternal AND t.tgconstraint <> 0 AND t.tgenabled = 'D' ORDER BY t.oid",
        |r| Ok((r.oid(1)?, r.oid(2)?, r.get(3)?)),
    )?;
    for (constraint, relation, name) in all {
        disabled.entry(constraint).or_default().push((relation, name));
    }
    Ok(disabled)
}

fn members(facts: &mut Facts) -> Result<()> {
    for (kind, oid) in rows(include_str!("sql/members.sql"), |r| Ok((r.letter(1)?, r.oid(2)?)))? {
        match kind {
            Some('r') => facts.member_relations.insert(oid),
            Some('f') => facts.member_functions.insert(oid),
            _ => facts.member_schemas.insert(oid),
        };
    }
    Ok(())
}

fn relation(r: Row) -> Result<Relation> {
    Ok(Relation {
        oid: r.oid(1)?,
        schema: r.get(2)?,
        name: r.get(3)?,
        kind: match r.letter(4)? {
            Some('p') => RelationKind::PartitionedTable,
            Some('f') => RelationKind::ForeignTable,
            Some('v') => RelationKind::View,
            Some('m') => RelationKind::MaterializedView,
            _ => RelationKind::Table,
        },
        unlogged: r.get(5)?,
        is_partition: r.get(6)?,
        parent: r.maybe::<pgrx::pg_sys::Oid>(7)?.map(|o| o.to_u32()),
        has_subclass: r.get(8)?,
        typed: r.get(9)?,
        row_security: r.get(10)?,
        replica_identity: r.letter(11)?.unwrap_or('d'),
        tuples: r.get(12)?,
        pages: r.get(13)?,
        options: r.list(14)?,
        partition_bound: r.maybe(15)?,
        partition_strategy: r.letter(16)?,
        partition_key: r.list(17)?,
        numbers_used: r.get(18)?,
        force_row_security: r.get(19)?,
        owner: r.oid(20)?,
        partition_collations: r.oids(21)?,
        toast_pages: r.get(22)?,
        ..Relation::default()
    })
}

fn attribute(r: Row) -> Result<(u32, Attribute)> {
    let attribute = Attribute {
        num: r.get(2)?,
        name: r.get(3)?,
        type_oid: r.oid(4)?,
        typmod: r.get(5)?,
        type_name: r.get(6)?,
        collation: r.oid(7)?,
        not_null: r.get(8)?,
        has_default: r.get(9)?,
        identity: r.get(10)?,
        generated: r.get(11)?,
        inherited: r.get(12)?,
        type_pinned: r.get(13)?,
        default_function: r.maybe(14)?,
        fixed_width: r.get(15)?,
        ..Attribute::default()
    };
    Ok((r.oid(1)?, attribute))
}

fn constraint(r: Row) -> Result<(u32, Constraint)> {
    let constraint = Constraint {
        oid: r.oid(2)?,
        name: r.get(3)?,
        kind: r.letter(4)?.unwrap_or_default(),
        columns: r.list(5)?,
        ref_relation: r.oid(6)?,
        ref_columns: r.list(7)?,
        index: r.oid(8)?,
        validated: r.get(9)?,
        enforced: r.get(10)?,
        inherited: r.get(11)?,
        definition: r.maybe(12)?,
        on_delete: r.letter(13)?.unwrap_or_default(),
        on_update: r.letter(14)?.unwrap_or_default(),
        delete_sets: r.list(15)?,
        parent: r.oid(16)?,
        disabled: vec![],
    };
    Ok((r.oid(1)?, constraint))
}

fn index(r: &Row, special: &HashSet<u32>) -> Result<(u32, Index)> {
    let columns: Vec<i16> = r.list(6)?;
    let count = usize::try_from(r.get::<i16>(7)?).unwrap_or(0).min(columns.len());
    let (keys, include) = columns.split_at(count);
    let (opclasses, collations, options) = (r.oids(8)?, r.oids(9)?, r.list::<i16>(10)?);
    let expressions: Vec<Option<String>> = r.list(11)?;
    let opclass_options: Option<String> = r.maybe(20)?;
    let key = |(n, attnum): (usize, &i16)| IndexKey {
        attnum: *attnum,
        expression: expressions.get(n).cloned().flatten().filter(|_| *attnum == 0),
        opclass: opclasses.get(n).copied().unwrap_or(0),
        collation: collations.get(n).copied().unwrap_or(0),
        option: options.get(n).copied().unwrap_or(0),
    };
    let index = Index {
        oid: r.oid(2)?,
        schema: r.get(3)?,
        name: r.get(4)?,
        method: r.get(5)?,
        keys: keys.iter().enumerate().map(key).collect(),
        include: include.to_vec(),
        predicate: r.maybe::<String>(12)?.and_then(|d| index_predicate(&d).map(str::to_owned)),
        unique: r.get(13)?,
        primary: r.get(14)?,
        nulls_not_distinct: r.get(15)?,
        valid: r.get(16)?,
        ready: r.get(17)?,
        clustered: r.get(18)?,
        replica_identity: r.get(19)?,
        special_opclass: opclass_options.is_some() || opclasses.iter().any(|o| special.contains(o)),
        opclass_options,
        special_storage: r.get(21)?,
        building: r.get(22)?,
        is_partition: r.get(23)?,
        pages: r.get(24)?,
        scans: r.get(25)?,
        deferrable: r.get(26)?,
        definition: r.maybe(27)?,
        ..Index::default()
    };
    Ok((r.oid(1)?, index))
}

fn trigger(r: Row) -> Result<(u32, Trigger)> {
    let arguments: Vec<u8> = r.get(7)?;
    let mut arguments: Vec<String> =
        arguments.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    // Each argument ends with a zero byte, so the last piece is none.
    arguments.pop();
    let trigger = Trigger {
        oid: r.oid(2)?,
        name: r.get(3)?,
        bits: r.get(4)?,
        enabled: r.get(5)?,
        function: r.oid(6)?,
        arguments,
        inherited: r.get(8)?,
        disabled: r.get(9)?,
    };
    Ok((r.oid(1)?, trigger))
}
