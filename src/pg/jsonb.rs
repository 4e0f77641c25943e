//! A jsonb value as a result column or taken from one, without going through text.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum};

/// The body of a jsonb datum: what follows the length word.
pub struct Jsonb(pub Vec<u8>);

impl IntoDatum for Jsonb {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(super::varlena::varlena(&self.0))
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Jsonb> {
        if is_null {
            return None;
        }
        // SAFETY: the caller promises a jsonb datum; detoasted it is a length word and its body, which
        // is copied at once.
        unsafe {
            let whole = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            Some(Jsonb(pgrx::varlena_to_byte_slice(whole).to_vec()))
        }
    }
}

// SAFETY: the SQL type is the one that into_datum makes.
unsafe impl SqlTranslatable for Jsonb {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Jsonb);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

// SAFETY: the datum is of the type named above and lives in the caller's memory context.
unsafe impl BoxRet for Jsonb {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        let datum = super::varlena::varlena(&self.0);
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(datum) }
    }
}

impl Jsonb {
    /// From JSON text; raises the server's own error if it is none.
    pub fn parse(json: &str) -> Jsonb {
        // json text has no NUL; should it, what follows is no JSON
        let text = std::ffi::CString::new(json).unwrap_or_default();
        // SAFETY: jsonb_in takes a C string and gives a jsonb that is not toasted, in the current
        // memory context; its body is copied.
        unsafe {
            let datum = pgrx::fcinfo::direct_function_call_as_datum(
                pg_sys::jsonb_in,
                &[Some(pg_sys::Datum::from(text.as_ptr()))],
            );
            Jsonb(datum.map_or_else(Vec::new, |datum| {
                let p = datum.cast_mut_ptr::<pg_sys::varlena>();
                let body = pgrx::vardata_any(p).cast::<u8>();
                std::slice::from_raw_parts(body, pgrx::varsize_any_exhdr(p)).to_vec()
            }))
        }
    }
}
