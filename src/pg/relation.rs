//! A relation as the server's caches know it: always the latest committed state and our own changes,
//! never an old snapshot's, and without asking for privileges on schemas.

use pgrx::pg_sys::{self, Oid};
use pgrx::FromDatum;
use std::ffi::{c_char, CStr, CString};

#[pgrx::pg_guard]
unsafe extern "C-unwind" {
    // catalog/partition.h and catalog/pg_inherits.h, which pgrx does not bind
    fn get_partition_parent(relid: Oid, even_if_detached: bool) -> Oid;
    fn find_inheritance_children_extended(
        parent: Oid,
        omit_detached: bool,
        lock: pg_sys::LOCKMODE,
        detached_exist: *mut bool,
        detached_xmin: *mut pg_sys::TransactionId,
    ) -> *mut pg_sys::List;
    fn find_all_inheritors(
        parent: Oid,
        lock: pg_sys::LOCKMODE,
        counts: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::List;
}

/// A trigger of a relation.
pub struct Trigger {
    pub oid: Oid,
    pub name: String,
    pub function: Oid,
    /// pg_trigger.tgenabled
    pub enabled: char,
    pub args: Vec<String>,
    /// A copy that a partition has of its parent's.
    pub is_clone: bool,
    pub after_row: bool,
}

pub struct Column {
    pub number: i16,
    pub name: String,
    /// As format_type shows it.
    pub type_name: String,
    pub in_key: bool,
}

pub struct Relation {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// pg_class.relkind
    pub kind: char,
    /// pg_class.relpersistence
    pub persistence: char,
    pub is_partition: bool,
    pub owner: Oid,
    /// Those that are not dropped, in the order of the table.
    pub columns: Vec<Column>,
    /// Without those the server makes for constraints.
    pub triggers: Vec<Trigger>,
}

impl Relation {
    /// The columns of the primary key, by position in the table.
    pub fn key(&self) -> Vec<String> {
        self.columns.iter().filter(|c| c.in_key).map(|c| c.name.clone()).collect()
    }
}

/// What there is to know of a relation; None if it does not exist.
pub fn describe(relid: Oid) -> Option<Relation> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: everything read belongs to the relation, which stays open until all is copied; after
    // an error inside the server's clean-up closes it.
    unsafe {
        let open = pg_sys::try_relation_open(relid, lock);
        if open.is_null() {
            return None;
        }
        let class = &*(*open).rd_rel;
        let relation = Relation {
            oid: relid,
            schema: string(pg_sys::get_namespace_name(class.relnamespace)),
            name: string(class.relname.data.as_ptr()),
            kind: class.relkind as u8 as char,
            persistence: class.relpersistence as u8 as char,
            is_partition: class.relispartition,
            owner: class.relowner,
            columns: columns(open),
            triggers: triggers(open),
        };
        pg_sys::relation_close(open, lock);
        Some(relation)
    }
}

/// # Safety
/// `open` must be an open relation.
unsafe fn columns(open: pg_sys::Relation) -> Vec<Column> {
    // SAFETY: as promised; attributes are counted by natts.
    unsafe {
        let key = match (*(*open).rd_rel).relkind as u8 {
            b'r' | b'p' => primary_key(open),
            _ => vec![],
        };
        let mut columns = vec![];
        for i in 0..(*(*open).rd_att).natts {
            let form = &*super::compat::tuple_desc_attr((*open).rd_att, i);
            if form.attisdropped {
                continue;
            }
            columns.push(Column {
                number: form.attnum,
                name: string(form.attname.data.as_ptr()),
                type_name: string(pg_sys::format_type_with_typemod(form.atttypid, form.atttypmod)),
                in_key: key.contains(&form.attnum),
            });
        }
        columns
    }
}

/// The numbers of the primary key's columns. One whose check is deferrable counts, for which the server's own
/// bitmap of key columns has no place before version 17.
///
/// # Safety
/// `open` must be an open relation.
unsafe fn primary_key(open: pg_sys::Relation) -> Vec<i16> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: as promised; an index has as many numbers of columns as it says, key columns first.
    unsafe {
        let list = pg_sys::RelationGetIndexList(open);
        let count = if list.is_null() { 0 } else { (*list).length as usize };
        for i in 0..count {
            let index = pg_sys::index_open((*(*list).elements.add(i)).oid_value, lock);
            let form = &*(*index).rd_index;
            let key = (form.indisprimary && form.indisvalid)
                .then(|| form.indkey.values.as_slice(form.indnkeyatts as usize).to_vec());
            pg_sys::index_close(index, lock);
            if let Some(key) = key {
                return key;
            }
        }
        vec![]
    }
}

