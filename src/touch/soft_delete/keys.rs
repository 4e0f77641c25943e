//! Foreign keys of a table with soft delete, on either side.

use crate::ddl::soft_delete::{named, By, Keeping, Key, Pairs};
use crate::error::Result;
use crate::pg::attribute::Attribute;
use crate::pg::query::{each_fresh, param};
use crate::pg::relation::partition_parent;
use pgrx::pg_sys::{self, Oid};

/// A foreign key, and the table on its other side.
pub struct ForeignKey {
    pub name: String,
    pub relation: Oid,
    pub schema: String,
    pub table: String,
    pub owner: Oid,
    partitioned: bool,
    /// pg_constraint.confdeltype
    pub on_delete: char,
    /// On this side, and on the other.
    pub own: Vec<String>,
    other: Vec<String>,
    operators: Vec<(String, String)>,
    /// Whether the other side is referred to.
    referred: bool,
    /// The column of the other side that says what is deleted, where soft delete is enabled.
    pub deleted: Option<Deleted>,
}

/// A column that says what is deleted, with its type under domains and that one's modifier.
pub struct Deleted {
    pub column: String,
    base: Oid,
    typmod: i32,
}

impl Deleted {
    /// Whether it can be given a time that the other can have: rows that go together are known by it.
    pub fn holds(&self, other: &Attribute) -> bool {
        self.base == other.base && precision(self.typmod) >= precision(other.base_typmod)
    }

    pub fn held_by(&self, other: &Attribute) -> bool {
        self.base == other.base && precision(self.typmod) <= precision(other.base_typmod)
    }
}

/// Digits of a second.
fn precision(typmod: i32) -> i32 {
    if typmod < 0 {
        pg_sys::MAX_TIMESTAMP_PRECISION as i32
    } else {
        typmod
    }
}

impl ForeignKey {
    pub fn named(&self) -> String {
        named(&self.schema, &self.table, self.partitioned)
    }

    pub fn pairs(&self) -> Pairs<'_> {
        Pairs { columns: &self.other, operators: &self.operators, left: self.referred }
    }
}

/// What keeps rows of a table from being purged: the foreign keys that refer to it, and to what would go with its rows.
pub struct Kept {
    key: ForeignKey,
    /// None: any row keeps the one it refers to.
    others: Option<Vec<Kept>>,
}

/// `path`: the tables on the way here. Where it comes back to one of them any row keeps the one it refers to: so a tree is
/// purged from its leaves.
pub fn keeping(relation: Oid, path: &mut Vec<Oid>) -> Result<Vec<Kept>> {
    let mut all = vec![];
    path.push(relation);
    for key in referring(relation)? {
        let others = match key.on_delete {
            'c' if path.contains(&key.relation) => None,
            'c' => Some(keeping(key.relation, path)?),
            'a' | 'r' => None,
            // SET NULL and SET DEFAULT let the row go
            _ => continue,
        };
        all.push(Kept { key, others });
    }
    path.pop();
    Ok(all)
}

impl Kept {
    pub fn keeping(&self) -> Keeping<'_> {
        let key = &self.key;
        let by = match &self.others {
            None => By::Any,
            Some(others) => By::Some(
                key.deleted.as_ref().map(|d| d.column.as_str()),
                others.iter().map(Kept::keeping).collect(),
            ),
        };
        let (columns, refers_to) = (&key.other, &key.own);
        Keeping { table: key.named(), columns, refers_to, operators: &key.operators, by }
    }
}

/// The table and, if it is a partition, what it is a partition of: foreign keys may refer to any of them.
pub fn with_ancestors(relation: Oid) -> Vec<Oid> {
    let mut all = vec![relation];
    while let Some(last) = all.last().copied() {
        match crate::pg::relation::describe(last) {
            Some(r) if r.is_partition => all.push(partition_parent(last)),
            _ => break,
        }
    }
    all
}

/// Foreign keys of other tables (or its own) that refer to the table.
pub fn referring(relation: Oid) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "k.confrelid = ANY ($1) AND k.conparentid = 0";
    read(KEYS, "k.conrelid", with_ancestors(relation), false)
}

/// Foreign keys of the table itself. What the server makes of one for each partition of the table referred to is left
/// out.
pub fn referred(relation: Oid) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "k.conrelid = ANY ($1)
          AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)";
    read(KEYS, "k.confrelid", vec![relation], true)
}

