//! Every error dbguard raises: SQLSTATE, message, DETAIL and HINT in PostgreSQL's own wording
//! (message in lower case without a period; DETAIL and HINT are sentences; HINT says what to type).

use crate::pg::names::Names;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// The result of every function users call.
pub type Result<T> = std::result::Result<T, Error>;

/// An error on its way to the client. Nothing of ours may have been changed when one is raised
/// outside a transaction's protection; inside, the transaction undoes it.
#[derive(Debug)]
pub struct Error {
    code: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    names: Names,
}

impl Error {
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), detail: None, hint: None, names: Names::default() }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// 42703: `relation` as PostgreSQL prints it, without its schema.
    pub fn undefined_column(column: &str, relation: &str) -> Self {
        Error::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!("column \"{column}\" of relation \"{relation}\" does not exist"),
        )
    }

    /// 42501, as PostgreSQL says it when a table is not the caller's.
    pub fn not_owner(relation: &str) -> Self {
        Error::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {relation}"),
        )
    }

    /// 42809: the relation is of a kind the function cannot work on.
    pub fn wrong_object_type(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE, message)
    }

    /// 22023: an argument's value is not one of those it may have.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
    }

    /// 22004: an argument that must be given is NULL.
    pub fn null_argument(name: &str) -> Self {
        Error::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("argument \"{name}\" must not be null"),
        )
    }

    /// 55000: the object is not in the state the call needs.
    pub fn not_in_state(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
    }

    /// 0A000: possible in principle, but not (yet) here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED, message)
    }

    /// 39P01: a trigger function called in a way it was not made for.
    pub fn trigger_protocol(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, message)
    }

    /// XX000: what should be impossible. Says so instead of panicking.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message)
    }

    pub fn code(&self) -> PgSqlErrorCode {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn detail_text(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The five characters users know a code by.
    pub fn sqlstate(&self) -> String {
        // six bits a character, as MAKE_SQLSTATE packs them
        let packed = self.code as i32;
        (0..5).map(|i| char::from(b'0' + ((packed >> (6 * i)) & 0x3f) as u8)).collect()
    }

    /// Whether the user or the server wants the statement to end, so that nothing may survive this.
    pub fn ends_the_statement(&self) -> bool {
        matches!(
            self.code,
            PgSqlErrorCode::ERRCODE_QUERY_CANCELED
                | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
                | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
        )
    }

    /// Raises this error now; for the edges that cannot return a `Result` (raw triggers).
    pub fn raise(self) -> ! {
        ErrorReport::from(self).report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    fn report(self) -> (ErrorReport, Names) {
        let mut report = ErrorReport::new(self.code, self.message, "dbguard");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        (report, self.names)
    }
}

/// To be raised at once.
impl From<Error> for ErrorReport {
    fn from(e: Error) -> ErrorReport {
        let (report, names) = e.report();
        names.give();
        report
    }
}

/// An error of the server, caught in a subtransaction.
impl From<CaughtError> for Error {
    fn from(e: CaughtError) -> Error {
        let (report, names) = match &e {
            CaughtError::PostgresError(report) => (report, Names::of_caught(report.message())),
            CaughtError::ErrorReport(report) | CaughtError::RustPanic { ereport: report, .. } => {
                (report, Names::default())
            }
        };
        Error {
            code: report.sql_error_code(),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
            names,
        }
    }
}

impl From<pgrx::spi::Error> for Error {
    fn from(e: pgrx::spi::Error) -> Error {
        Error::internal(format!("SPI failed: {e}"))
    }
}

/// A WARNING of something that the user has to see to, with what is wrong and what to type.
pub fn warning(error: Error) {
    let (report, _) = error.report();
    report.report(PgLogLevel::WARNING);
}

/// A NOTICE in PostgreSQL's form, for "already so, nothing to do".
pub fn notice(message: impl Into<String>) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message.into(), "dbguard")
        .report(PgLogLevel::NOTICE);
}
