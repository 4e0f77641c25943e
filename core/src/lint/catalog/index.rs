//! Indexes.

use super::Oid;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IndexKey {
    /// 0 for an expression.
    pub attnum: i16,
    pub expression: Option<String>,
    pub opclass: Oid,
    pub collation: Oid,
    /// DESC and NULLS FIRST bits.
    pub option: i16,
}

#[derive(Debug, Clone, Default)]
pub struct Index {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub method: String,
    pub keys: Vec<IndexKey>,
    pub include: Vec<i16>,
    pub predicate: Option<String>,
    pub unique: bool,
    pub primary: bool,
    pub nulls_not_distinct: bool,
    /// Of a DEFERRABLE constraint: checked later, and no arbiter of ON CONFLICT.
    pub deferrable: bool,
    pub valid: bool,
    pub ready: bool,
    pub clustered: bool,
    pub replica_identity: bool,
    /// Some key's operator class is not its type's default, or has options of its own.
    pub special_opclass: bool,
    /// Options of the operator classes, as text.
    pub opclass_options: Option<String>,
    /// reloptions or a tablespace of its own.
    pub special_storage: bool,
    /// pg_get_indexdef, of those that begin as another index of the table does.
    pub definition: Option<String>,
    /// Being built or rebuilt by somebody now.
    pub building: bool,
    /// Part of an index on the partitioned parent.
    pub is_partition: bool,
    pub pages: i64,
    pub scans: i64,
    /// A constraint of this table owns it: its name. Set by `Catalog::new`.
    pub constraint: Option<String>,
    /// A foreign key relies on it. Set by `Catalog::new`.
    pub referenced: bool,
}