/// Constraint, table (OID, schema, name, owner), ON DELETE, columns that refer and are referred to, operators (schemas
/// and names), kind of the table, and its column that says what is deleted with that one's type and modifier.
type Found = (
    (String, u32, String, String, u32, char),
    (Vec<String>, Vec<String>, Vec<String>, Vec<String>),
    (String, Option<String>, Option<u32>, Option<i32>),
);

fn read(
    which: &'static str,
    other: &'static str,
    relations: Vec<Oid>,
    referred: bool,
) -> Result<Vec<ForeignKey>> {
    let mut list = vec![];
    each_fresh(&crate::ddl::soft_delete::keys(which, other), &[param(relations)], |found: Found| {
        let ((name, relation, schema, table, owner, on_delete), columns, (kind, deleted, base, typmod)) =
            found;
        let (referring, referred_to, schemas, operators) = columns;
        let (own, other) = if referred { (referring, referred_to) } else { (referred_to, referring) };
        list.push(ForeignKey {
            name,
            relation: relation.into(),
            schema,
            table,
            owner: owner.into(),
            on_delete,
            own,
            other,
            operators: schemas.into_iter().zip(operators).collect(),
            partitioned: kind == "p",
            referred,
            deleted: deleted.zip(base.zip(typmod)).map(|(column, (base, typmod))| Deleted {
                column,
                base: base.into(),
                typmod,
            }),
        });
    })?;
    Ok(list)
}

/// The columns of the partition keys of these tables; None if one of the keys has an expression.
pub fn partition_key(relations: &[Oid]) -> Result<Option<Vec<String>>> {
    const KEY: &str = "
        SELECT json_build_array(a.attname)::text
        FROM pg_partitioned_table p
        CROSS JOIN LATERAL unnest(p.partattrs::int2[]) u(attnum)
        LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = u.attnum AND u.attnum > 0
        WHERE p.partrelid = ANY ($1)";
    let mut key: Vec<Option<String>> = vec![];
    each_fresh(KEY, &[param(relations.to_vec())], |(name,): (Option<String>,)| key.push(name))?;
    Ok(key.into_iter().collect())
}

/// Whether a row trigger of UPDATE asks for a transition table: a soft delete has none to give.
pub fn sees_transition_table(relation: Oid) -> Result<bool> {
    const TRIGGERS: &str = "
        SELECT json_build_array(t.tgname)::text FROM pg_trigger t
        WHERE t.tgrelid = $1 AND t.tgtype & 17 = 17 AND t.tgenabled <> 'D'
          AND (t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL)";
    let mut any = false;
    each_fresh(TRIGGERS, &[param(relation)], |_: (String,)| any = true)?;
    Ok(any)
}

/// The columns of the primary key, in its order.
pub fn primary_key(relation: Oid) -> Result<Vec<Key>> {
    const KEY: &str = "
        SELECT json_build_array(a.attname, n.nspname, o.oprname)::text
        FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY u(attnum, opclass, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
        JOIN pg_opclass c ON c.oid = u.opclass
        JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
          AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE i.indrelid = $1 AND i.indisprimary AND i.indisvalid AND u.place <= i.indnkeyatts
        ORDER BY u.place";
    let mut key = vec![];
    each_fresh(KEY, &[param(relation)], |(name, schema, operator): (String, String, String)| {
        key.push(Key { name, operator: (schema, operator) });
    })?;
    Ok(key)
}

/// Tables that inherit from it without being partitions, where soft delete is not enabled: a DELETE from it really deletes
/// their rows.
pub fn inheriting(relation: Oid) -> Result<Vec<String>> {
    const INHERITING: &str = "
        WITH RECURSIVE heirs AS (
          SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = $1
          UNION SELECT i.inhrelid FROM pg_inherits i JOIN heirs h ON i.inhparent = h.oid)
        SELECT json_build_array(c.relname)::text
        FROM heirs JOIN pg_class c ON c.oid = heirs.oid
        WHERE NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = 'dbguard.soft_delete()'::regprocedure AND t.tgenabled IN ('O', 'A'))
        ORDER BY c.relname";
    let mut names = vec![];
    each_fresh(INHERITING, &[param(relation)], |(name,): (String,)| names.push(name))?;
    Ok(names)
}
