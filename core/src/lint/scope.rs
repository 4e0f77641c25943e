//! What rules never look at: the system, extensions' own objects, other tools' schemas, ours.

use crate::lint::catalog::Facts;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools() {
        assert!(is_tool_schema("pg_catalog", false) && is_tool_schema("_timescaledb_internal", false));
        assert!(is_tool_schema("cron", false) && is_tool_schema("dbguard", false));
        assert!(!is_tool_schema("auth", false) && is_tool_schema("auth", true));
        assert!(!is_tool_schema("public", true) && !is_tool_schema("pgstuff", false));
    }
}
