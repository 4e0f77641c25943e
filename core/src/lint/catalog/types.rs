//! OIDs of built-in types; fixed in every version of PostgreSQL.

use super::Oid;

pub const BOOL: Oid = 16;
pub const BYTEA: Oid = 17;
pub const INT8: Oid = 20;
pub const INT2: Oid = 21;
pub const INT4: Oid = 23;
pub const TEXT: Oid = 25;
pub const OID: Oid = 26;
pub const JSON: Oid = 114;
pub const XML: Oid = 142;
pub const FLOAT4: Oid = 700;
pub const FLOAT8: Oid = 701;
pub const MONEY: Oid = 790;
pub const BPCHAR: Oid = 1042;
pub const VARCHAR: Oid = 1043;
pub const DATE: Oid = 1082;
pub const TIMESTAMP: Oid = 1114;
pub const TIMESTAMPTZ: Oid = 1184;
pub const UUID: Oid = 2950;
pub const JSONB: Oid = 3802;
/// Arrays of smallint, integer, bigint and uuid.
pub const ARRAYS_OF_KEYS: [Oid; 4] = [1005, 1007, 1016, 2951];

/// Rank of an integer type by width; None for other types.
pub fn integer_width(oid: Oid) -> Option<u8> {
    match oid {
        INT2 => Some(2),
        INT4 => Some(4),
        INT8 => Some(8),
        _ => None,
    }
}

/// The largest value of an integer type.
pub fn integer_max(oid: Oid) -> Option<i64> {
    match oid {
        INT2 => Some(i64::from(i16::MAX)),
        INT4 => Some(i64::from(i32::MAX)),
        INT8 => Some(i64::MAX),
        _ => None,
    }
}