/// # Safety
/// `open` must be an open relation.
unsafe fn triggers(open: pg_sys::Relation) -> Vec<Trigger> {
    // SAFETY: as promised; the trigger descriptor has numtriggers triggers, each with tgnargs arguments.
    unsafe {
        let desc = (*open).trigdesc;
        if desc.is_null() {
            return vec![];
        }
        let all = std::slice::from_raw_parts((*desc).triggers, (*desc).numtriggers as usize);
        let row =
            (pg_sys::TRIGGER_TYPE_ROW | pg_sys::TRIGGER_TYPE_BEFORE | pg_sys::TRIGGER_TYPE_INSTEAD) as i16;
        let told = |t: &pg_sys::Trigger| Trigger {
            oid: t.tgoid,
            name: string(t.tgname),
            function: t.tgfoid,
            enabled: t.tgenabled as u8 as char,
            args: (0..t.tgnargs as usize).map(|i| string(*t.tgargs.add(i))).collect(),
            is_clone: t.tgisclone,
            after_row: t.tgtype & row == pg_sys::TRIGGER_TYPE_ROW as i16,
        };
        // a clone counts as internal before version 17
        all.iter().filter(|t| !t.tgisinternal || t.tgisclone).map(told).collect()
    }
}

/// # Safety
/// `text` must be null or a C string.
unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The partitioned table a partition belongs to.
pub fn partition_parent(relid: Oid) -> Oid {
    // SAFETY: a catalog look-up.
    unsafe { get_partition_parent(relid, true) }
}

/// The partitions of a table, with those of which DETACH CONCURRENTLY was begun and not ended.
pub fn partitions(parent: Oid) -> Vec<Oid> {
    let (lock, null) = (pg_sys::NoLock as pg_sys::LOCKMODE, std::ptr::null_mut());
    // SAFETY: takes no lock; the list is of OIDs, and nobody else has it.
    unsafe {
        let list = find_inheritance_children_extended(parent, false, lock, null, std::ptr::null_mut());
        if list.is_null() {
            return vec![];
        }
        let oids = (0..(*list).length as usize).map(|i| (*(*list).elements.add(i)).oid_value).collect();
        pg_sys::list_free(list);
        oids
    }
}

/// What `read` makes of pg_class.relpartbound, as text; None if there is none. The server looks into the same
/// entry of its cache before it attaches another partition. `read` must not call the server.
pub fn bound<T>(relid: Oid, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
    // SAFETY: a syscache look-up; the entry is read before it is released. A node tree is stored as a text.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(relid));
        if tuple.is_null() {
            return None;
        }
        let mut null = false;
        let node =
            pg_sys::SysCacheGetAttr(cache, tuple, pg_sys::Anum_pg_class_relpartbound as i16, &mut null);
        let text = if null { b"" } else { super::varlena::detoasted(node) };
        let bound = read(text);
        pg_sys::ReleaseSysCache(tuple);
        bound
    }
}

/// Empties the caches of the catalogs, which would keep what was looked up of each of very many relations until
/// the backend ends.
pub fn forget_catalogs() {
    // SAFETY: what is in use stays; the server may do the same at any lock it takes.
    unsafe { pg_sys::ResetCatalogCaches() }
}

/// The relation and all that inherit from it, partitions among them.
pub fn with_inheritors(relid: Oid) -> Vec<Oid> {
    // SAFETY: takes no lock; the list is of OIDs.
    unsafe {
        let list = find_all_inheritors(relid, pg_sys::NoLock as pg_sys::LOCKMODE, std::ptr::null_mut());
        if list.is_null() {
            return vec![];
        }
        (0..(*list).length as usize).map(|i| (*(*list).elements.add(i)).oid_value).collect()
    }
}

/// A relation of schema dbguard by name.
pub fn of_ours(name: &CStr) -> Option<Oid> {
    // SAFETY: syscache look-ups by C strings.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(c"dbguard".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// Whether there is a relation of this name.
pub fn exists(schema: &str, name: &str) -> bool {
    let (Ok(schema), Ok(name)) = (CString::new(schema), CString::new(name)) else { return false };
    // SAFETY: syscache look-ups by C strings.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema) != pg_sys::InvalidOid
    }
}

/// Who owns the relation of this name; None if there is none.
pub fn owner(schema: &str, name: &str) -> Option<Oid> {
    let (Ok(schema), Ok(name)) = (CString::new(schema), CString::new(name)) else { return None };
    let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
    // SAFETY: syscache look-ups by C strings and OID; the entry is read before it is released, and has an owner.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let relid = pg_sys::get_relname_relid(name.as_ptr(), schema);
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(relid));
        if tuple.is_null() {
            return None;
        }
        let mut null = false;
        let owner = pg_sys::SysCacheGetAttr(cache, tuple, pg_sys::Anum_pg_class_relowner as i16, &mut null);
        pg_sys::ReleaseSysCache(tuple);
        Oid::from_datum(owner, null)
    }
}

/// Whether `function` is the function of this name in schema dbguard.
pub fn is_function_of_ours(function: Oid, name: &CStr) -> bool {
    // SAFETY: syscache look-ups; the name is a C string or null.
    unsafe {
        let found = pg_sys::get_func_name(function);
        !found.is_null()
            && CStr::from_ptr(found) == name
            && pg_sys::get_func_namespace(function) == pg_sys::get_namespace_oid(c"dbguard".as_ptr(), true)
    }
}
