//! What rules never look at: the system, extensions' own objects, other tools' schemas, ours.

use crate::lint::catalog::{Facts, Relation};
use std::collections::HashSet;

/// Schemas that belong to a tool even where the tool is not installed as an extension
/// (hosted services create them from scripts).
const TOOL_SCHEMAS: &[&str] = &[
    "auth",
    "cron",
    "dbguard",
    "extensions",
    "graphql",
    "graphql_public",
    "hdb_catalog",
    "net",
    "partman",
    "pgagent",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "realtime",
    "repack",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "vault",
];

const TOOL_PREFIXES: &[&str] = &["pg_", "_timescaledb_", "timescaledb_", "_supabase"];

/// Names hosted services use for their own, but applications use too: a tool's only when the
/// service's role or schema is there.
const SUPABASE_ONLY: &[&str] = &["auth", "extensions", "net", "realtime", "storage", "vault"];

pub struct Scope(HashSet<String>);

impl Scope {
    pub fn new(facts: &Facts, schemas: Option<&[String]>) -> Scope {
        let supabase =
            facts.schemas.iter().any(|s| s.name == "supabase_functions" || s.name == "graphql_public");
        Scope(
            facts
                .schemas
                .iter()
                .filter(|s| !facts.member_schemas.contains(&s.oid) && !is_tool_schema(&s.name, supabase))
                .filter(|s| schemas.is_none_or(|wanted| wanted.contains(&s.name)))
                .map(|s| s.name.clone())
                .collect(),
        )
    }

    pub fn has(&self, schema: &str) -> bool {
        self.0.contains(schema)
    }

    pub fn into_names(self) -> HashSet<String> {
        self.0
    }
}

/// Whether a schema is the system's or a tool's. `supabase`: the database is one of that service.
pub fn is_tool_schema(name: &str, supabase: bool) -> bool {
    name == "information_schema"
        || TOOL_PREFIXES.iter().any(|p| name.starts_with(p))
        || (TOOL_SCHEMAS.contains(&name) && (supabase || !SUPABASE_ONLY.contains(&name)))
}

/// Tables that migration tools keep for themselves, whatever schema they are in.
pub fn is_tool_table(name: &str) -> bool {
    matches!(
        name,
        "schema_migrations"
            | "ar_internal_metadata"
            | "flyway_schema_history"
            | "databasechangelog"
            | "databasechangeloglock"
            | "alembic_version"
            | "__EFMigrationsHistory"
            | "knex_migrations"
            | "knex_migrations_lock"
            | "_prisma_migrations"
            | "goose_db_version"
            | "django_migrations"
            | "django_content_type"
            | "django_session"
            | "django_admin_log"
            | "spatial_ref_sys"
    )
}

