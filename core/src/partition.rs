//! Time partitions without a server: which ranges a set should have, and what to call them.

pub mod bound;
pub mod civil;
pub mod fit;
pub mod grid;
pub mod health;
pub mod list;
pub mod name;
pub mod node;
pub mod partman;
pub mod plan;
pub mod retire;
pub mod rounds;
pub mod width;
pub mod zone;

/// A point on the key's own clock as PostgreSQL stores it: microseconds since 2000-01-01 00:00, in
/// UTC for keys that are moments, as the wall clock reads for timestamp and date. The lowest and the highest
/// value stand for MINVALUE and -infinity, MAXVALUE and infinity: no partition of ours reaches them.
pub type Micros = i64;

pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;
pub const DAY: Micros = 24 * 60 * MINUTE;
pub const WEEK: Micros = 7 * DAY;

/// `[from, to)`, as partition bounds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    pub from: Micros,
    pub to: Micros,
}

/// The types a partition key may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Date,
    Timestamp,
    Timestamptz,
    /// bigint, counted from 1970-01-01 00:00 UTC
    Epoch(bound::Unit),
    /// uuid of version 7
    Uuid,
    /// text, 26 characters, in the order of its bytes
    Ulid,
}

impl Key {
    /// Whether a value is a moment, the same in every zone.
    pub fn is_moment(self) -> bool {
        !matches!(self, Key::Date | Key::Timestamp)
    }
}

/// Why a set has no grid or no plan. The caller puts it in PostgreSQL's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    WidthNotPositive,
    WidthMixed,
    WidthNotWholeMinutes,
    WidthNotWholeDays,
    WidthTooLarge,
    AnchorUnreadable,
    AnchorNotWholeMinutes,
    AnchorNotMidnight,
    UnknownZone,
    OutOfRange,
    /// The key counts in something coarser than the bound.
    Unit,
    /// More pieces are missing than anybody means to have made: how many are the most.
    TooMany(usize),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::WidthNotPositive => write!(f, "interval must be greater than zero"),
            Error::WidthMixed => write!(f, "interval must not mix months with days or hours"),
            Error::WidthNotWholeMinutes => write!(f, "interval must be whole minutes"),
            Error::WidthNotWholeDays => write!(f, "interval for a key of type date must be whole days"),
            Error::WidthTooLarge => write!(f, "interval is too large"),
            Error::AnchorUnreadable => write!(f, "anchor is not a date or a date and time"),
            Error::AnchorNotWholeMinutes => write!(f, "anchor must be a whole minute"),
            Error::AnchorNotMidnight => write!(f, "anchor for a key of type date must be a midnight"),
            Error::UnknownZone => write!(f, "time zone is not known"),
            Error::OutOfRange => write!(f, "partition bound out of range"),
            Error::Unit => write!(f, "partition bound is finer than the key's unit of time"),
            Error::TooMany(most) => write!(f, "more than {most} partitions are missing"),
        }
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;
