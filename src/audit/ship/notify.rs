//! Telling others of a transaction's changes as it commits: NOTIFY to whoever listens, and a message
//! that says who is acting to whoever decodes the WAL. Both by option.

use crate::pg::{guc, message, notify, xact};
use crate::settings;
use pgrx::pg_sys::TransactionId;
use serde_json::Value;
use std::cell::RefCell;
use std::ffi::CString;

/// What became of a table in this transaction.
pub struct Changed<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub changes: u64,
}

/// Who is acting, as the log's context says it.
pub struct Who<'a> {
    pub actor: Option<&'a [u8]>,
    pub tenant: Option<&'a [u8]>,
    pub user: &'a [u8],
    pub application: Option<&'a [u8]>,
    /// JSON text.
    pub context: Option<&'a [u8]>,
}

thread_local! {
    /// The last message, and the (sub)transaction it is a part of.
    static LAST: RefCell<Option<(String, TransactionId)>> = const { RefCell::new(None) };
}

/// One NOTIFY a table on the channel that dbguard.audit_notify names. For the end of a transaction,
/// before PreCommit_Notify; not before PREPARE TRANSACTION, which notifications make impossible.
pub fn announce(tables: &[Changed], xact: u64) {
    let Some(mut channel) = guc::string(&settings::AUDIT_NOTIFY).filter(|name| !name.is_empty()) else {
        return;
    };
    if channel.len() > notify::MAX_CHANNEL {
        let cut = (0..=notify::MAX_CHANNEL).rev().find(|i| channel[*i] & 0xC0 != 0x80).unwrap_or(0);
        channel.truncate(cut);
    }
    let Ok(channel) = CString::new(channel) else { return };
    for Changed { schema, table, changes } in tables {
        let payload = object(&[
            ("schema", (*schema).into()),
            ("table", (*table).into()),
            ("changes", (*changes).into()),
            ("xact", xact.into()),
        ]);
        // two names of 63 bytes, whatever has to be escaped, are far below the 8000 bytes there are
        if let Ok(payload) = CString::new(payload) {
            notify::notify(&channel, &payload);
        }
    }
}

/// A transactional message that says who makes the changes that follow, if dbguard.audit_message is
/// on. To be called before a change is written, as often as one likes: said once a transaction, and
/// again when it changes.
pub fn announce_context(xact: u64, who: &Who) {
    if !settings::AUDIT_MESSAGE.get() || !message::decoded() {
        return;
    }
    let text = |value: Option<&[u8]>| {
        value.map(|v| String::from_utf8_lossy(v).into_owned().into()).unwrap_or_default()
    };
    let context = who.context.and_then(|json| serde_json::from_slice::<Value>(json).ok());
    let said = object(&[
        ("xact", xact.into()),
        ("actor", text(who.actor)),
        ("tenant", text(who.tenant)),
        ("user", text(Some(who.user))),
        ("application_name", text(who.application)),
        ("context", context.unwrap_or_default()),
    ]);
    // a rolled back savepoint takes the message along
    let known =
        LAST.with_borrow(|last| last.as_ref().is_some_and(|(last, by)| *last == said && xact::stands(*by)));
    if !known {
        message::transactional(c"dbguard", said.as_bytes());
        LAST.set(Some((said, xact::current_id())));
    }
}

/// A JSON object whose keys keep their order.
fn object(pairs: &[(&str, Value)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}: {value}", Value::from(*key))).collect();
    format!("{{{}}}", pairs.join(", "))
}
