//! Statements that read another tool's log and write ours.

use dbguard_core::quote::{ident, literal, qualified};

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    RecordVersion,
    LoggedActions,
}

pub struct Source {
    pub kind: Kind,
    pub schema: String,
    pub name: String,
    /// Optional columns that are there.
    pub columns: Vec<&'static str>,
    /// Images of hstore: values without types.
    pub texts_only: bool,
}

pub struct Key {
    pub columns: Vec<String>,
    /// The table whose column types must bring the values into the form of a key, if that is needed.
    pub relation: Option<u32>,
}

/// What becomes of the images of a table's rows.
#[derive(Default)]
pub struct Shape {
    pub key: Option<Key>,
    /// Columns whose text is to be read as a value of this type.
    pub types: Vec<(String, String)>,
    pub exclude: Vec<String>,
    pub redact: Vec<String>,
}

/// Of which entries: those of a table, after `last`.
pub struct Part<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub last: i64,
    pub lineage: Option<i32>,
}

/// How the columns of a source are called by the statements below: number, time, schema, table, op.
struct Names {
    n: &'static str,
    at: String,
    schema: &'static str,
    table: &'static str,
    op: &'static str,
}

impl Source {
    fn names(&self) -> Names {
        match self.kind {
            Kind::RecordVersion => Names {
                n: "s.id",
                at: "s.ts".to_owned(),
                schema: "s.table_schema",
                table: "s.table_name",
                op: "CASE s.op::text WHEN 'INSERT' THEN 'I' WHEN 'UPDATE' THEN 'U' WHEN 'DELETE' THEN 'D' WHEN 'TRUNCATE' THEN 'T' END",
            },
            Kind::LoggedActions => Names {
                n: "s.event_id",
                at: format!("coalesce({}, s.action_tstamp_tx)", self.column("action_tstamp_stm", "timestamptz")),
                schema: "s.schema_name",
                table: "s.table_name",
                op: "CASE WHEN s.action::text IN ('I', 'U', 'D', 'T') THEN s.action::text END",
            },
        }
    }

