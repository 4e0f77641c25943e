//! Statements of the lint part. It changes nothing: these only look, or are for the user to run.

use dbguard_core::quote::{ident, literal, qualified};

/// Whether there is a row in the first 1,024 pages of a table.
pub fn some_row(schema: &str, name: &str) -> String {
    let table = qualified(schema, name);
    format!("SELECT EXISTS (SELECT FROM {table} WHERE ctid < '(1024,0)'::pg_catalog.tid)")
}

/// What the view of a rule of the user's own says: the objects by OID, and all its columns as text, as `format` shows
/// them: by the type's output function.
pub fn own_rule(schema: &str, view: &str, columns: &[&str]) -> String {
    let oid = |name: &str| match columns.contains(&name) {
        true => format!("v.{}::pg_catalog.oid", ident(name)),
        false => "NULL::pg_catalog.oid".to_owned(),
    };
    let text = |name: &&str| {
        let column = ident(name);
        format!("CASE WHEN v.{column} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', v.{column}) END")
    };
    let texts: Vec<String> = columns.iter().map(text).collect();
    format!(
        "SELECT {}, {}, ARRAY[{}]::pg_catalog.text[] FROM {} AS v",
        oid("relation"),
        oid("function"),
        texts.join(", "),
        qualified(schema, view)
    )
}

/// How a baseline comes to be.
pub fn save_baseline(name: &str) -> String {
    format!("SELECT dbguard.lint_baseline_save({});", literal(name))
}

/// What clients sent to this database, by statement; pg_stat_statements may be in any schema.
pub fn statements(schema: &str) -> String {
    let view = qualified(schema, "pg_stat_statements");
    format!(
        "SELECT s.queryid, pg_catalog.max(s.query), pg_catalog.array_agg(DISTINCT s.userid),
                pg_catalog.sum(s.calls)::float8, pg_catalog.sum(s.total_exec_time)::float8,
                pg_catalog.sum(s.rows)::float8, pg_catalog.sum(s.shared_blks_hit + s.shared_blks_read)::float8
         FROM {view} s
         WHERE s.toplevel AND s.queryid IS NOT NULL AND s.query IS NOT NULL
           AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
         GROUP BY s.queryid ORDER BY s.queryid"
    )
}

/// What pg_stat_statements, installed in `schema`, says of itself.
pub fn statements_info(schema: &str) -> String {
    let view = qualified(schema, "pg_stat_statements_info");
    format!("SELECT i.dealloc, (extract(epoch FROM i.stats_reset) * 1000000)::int8 FROM {view} AS i")
}

/// Checks function $1 as trigger of table $2 with transition tables $3 and $4. The call gives every argument
/// of the signature (names, types and defaults as the catalogs have them), in order and of its very type:
/// so no function that somebody else adds to the schema, under the same name, can be meant.
pub fn plpgsql_check(schema: &str, signature: &[(String, String, Option<String>)]) -> String {
    let function = qualified(schema, "plpgsql_check_function_tb");
    let argument = |(name, kind, default): &(String, String, Option<String>)| {
        let value = match name.as_str() {
            "funcoid" => "$1",
            // no relation comes as NULL
            "relid" => "coalesce($2, 0::pg_catalog.oid)",
            "oldtable" => "$3",
            "newtable" => "$4",
            "without_warnings" => "true",
            n if n == "fatal_errors" || n.ends_with("_warnings") => "false",
            _ => default.as_deref().unwrap_or("NULL"),
        };
        format!("CAST({value} AS {kind})")
    };
    let arguments: Vec<String> = signature.iter().map(argument).collect();
    format!("SELECT f.lineno, f.sqlstate, f.message, f.level FROM {function}({}) AS f", arguments.join(", "))
}
