use crate::lint::catalog::types::{DATE, JSON, JSONB, TIMESTAMP, TIMESTAMPTZ};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Param, Rollup, Rule, Section};
use crate::lint::rules::types::fills_toast_alone;

pub static RULE: Rule = Rule {
    code: "TYP024",
    name: "json_dump_column",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Table keeps its data in JSON",
    why: "Nothing in it has a type, a NOT NULL or a foreign key, the planner knows no statistics of it, and a \
          change of one key writes the whole document anew. Told of tables that are a key and one JSON \
          column (data, document, attributes ...) and, as info, of those with three and more JSON columns, \
          and of a JSON column of more than 2 kB a row. Payloads, metadata, settings and requests of others, \
          and tables of events, logs, caches, queues and imports, may be what they like.",
    bad: "CREATE TABLE orders (id bigint PRIMARY KEY, data jsonb);",
    good: "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, placed_at timestamptz NOT NULL, extra jsonb);",
    remedy: "columns of their own for the keys that queries ask for; as a first step generated from the JSON",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[Section::Samples],
    params: &[
        Param { name: "columns", default: 3.0, about: "JSON columns of a table" },
        Param { name: "bytes", default: 2048.0, about: "average bytes of a JSON column, as stored" },
    ],
    recommended: true,
    check,
    fires: &[
        case("nothing else", "CREATE TABLE orders (id int PRIMARY KEY, data jsonb, created_at timestamptz)"),
        case("quoted, partitioned", r#"CREATE TABLE "T.t" ("Id" uuid, "Document" json, PRIMARY KEY ("Id")) PARTITION BY HASH ("Id"); CREATE TABLE t1 PARTITION OF "T.t" FOR VALUES WITH (MODULUS 1, REMAINDER 0)"#),
        case("three", "CREATE TABLE t (id int PRIMARY KEY, name text, items jsonb, prices jsonb, addresses jsonb)"),
        case("wide", "CREATE TABLE t (id int PRIMARY KEY, amount numeric, items jsonb); UPDATE pg_class SET reltuples = 1000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 1000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
    ],
    silent: &[
        case("beside columns", "CREATE TABLE orders (id int PRIMARY KEY, total numeric, data jsonb)"),
        case("may be what they like", "CREATE TABLE t (id int PRIMARY KEY, name text, payload jsonb, metadata json, settings jsonb, \"rawRequest\" jsonb); CREATE TABLE u (id int PRIMARY KEY, payload jsonb)"),
        case("events, logs", "CREATE TABLE order_events (id int PRIMARY KEY, data jsonb); CREATE TABLE cache (key text PRIMARY KEY, data jsonb); CREATE TABLE raw_orders (id int PRIMARY KEY, data jsonb, body json, content jsonb)"),
        case("something else is wide", "CREATE TABLE t (id int PRIMARY KEY, name text, items jsonb); UPDATE pg_class SET reltuples = 1000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 1000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
        case("small", "CREATE TABLE t (id int PRIMARY KEY, name text, items jsonb); INSERT INTO t SELECT i, 'x', '{}' FROM generate_series(1, 100) i; ANALYZE t"),
        case("a link or a reference beside it", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES a, data jsonb)"),
        case("temporary", "CREATE TEMP TABLE t (id int PRIMARY KEY, data jsonb)"),
    ],
};

/// Words of tables that keep what comes from elsewhere.
const KEEPS_ANYTHING: &[&str] = &[
    "deleted",
    "event",
    "events",
    "log",
    "logs",
    "audit",
    "audits",
    "history",
    "cache",
    "caches",
    "queue",
    "queues",
    "job",
    "jobs",
    "outbox",
    "inbox",
    "webhook",
    "webhooks",
    "message",
    "messages",
    "session",
    "sessions",
    "raw",
    "import",
    "imports",
    "staging",
    "stg",
    "snapshot",
    "snapshots",
    "archive",
    "backup",
    "tmp",
    "temp",
    "setting",
    "settings",
    "config",
    "configs",
    "configuration",
    "preference",
    "preferences",
    "metadata",
    "request",
    "requests",
    "response",
    "responses",
    "state",
    "checkpoint",
    "checkpoints",
    "migration",
    "migrations",
    "kv",
    "store",
    "spend",
    "usage",
];

/// Words of columns whose shape is somebody else's, or differs from row to row.
const FREE: &[&str] = &[
    "payload",
    "metadata",
    "meta",
    "setting",
    "settings",
    "config",
    "configuration",
    "preference",
    "preferences",
    "option",
    "options",
    "raw",
    "request",
    "response",
    "header",
    "headers",
    "param",
    "params",
    "parameters",
    "extra",
    "extras",
    "context",
    "snapshot",
    "old",
    "new",
    "before",
    "after",
    "diff",
    "changes",
    "properties",
    "props",
    "custom",
    "args",
    "arguments",
    "kwargs",
    "input",
    "output",
    "result",
    "results",
    "error",
    "errors",
    "info",
    "details",
    "state",
    "schema",
    "filters",
    "translations",
    "i18n",
    "geometry",
    "geojson",
    "tags",
    "labels",
];

/// What a column that is all the data is called.
const ALL_THE_DATA: &[&str] = &[
    "data",
    "doc",
    "document",
    "json",
    "jsonb",
    "body",
    "content",
    "contents",
    "attributes",
    "fields",
    "object",
    "record",
    "value",
    "values",
    "blob",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        let json: Vec<&Attribute> =
            t.attributes.iter().filter(|a| matches!(a.base_type, JSON | JSONB)).collect();
        if json.is_empty() || words(&t.name).iter().any(|w| KEEPS_ANYTHING.contains(&w.as_str())) {
            continue;
        }
        out.examine(&t.schema);
        let ours: Vec<&Attribute> = json.into_iter().filter(|a| !is_free(a)).collect();
        match (finding(c, t, &ours), ours.iter().find_map(|a| a.sample.as_ref())) {
            (Some(finding), _) => out.find(finding),
            (None, Some(Err(reason))) => out.skip(t.object(), reason.as_str()),
            _ => {}
        }
    }
}

fn is_free(a: &Attribute) -> bool {
    a.generated || words(&a.name).iter().any(|w| FREE.contains(&w.as_str()))
}

fn finding(c: &Catalog, t: &Relation, json: &[&Attribute]) -> Option<Finding> {
    let names: Vec<&str> = json.iter().map(|a| a.name.as_str()).collect();
    let of = |message: String, severity| {
        Finding::new(t.object(), message).severity(severity).evidence("columns", names.clone())
    };
    if let Some(a) = json.first().filter(|a| nothing_else(t, a)) {
        let message = format!("table {} is a key and {}", t.sql_name(), a.name);
        return Some(of(message, Severity::Warning).confidence(0.7));
    }
    if json.len() as f64 >= c.param(&RULE, "columns") {
        let message = format!("table {} has {} JSON columns: {}", t.sql_name(), json.len(), names.join(", "));
        return Some(of(message, Severity::Info).confidence(0.5));
    }
    let width = |a: &&Attribute| width(t, a);
    let wide = json.iter().copied().max_by_key(width)?;
    if width(&wide) as f64 <= c.param(&RULE, "bytes") {
        return None;
    }
    let message =
        format!("column {} of {} holds {} bytes of JSON a row", wide.name, t.sql_name(), width(&wide));
    Some(of(message, Severity::Info).confidence(0.5).evidence("bytes", width(&wide)))
}

/// Bytes of a value. For one in TOAST, ANALYZE counts only what points there: the rest is what the
/// table has there, where no other column can have put it.
fn width(t: &Relation, a: &Attribute) -> u64 {
    let inline = a.sample.as_ref().and_then(|s| s.as_ref().ok()).map_or(0, |s| s.width.max(0) as u64);
    let alone = t.tuples >= 1.0 && fills_toast_alone(t, a);
    let outside = if alone { t.toast_pages as f64 * 8192.0 / t.tuples } else { 0.0 };
    inline + outside.round() as u64
}

/// Its primary key and times, no more; and no foreign key, for then it is more columns of another table.
fn nothing_else(t: &Relation, json: &Attribute) -> bool {
    let Some(key) = t.primary_key() else { return false };
    let time = |a: &Attribute| matches!(a.base_type, DATE | TIMESTAMP | TIMESTAMPTZ);
    let named = words(&json.name).last().is_some_and(|w| ALL_THE_DATA.contains(&w.as_str()));
    named
        && !t.constraints.iter().any(|k| k.kind == 'f')
        && t.attributes.iter().all(|a| a.num == json.num || key.columns.contains(&a.num) || time(a))
}