/// Tables that Django, Rails and their queues of jobs make and that nobody writes by hand, known by name and columns: those that must
/// be there, and those that some version has.
const FRAMEWORK_TABLES: &[(&str, &[&str], &[&str])] = &[
    ("auth_permission", &["id", "name", "content_type_id", "codename"], &[]),
    ("auth_group", &["id", "name"], &[]),
    ("auth_group_permissions", &["id", "group_id", "permission_id"], &[]),
    (
        "auth_user",
        &[
            "id",
            "password",
            "last_login",
            "is_superuser",
            "username",
            "email",
            "is_staff",
            "is_active",
            "date_joined",
        ],
        &["first_name", "last_name"],
    ),
    ("auth_user_groups", &["id", "user_id", "group_id"], &[]),
    ("auth_user_user_permissions", &["id", "user_id", "permission_id"], &[]),
    ("django_content_type", &["id", "app_label", "model"], &["name"]),
    ("django_migrations", &["id", "app", "name", "applied"], &[]),
    ("django_session", &["session_key", "session_data", "expire_date"], &[]),
    ("django_site", &["id", "domain", "name"], &[]),
    (
        "django_admin_log",
        &[
            "id",
            "action_time",
            "object_id",
            "object_repr",
            "action_flag",
            "change_message",
            "content_type_id",
            "user_id",
        ],
        &[],
    ),
    ("schema_migrations", &["version"], &[]),
    ("ar_internal_metadata", &["key", "value", "created_at", "updated_at"], &[]),
    (
        "active_storage_blobs",
        &["id", "key", "filename", "content_type", "metadata", "byte_size", "checksum", "created_at"],
        &["service_name"],
    ),
    ("active_storage_attachments", &["id", "name", "record_type", "record_id", "blob_id", "created_at"], &[]),
    ("active_storage_variant_records", &["id", "blob_id", "variation_digest"], &[]),
    // queues of jobs
    (
        "delayed_jobs",
        &[
            "id",
            "priority",
            "attempts",
            "handler",
            "last_error",
            "run_at",
            "locked_at",
            "failed_at",
            "locked_by",
        ],
        &["queue", "created_at", "updated_at"],
    ),
    ("good_job_settings", &["id", "key", "value", "created_at", "updated_at"], &[]),
    ("good_job_processes", &["id", "state", "created_at", "updated_at"], &["lock_type"]),
    (
        "good_job_batches",
        &["id", "created_at", "updated_at", "serialized_properties", "on_finish", "on_success", "on_discard"],
        &[
            "description",
            "callback_queue_name",
            "callback_priority",
            "enqueued_at",
            "discarded_at",
            "finished_at",
            "jobs_finished_at",
        ],
    ),
    (
        "good_job_executions",
        &["id", "created_at", "updated_at", "active_job_id", "job_class", "queue_name", "serialized_params"],
        &["scheduled_at", "finished_at", "error", "error_event", "error_backtrace", "process_id", "duration"],
    ),
    (
        "good_jobs",
        &["id", "queue_name", "priority", "serialized_params", "active_job_id", "created_at", "updated_at"],
        &[
            "scheduled_at",
            "performed_at",
            "finished_at",
            "error",
            "concurrency_key",
            "cron_key",
            "retried_good_job_id",
            "cron_at",
            "batch_id",
            "batch_callback_id",
            "is_discrete",
            "executions_count",
            "job_class",
            "error_event",
            "labels",
            "locked_by_id",
            "locked_at",
        ],
    ),
];

/// Whether a framework made the table: one of that name with other columns is the user's.
pub fn is_framework_table(t: &Relation) -> bool {
    let Some((_, must, may)) = FRAMEWORK_TABLES.iter().find(|(name, _, _)| *name == t.name) else {
        return false;
    };
    let known = |name: &str| must.contains(&name) || may.contains(&name);
    must.iter().all(|name| t.column(name).is_some()) && t.attributes.iter().all(|a| known(&a.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::catalog::Attribute;

    #[test]
    fn tools() {
        assert!(is_tool_schema("pg_catalog", false) && is_tool_schema("_timescaledb_internal", false));
        assert!(is_tool_schema("cron", false) && is_tool_schema("dbguard", false));
        assert!(!is_tool_schema("auth", false) && is_tool_schema("auth", true));
        assert!(!is_tool_schema("public", true) && !is_tool_schema("pgstuff", false));
    }

    #[test]
    fn frameworks() {
        let table = |name: &str, columns: &[&str]| Relation {
            name: name.to_owned(),
            attributes: columns
                .iter()
                .map(|c| Attribute { name: (*c).to_owned(), ..Attribute::default() })
                .collect(),
            ..Relation::default()
        };
        assert!(is_framework_table(&table("schema_migrations", &["version"])));
        assert!(is_framework_table(&table("django_content_type", &["id", "name", "app_label", "model"])));
        assert!(!is_framework_table(&table("auth_group", &["id", "name", "tenant_id"])));
        assert!(!is_framework_table(&table("auth_group", &["id"])));
        assert!(!is_framework_table(&table("groups", &["id", "name"])));
    }
}