    /// Whether an entry has what its kind of change must have.
    fn complete(&self) -> &'static str {
        match self.kind {
            Kind::RecordVersion => {
                "CASE s.op::text WHEN 'INSERT' THEN s.record IS NOT NULL WHEN 'DELETE' THEN s.old_record IS NOT NULL
                                 WHEN 'UPDATE' THEN s.record IS NOT NULL AND s.old_record IS NOT NULL
                                 ELSE s.op::text = 'TRUNCATE' END"
            }
            Kind::LoggedActions => {
                "CASE WHEN s.action::text IN ('I', 'U', 'D') THEN s.row_data IS NOT NULL ELSE s.action::text = 'T' END"
            }
        }
    }

    fn images(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::RecordVersion => ("s.old_record", "s.record"),
            Kind::LoggedActions => (
                "CASE WHEN s.action::text IN ('U', 'D') THEN s.row_data::jsonb END",
                "CASE s.action::text WHEN 'I' THEN s.row_data::jsonb
                                     WHEN 'U' THEN s.row_data::jsonb || coalesce(s.changed_fields::jsonb, '{}') END",
            ),
        }
    }

    /// An optional column, or NULL of its type.
    fn column(&self, name: &str, type_name: &str) -> String {
        if self.columns.contains(&name) {
            format!("s.{}::{type_name}", ident(name))
        } else {
            format!("NULL::{type_name}")
        }
    }

    /// As it is remembered.
    pub fn label(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

/// The tables a source tells of and what it has on each that is new: schema, table, entries,
/// incomplete ones, lowest and highest number, the last number looked at before. $1: the source.
pub fn survey(source: &Source) -> String {
    let Names { n, schema, table, .. } = source.names();
    format!(
        "SELECT {schema}::text, {table}::text, count(*), count(*) FILTER (WHERE NOT coalesce({}, false)),
                min({n})::bigint, max({n})::bigint, coalesce(min(i.last_id), -1)
         FROM {} s
         LEFT JOIN dbguard.audit_import i ON i.source = $1 AND i.schema_name = {schema}::name AND i.table_name = {table}::name
         WHERE {n} > coalesce(i.last_id, -1)
         GROUP BY 1, 2 ORDER BY 1, 2",
        source.complete(),
        source.label()
    )
}

/// The time of the first entry that can be taken in.
pub fn first_time(source: &Source, part: &Part) -> String {
    let at = source.names().at;
    format!(
        "SELECT min({at}) FROM {} s WHERE {} AND {at} < {}",
        source.label(),
        filter(source, part),
        until(part)
    )
}

/// Entries from a time on that the log itself has been told of the table.
pub fn count_late(source: &Source, part: &Part) -> String {
    let late = format!("{} >= {}", source.names().at, until(part));
    format!("SELECT count(*) FROM {} s WHERE {} AND {late}", source.label(), filter(source, part))
}

/// Brings the entries of a table into the log; answers how many, and their first and last time.
/// The entry numbered n gets the id `base` + n, so that entries keep their order across tables.
pub fn import(source: &Source, part: &Part, shape: &Shape, relation: i32, base: i64) -> String {
    let Names { n, at, op, .. } = source.names();
    let (old, new) = source.images();
    let user = match source.kind {
        Kind::RecordVersion => source.column("auth_role", "text"),
        Kind::LoggedActions => source.column("session_user_name", "text"),
    };
    let keyed = shape.key.is_some();
    format!(
        "WITH entry AS (
           SELECT {n}::bigint AS n, {at} AS at, {op} AS op, {old} AS old, {new} AS new,
                  coalesce({xact}, 0)::text::xid8 AS xact, {actor} AS actor, coalesce({user}, 'unknown') AS user_name,
                  {application} AS application, {addr} AS addr, {query} AS query
           FROM {label} s
           WHERE {filter} AND {complete} AND {at} < {until}
         ), typed AS (
           SELECT n, at, op, {typed_old} AS old, {typed_new} AS new, xact, actor, user_name, application, addr, query
           FROM entry
         ), change AS (
           SELECT t.n, t.at, t.op, t.xact, t.actor, t.user_name, t.application, t.addr, t.query,
                  CASE t.op WHEN 'D' THEN {key_old} WHEN 'T' THEN NULL ELSE {key_new} END AS key,
                  CASE t.op WHEN 'U' THEN {key_old} END AS key_before,
                  CASE t.op WHEN 'D' THEN {shown_old} WHEN 'U' THEN {update_old} END AS old,
                  CASE t.op WHEN 'I' THEN {shown_new} WHEN 'U' THEN d.new END AS new,
                  dense_rank() OVER (ORDER BY t.at, t.xact, t.actor, t.user_name, t.application, t.addr, t.query) AS who
           FROM typed t
           LEFT JOIN LATERAL (
             SELECT jsonb_object_agg(coalesce(o.key, n.key), {value_o}) AS old, jsonb_object_agg(coalesce(o.key, n.key), {value_n}) AS new
             FROM jsonb_each(t.old) o FULL JOIN jsonb_each(t.new) n ON n.key = o.key
             WHERE o.value IS DISTINCT FROM n.value AND coalesce(o.key, n.key) <> ALL ({exclude})
           ) d ON t.op = 'U'
           WHERE t.op <> 'U' OR d.new IS NOT NULL
         ), context AS (
           SELECT nextval('dbguard.audit_context_id_seq') AS id, w.*
           FROM (SELECT DISTINCT ON (who) who, at, actor, user_name, application, addr, query FROM change ORDER BY who) w
         ), put_context AS (
           INSERT INTO dbguard.audit_context
             (id, at, actor, session_user_name, current_user_name, application_name, client_addr, context, query)
           SELECT id, at, actor, user_name, user_name, application, addr, jsonb_build_object('imported_from', {source_name}::text), query
           FROM context
         ), put_change AS (
           INSERT INTO dbguard.audit_change (id, at, xact, context, relation, op, key, old_key, old, new)
           SELECT {base} + c.n, c.at, c.xact, w.id, {relation}, c.op::\"char\", c.key,
                  CASE WHEN c.key_before <> c.key THEN c.key_before END, c.old, c.new
           FROM change c JOIN context w ON w.who = c.who
           ORDER BY c.n
           RETURNING at
         )
         SELECT count(*), min(at), max(at) FROM put_change",
        xact = source.column("transaction_id", "bigint"),
        actor = source.column("auth_uid", "text"),
        application = source.column("application_name", "text"),
        addr = source.column("client_addr", "inet"),
        query = source.column("client_query", "text"),
        label = source.label(),
        filter = filter(source, part),
        complete = source.complete(),
        until = until(part),
        typed_old = typed(shape, "old"),
        typed_new = typed(shape, "new"),
        key_old = key(shape, "t.old"),
        key_new = key(shape, "t.new"),
        shown_old = shown(shape, "t.old"),
        shown_new = shown(shape, "t.new"),
        // without a key the whole row before is what names the row
        update_old = if keyed { "d.old".to_owned() } else { shown(shape, "t.old") },
        value_o = value(shape, "coalesce(o.key, n.key)", "o.value"),
        value_n = value(shape, "coalesce(o.key, n.key)", "n.value"),
        exclude = names(&shape.exclude),
        source_name = literal(&source.label()),
    )
}

