//! Every `dbguard.*` setting. What could switch auditing off or misdirect it is for superusers;
//! what merely claims who is acting is for anyone (the facts stand beside the claim in the log).

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use std::ffi::CString;

pub static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static ACTOR_SETTING: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"app.current_user_id"));
pub static TENANT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static CONTEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static REDACT_KEY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// What the log keeps of the statement that made a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
pub enum Query {
    #[name = c"off"]
    Off,
    #[name = c"hash"]
    Hash,
    #[name = c"text"]
    Text,
}

pub static AUDIT_QUERY: GucSetting<Query> = GucSetting::<Query>::new(Query::Off);
pub static AUDIT_NOTIFY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
pub static AUDIT_MESSAGE: GucSetting<bool> = GucSetting::<bool>::new(false);
/// Milliseconds.
pub static PARTITION_LOCK_BUDGET: GucSetting<i32> = GucSetting::<i32>::new(30_000);

pub static PARTITION_DRAIN_ROWS: GucSetting<i32> = GucSetting::<i32>::new(10_000);

pub static PARTITION_NOTIFY: GucSetting<bool> = GucSetting::<bool>::new(false);

/// What the partition part takes for now.
pub static PARTITION_CLOCK: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// For how many days a finding is ignored unless said otherwise.
pub static LINT_IGNORE_DAYS: GucSetting<i32> = GucSetting::<i32>::new(180);
/// Milliseconds.
pub static LINT_VIEW_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);

/// Which rows of tables with soft delete are really deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
pub enum HardDelete {
    #[name = c"off"]
    Off,
    #[name = c"on"]
    On,
    /// Those that are deleted softly already.
    #[name = c"deleted"]
    Deleted,
}

pub static HARD_DELETE: GucSetting<HardDelete> = GucSetting::<HardDelete>::new(HardDelete::Off);

pub fn define() {
    GucRegistry::define_enum_guc(
        c"dbguard.hard_delete",
        c"Which rows of tables with soft delete a DELETE really deletes: off (none), on, or deleted: those that are deleted softly already.",
        c"For those who own the table; others get an error.",
        &HARD_DELETE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"dbguard.lint_ignore_days",
        c"For how many days dbguard.lint_ignore ignores a finding unless told otherwise.",
        c"After that it is open again.",
        &LINT_IGNORE_DAYS,
        1,
        36_500,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"dbguard.lint_view_timeout",
        c"How long lint waits for the view of a rule of your own.",
        c"What takes longer is skipped.",
        &LINT_VIEW_TIMEOUT,
        1,
        24 * 60 * 60 * 1000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"dbguard.actor",
        c"Who is acting, as the application knows it.",
        c"Written beside each audited change. A claim: the session's and current user stand beside it.",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"dbguard.actor_setting",
        c"The setting that names the actor when dbguard.actor is not set.",
        c"Any setting the application already uses, such as app.current_user_id.",
        &ACTOR_SETTING,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"dbguard.tenant",
        c"The tenant the application acts for.",
        c"Written beside each audited change.",
        &TENANT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"dbguard.context",
        c"Free context of a change: a request id, a reason; JSON or plain text.",
        c"Written beside each audited change; what is not JSON is kept as a JSON string.",
        &CONTEXT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"dbguard.redact_key",
        c"The key of the hashes that stand for redacted values.",
        c"For tables audited with redact_with => 'hash'. Whoever knows it can test guesses at what was redacted.",
        &REDACT_KEY,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY | GucFlags::NO_SHOW_ALL,
    );
    GucRegistry::define_string_guc(
        c"dbguard.audit_notify",
        c"The channel on which audited changes are announced as they commit; empty: none.",
        c"A notification a table and transaction, with the number of changes.",
        &AUDIT_NOTIFY,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"dbguard.audit_message",
        c"Writes a message that says who is acting into the WAL, for logical decoding.",
        c"Its prefix is dbguard; before the first audited change of a transaction, and when it changes.",
        &AUDIT_MESSAGE,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"dbguard.audit_query",
        c"What the log keeps of the statement that made a change: off, hash or text.",
        c"The text may show values that are redacted otherwise.",
        &AUDIT_QUERY,
        GucContext::Suset,
        GucFlags::default(),
    );
    crate::pg::clock::define(
        c"dbguard.partition_clock",
        c"What time it is for time partitions; empty: the real time.",
        c"For rehearsals and tests: partitions are planned and made as if it were then.",
        &PARTITION_CLOCK,
    );
    GucRegistry::define_bool_guc(
        c"dbguard.partition_notify",
        c"Announces each partition made, retired or failed on the channel dbguard_partition as it commits.",
        c"A notification a partition: JSON with schema, table, partition, action and state.",
        &PARTITION_NOTIFY,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"dbguard.partition_lock_budget",
        c"How long a partition waits for the locks of others before it is left to the next run.",
        c"In steps of at most 200 ms, with nothing locked in between.",
        &PARTITION_LOCK_BUDGET,
        0,
        24 * 60 * 60 * 1000,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"dbguard.partition_drain_rows",
        c"How many rows at most are moved out of a DEFAULT partition in the transaction that makes their partition.",
        c"More are left to dbguard.partition_drain; 0: none are moved.",
        &PARTITION_DRAIN_ROWS,
        0,
        10_000_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    crate::pg::guc::reserve_prefix(c"dbguard");
}
