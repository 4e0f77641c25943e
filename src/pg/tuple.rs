//! The two rows of an UPDATE, compared field by field where they lie: to take both apart costs more than all
//! the rest of a short trigger.

use super::attribute::Attribute;
use super::compat::tuple_desc_attr;
use super::trigger::TriggerCall;
use super::varlena::{bytes, same_varlena};
use pgrx::pg_sys::{self, Datum};
use std::ffi::{c_char, CStr};

/// A field as it is stored, dropped ones too.
struct Field {
    length: i16,
    align: usize,
    /// A difference in it is one.
    counts: bool,
}

/// How the rows of a relation are laid out, with one column that a trigger keeps.
pub struct Layout {
    fields: Vec<Field>,
    kept: usize,
}

/// What an UPDATE changes.
pub struct Compared {
    /// Of the columns that count.
    pub others: bool,
    /// Of the column that is kept.
    pub kept: bool,
    /// Where the new row has that column; None where it is NULL or was not looked for.
    place: Option<usize>,
}

impl Compared {
    /// The same found in another way.
    pub fn found(others: bool, kept: bool) -> Compared {
        Compared { others, kept, place: None }
    }
}

impl Layout {
    pub fn new(call: &TriggerCall, kept: &Attribute, counting: &[Attribute]) -> Layout {
        let desc = call.descriptor();
        // SAFETY: the descriptor belongs to the relation the trigger has open.
        let field = |i: i32| unsafe {
            let form = &*tuple_desc_attr(desc, i);
            let align = match form.attalign as u8 {
                b'd' => 8,
                b'i' => 4,
                b's' => 2,
                _ => 1,
            };
            let counts = counting.iter().any(|a| a.number == form.attnum);
            Field { length: form.attlen, align, counts }
        };
        // SAFETY: as above.
        let natts = unsafe { (*desc).natts };
        Layout { fields: (0..natts).map(field).collect(), kept: kept.number as usize - 1 }
    }
}

/// Goes through the fields of a row.
struct Walk {
    start: *const u8,
    at: usize,
    /// The bitmap of those that are not null; null if all are there.
    present: *const u8,
    natts: usize,
}

impl Walk {
    /// # Safety
    /// `tuple` is a whole row that outlives the walk.
    unsafe fn new(tuple: pg_sys::HeapTuple) -> Walk {
        // SAFETY: as promised; the bitmap follows the header.
        unsafe {
            let header = (*tuple).t_data;
            let present = match u32::from((*header).t_infomask) & pg_sys::HEAP_HASNULL {
                0 => std::ptr::null(),
                _ => (*header).t_bits.as_ptr(),
            };
            Walk {
                start: header.cast(),
                at: usize::from((*header).t_hoff),
                present,
                natts: (u32::from((*header).t_infomask2) & pg_sys::HEAP_NATTS_MASK) as usize,
            }
        }
    }

    /// Where field `n` lies, None if it is null; fields are asked for in order, each once (att_align_pointer and
    /// att_addlength_pointer of tupmacs.h).
    ///
    /// # Safety
    /// `field` is that of the row's relation.
    unsafe fn next(&mut self, n: usize, field: &Field) -> Option<usize> {
        // SAFETY: as promised: within the row.
        unsafe {
            if !self.present.is_null() && *self.present.add(n / 8) & (1 << (n % 8)) == 0 {
                return None;
            }
            // a short varlena is not aligned, and padding is zero
            if field.length != -1 || *self.start.add(self.at) == 0 {
                self.at = (self.at + field.align - 1) & !(field.align - 1);
            }
            let here = self.at;
            let p = self.start.add(here);
            self.at += match field.length {
                -1 => pgrx::varsize_any(p.cast()),
                -2 => CStr::from_ptr(p.cast::<c_char>()).to_bytes_with_nul().len(),
                length => length as usize,
            };
            Some(here)
        }
    }

    /// # Safety
    /// Both places are those of `field`.
    unsafe fn same(&self, field: &Field, here: usize, other: &Walk, there: usize) -> bool {
        // SAFETY: as promised.
        unsafe {
            let (p, q) = (self.start.add(here), other.start.add(there));
            match field.length {
                -1 => same_varlena(p.cast(), q.cast()),
                -2 => CStr::from_ptr(p.cast::<c_char>()) == CStr::from_ptr(q.cast::<c_char>()),
                length => bytes(p, length as usize) == bytes(q, length as usize),
            }
        }
    }
}

impl TriggerCall<'_> {
    /// What an UPDATE changes. None if a row is older than a column of the table: it has to be taken apart.
    pub fn compare(&self, layout: &Layout) -> Option<Compared> {
        let (old, new) = self.tuples();
        // SAFETY: the rows are those of the call, and of its relation.
        unsafe {
            let (mut old, mut new) = (Walk::new(old), Walk::new(new));
            if old.natts < layout.fields.len() || new.natts < layout.fields.len() {
                return None;
            }
            let mut found = Compared { others: false, kept: false, place: None };
            for (n, field) in layout.fields.iter().enumerate() {
                // all is known but where the column lies
                if found.others && n > layout.kept {
                    break;
                }
                let (here, there) = (old.next(n, field), new.next(n, field));
                let is_kept = n == layout.kept;
                if !is_kept && (found.others || !field.counts) {
                    continue;
                }
                let differs = match (here, there) {
                    (Some(here), Some(there)) => !old.same(field, here, &new, there),
                    (here, there) => here != there,
                };
                if is_kept {
                    (found.kept, found.place) = (differs, there);
                } else {
                    found.others = differs;
                }
            }
            Some(found)
        }
    }

    /// The new row with another value in the column that is kept, which is of a type with values of 2, 4 or 8 bytes.
    pub fn replace_kept(&self, column: &Attribute, found: &Compared, value: Datum) -> Datum {
        let Some(place) = found.place else { return self.replace_in_new(column.number, value) };
        // SAFETY: the copy has the same layout; the place holds a value of this width.
        unsafe {
            let copy = pg_sys::heap_copytuple(self.tuples().1);
            let p = (*copy).t_data.cast::<u8>().add(place);
            match column.length() {
                8 => p.cast::<i64>().write_unaligned(value.value() as i64),
                4 => p.cast::<i32>().write_unaligned(value.value() as i32),
                2 => p.cast::<i16>().write_unaligned(value.value() as i16),
                _ => return self.replace_in_new(column.number, value),
            }
            Datum::from(copy)
        }
    }
}