fn filter(source: &Source, part: &Part) -> String {
    let Names { n, schema, table, .. } = source.names();
    format!(
        "{schema}::text = {} AND {table}::text = {} AND {n} > {} AND coalesce({}, false)",
        literal(part.schema),
        literal(part.table),
        part.last,
        source.complete()
    )
}

/// Since when the log has changes of the table from its own audit; rows of audit_relation that an
/// import made know no columns.
fn until(part: &Part) -> String {
    let Some(lineage) = part.lineage else { return "timestamptz 'infinity'".to_owned() };
    format!(
        "coalesce((SELECT min(r.since) FROM dbguard.audit_relation r WHERE r.lineage = {lineage} AND r.columns <> '{{}}'), 'infinity')"
    )
}

fn names(list: &[String]) -> String {
    let list: Vec<String> = list.iter().map(|name| literal(name)).collect();
    format!("ARRAY[{}]::text[]", list.join(", "))
}

/// An image whose values are all text, as one whose values have the types of the table's columns.
fn typed(shape: &Shape, image: &str) -> String {
    if shape.types.is_empty() {
        return image.to_owned();
    }
    let cases: Vec<String> = shape
        .types
        .iter()
        .map(|(name, type_name)| {
            format!("WHEN {} THEN to_jsonb((e.value #>> '{{}}')::{type_name})", literal(name))
        })
        .collect();
    format!(
        "coalesce((SELECT jsonb_object_agg(e.key, CASE e.key {} ELSE e.value END) FROM jsonb_each({image}) e), {image})",
        cases.join(" ")
    )
}

/// The key as the log holds it, out of an image; NULL if a column is missing there.
fn key(shape: &Shape, image: &str) -> String {
    let Some(key) = &shape.key else { return "NULL::text".to_owned() };
    let columns: Vec<String> = key.columns.iter().map(|c| literal(c)).collect();
    let text = match columns.as_slice() {
        [single] => format!("{image} ->> {single}"),
        several => {
            let pairs: Vec<String> = several.iter().map(|c| format!("{c}, {image} -> {c}")).collect();
            format!("jsonb_build_object({})::text", pairs.join(", "))
        }
    };
    let there: Vec<String> = columns.iter().map(|c| format!("{image} ->> {c} IS NOT NULL")).collect();
    let text = match key.relation {
        Some(relation) => format!("dbguard._audit_import_key({relation}::oid::regclass, {text})"),
        None => format!("left({text}, 1000)"),
    };
    format!("CASE WHEN {} THEN {text} END", there.join(" AND "))
}

/// An image without what must not be seen.
fn shown(shape: &Shape, image: &str) -> String {
    if shape.exclude.is_empty() && shape.redact.is_empty() {
        return image.to_owned();
    }
    format!(
        "coalesce((SELECT jsonb_object_agg(e.key, {}) FROM jsonb_each({image}) e WHERE e.key <> ALL ({})), '{{}}')",
        value(shape, "e.key", "e.value"),
        names(&shape.exclude)
    )
}

fn value(shape: &Shape, key: &str, value: &str) -> String {
    if shape.redact.is_empty() {
        return value.to_owned();
    }
    format!(
        "CASE WHEN {key} = ANY ({}) AND {value} <> 'null' THEN '\"[redacted]\"' ELSE {value} END",
        names(&shape.redact)
    )
}
