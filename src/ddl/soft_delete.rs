//! Statements of soft delete.

use super::touch::create_trigger;
use dbguard_core::quote::{ident, literal, qualified};

pub const TRIGGER: &str = "dbguard_soft_delete";
pub const CHILDREN_TRIGGER: &str = "dbguard_soft_delete_children";
pub const LIVE_TRIGGER: &str = "dbguard_soft_delete_live";

/// `partitioned`: rows that an UPDATE moves to another partition are deleted where they were, and must be known.
pub fn enable(schema: &str, table: &str, partitioned: bool, args: &[String]) -> String {
    let when = if partitioned { "DELETE OR UPDATE" } else { "DELETE" };
    create_trigger(TRIGGER, schema, table, when, "soft_delete", args)
}

pub fn enable_children(schema: &str, table: &str, column: &str) -> String {
    let name = ident(column);
    format!(
        "CREATE OR REPLACE TRIGGER {CHILDREN_TRIGGER} AFTER UPDATE ON {} FOR EACH ROW \
         WHEN (OLD.{name} IS DISTINCT FROM NEW.{name}) EXECUTE FUNCTION dbguard.soft_delete_children({})",
        qualified(schema, table),
        literal(column)
    )
}

/// A view of the rows that are not deleted. Its columns are those of the table now. `table`: as `named` gives it.
pub fn live_view(schema: &str, view: &str, table: &str, column: &str) -> String {
    format!(
        "CREATE OR REPLACE VIEW {} WITH (security_invoker = true) AS SELECT * FROM {table} WHERE {} IS NULL",
        qualified(schema, view),
        ident(column)
    )
}

pub fn comment_on_view(schema: &str, view: &str, comment: &str) -> String {
    format!("COMMENT ON VIEW {} IS {}", qualified(schema, view), literal(comment))
}

pub fn live_trigger(schema: &str, view: &str) -> String {
    format!(
        "CREATE OR REPLACE TRIGGER {LIVE_TRIGGER} INSTEAD OF DELETE ON {} FOR EACH ROW EXECUTE FUNCTION dbguard.soft_delete_live()",
        qualified(schema, view)
    )
}

pub fn rename_column(schema: &str, view: &str, now: &str, then: &str) -> String {
    format!("ALTER VIEW {} RENAME COLUMN {} TO {}", qualified(schema, view), ident(now), ident(then))
}

/// `to`: a role, None is PUBLIC.
pub fn grant(privileges: &str, schema: &str, view: &str, to: Option<&str>) -> String {
    let to = to.map_or("PUBLIC".to_owned(), ident);
    format!("GRANT {privileges} ON {} TO {to}", qualified(schema, view))
}

/// A column of a primary key, and the operator (schema and name) by which its values are equal.
pub struct Key {
    pub name: String,
    pub operator: (String, String),
}

/// The row whose key is in the parameters from $`first` on.
fn of_key(key: &[Key], first: usize) -> String {
    let equal = |(i, k): (usize, &Key)| {
        let (schema, operator) = &k.operator;
        format!("r.{} OPERATOR({}.{operator}) ${}", ident(&k.name), ident(schema), first + i)
    };
    key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// `table`: as `named` gives it.
pub fn delete_row(table: &str, key: &[Key]) -> String {
    format!("DELETE FROM {table} AS r WHERE {}", of_key(key, 1))
}

pub fn look_at_row(table: &str, column: &str, key: &[Key]) -> String {
    format!("SELECT r.{} IS NOT NULL FROM {table} AS r WHERE {}", ident(column), of_key(key, 1))
}

pub fn restore_row(table: &str, column: &str, key: &[Key]) -> String {
    let name = ident(column);
    format!("UPDATE {table} AS r SET {name} = NULL WHERE {} AND r.{name} IS NOT NULL", of_key(key, 1))
}

/// A foreign key of another table, for the statement that purges the one it refers to.
pub struct Keeping<'a> {
    /// As `named` gives it.
    pub table: String,
    pub columns: &'a [String],
    pub refers_to: &'a [String],
    pub operators: &'a [(String, String)],
    pub by: By<'a>,
}

/// Which rows that refer to a row keep it back.
pub enum By<'a> {
    Any,
    /// Those that would go with it and may not: rows that are live by this column, or deleted later, and rows that are
    /// themselves kept back by others.
    Some(Option<&'a str>, Vec<Keeping<'a>>),
}

/// Whether the row was deleted long enough ago: $1 is an interval.
fn long_ago(row: &str, column: &str) -> String {
    format!("{row}.{} OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) $1)", ident(column))
}

impl Keeping<'_> {
    /// That a row of it keeps `row` back; None if none does.
    fn keeps(&self, row: &str, depth: usize) -> Option<String> {
        let own = format!("c{depth}");
        let pairs = self.columns.iter().zip(self.refers_to).zip(self.operators);
        let equal: Vec<String> = pairs
            .map(|((column, other), (schema, operator))| {
                format!(
                    "{row}.{} OPERATOR({}.{operator}) {own}.{}",
                    ident(other),
                    ident(schema),
                    ident(column)
                )
            })
            .collect();
        let which = match &self.by {
            By::Any => String::new(),
            By::Some(deleted, others) => {
                let live = deleted.map(|column| format!("({}) IS NOT TRUE", long_ago(&own, column)));
                let kept = others.iter().filter_map(|k| k.keeps(&own, depth + 1));
                let any: Vec<String> = live.into_iter().chain(kept).collect();
                if any.is_empty() {
                    return None;
                }
                format!(" AND ({})", any.join(" OR "))
            }
        };
        Some(format!("EXISTS (SELECT FROM {} AS {own} WHERE {}{which})", self.table, equal.join(" AND ")))
    }
}

/// Rows deleted long enough ago that nothing keeps back.
fn purgeable(column: &str, keeping: &[Keeping]) -> String {
    let kept = keeping.iter().filter_map(|k| k.keeps("r", 1)).map(|keeps| format!(" AND NOT {keeps}"));
    long_ago("r", column) + &kept.collect::<String>()
}

/// $1: how long ago at least; $2: how many at most; $3: when the rows were deleted where the last batch ended, NULL for
/// the first. How many there were, and where this one ended. A row that somebody holds is left to the next run.
pub fn purge(table: &str, column: &str, keeping: &[Keeping]) -> String {
    let name = ident(column);
    format!(
        "WITH purged AS (
           DELETE FROM {table} AS d WHERE d.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
             SELECT r.ctid FROM {table} AS r
             WHERE {} AND r.{name} OPERATOR(pg_catalog.>=) coalesce($3, '-infinity') ORDER BY r.{name} LIMIT $2 FOR UPDATE SKIP LOCKED))
           RETURNING d.{name} AS at)
         SELECT pg_catalog.count(*), pg_catalog.max(at)::pg_catalog.timestamptz FROM purged",
        purgeable(column, keeping)
    )
}

/// What there is to purge: how many rows, how many of them are kept back, and when the oldest was deleted.
pub fn count_purgeable(table: &str, column: &str, keeping: &[Keeping]) -> String {
    format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE NOT ({})), pg_catalog.min(r.{column})::pg_catalog.timestamptz
         FROM {table} AS r WHERE {}",
        purgeable(column, keeping),
        purgeable(column, &[]),
        column = ident(column)
    )
}

/// Constraints that are checked at the end of a transaction are checked at once: what is purged is, as it goes.
pub const CHECK_AT_ONCE: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// A foreign key between two tables: its columns on the side that the statement reads or changes, and the operators
/// that compare those of the other side with them, by schema and name.
pub struct Pairs<'a> {
    pub columns: &'a [String],
    pub operators: &'a [(String, String)],
    /// Whether the columns are the operators' left side: those that are referred to.
    pub left: bool,
}

impl Pairs<'_> {
    /// With the values of the other side from $`first` on.
    fn equal(&self, first: usize) -> String {
        let pairs = self.columns.iter().zip(self.operators).enumerate();
        let equal = |(i, (column, (schema, operator))): (usize, (&String, &(String, String)))| {
            let (column, value) = (format!("r.{}", ident(column)), format!("${}", first + i));
            let (left, right) = if self.left { (column, value) } else { (value, column) };
            format!("{left} OPERATOR({}.{operator}) {right}", ident(schema))
        };
        pairs.map(equal).collect::<Vec<_>>().join(" AND ")
    }
}

/// A table as statements on it name it: what inherits from it is left out, but for partitions.
pub fn named(schema: &str, table: &str, partitioned: bool) -> String {
    format!("{}{}", if partitioned { "" } else { "ONLY " }, qualified(schema, table))
}

/// Locks a row, by its place ($1), as a DELETE does.
pub fn lock_row(schema: &str, table: &str) -> String {
    format!(
        "SELECT FROM {} AS r WHERE r.ctid OPERATOR(pg_catalog.=) $1 FOR UPDATE",
        named(schema, table, false)
    )
}

/// Deletes the children of a row along with it. $1: the time.
pub fn follow(child: &str, column: &str, key: &Pairs) -> String {
    let column = ident(column);
    format!("UPDATE {child} AS r SET {column} = $1 WHERE {} AND r.{column} IS NULL", key.equal(2))
}

/// Brings back those that were deleted along with it. $1: the time.
pub fn come_back(child: &str, column: &str, key: &Pairs) -> String {
    let column = ident(column);
    format!(
        "UPDATE {child} AS r SET {column} = NULL WHERE {} AND r.{column} OPERATOR(pg_catalog.=) $1",
        key.equal(2)
    )
}

/// Whether any row refers to a row, or is referred to. `but`: of those that this column says are deleted not.
pub fn any(table: &str, but: Option<&str>, key: &Pairs) -> String {
    let but = but.map(|column| format!(" AND r.{} IS NULL", ident(column))).unwrap_or_default();
    format!("SELECT true FROM {table} AS r WHERE {}{but} LIMIT 1", key.equal(1))
}

/// Foreign keys with the table on one side of them, as JSON. `which`: a condition on the constraint, k; `other`: the side that
/// is asked for.
pub fn keys(which: &str, other: &str) -> String {
    format!(
        "SELECT json_build_array(
                  json_build_array(k.conname, c.oid::int8, n.nspname, c.relname, c.relowner::int8, k.confdeltype),
                  json_build_array(u.referring, u.referred, u.schemas, u.operators),
                  json_build_array(c.relkind, d.attname, d.type::int8, d.typmod))::text
         FROM pg_constraint k
         JOIN pg_class c ON c.oid = {other}
         JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (
           SELECT array_agg(a.attname::text ORDER BY u.place) AS referring,
                  array_agg(f.attname::text ORDER BY u.place) AS referred,
                  array_agg(s.nspname::text ORDER BY u.place) AS schemas,
                  array_agg(o.oprname::text ORDER BY u.place) AS operators
           FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY u(attnum, refers_to, operator, place)
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
           JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.refers_to
           JOIN pg_operator o ON o.oid = u.operator
           JOIN pg_namespace s ON s.oid = o.oprnamespace) u
         LEFT JOIN LATERAL (
           SELECT a.attname::text, b.oid AS type, b.typmod
           FROM pg_trigger t
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             AND a.attname = coalesce(nullif(convert_from(substr(t.tgargs, 1, greatest(position('\\x00'::bytea IN t.tgargs) - 1, 0)),
                                                          getdatabaseencoding()), ''), 'deleted_at')
           CROSS JOIN LATERAL (
             WITH RECURSIVE base(oid, typtype, typbasetype, typmod, of_base) AS (
               SELECT t.oid, t.typtype, t.typbasetype, a.atttypmod, t.typtypmod FROM pg_type t WHERE t.oid = a.atttypid
               UNION ALL
               SELECT t.oid, t.typtype, t.typbasetype, base.of_base, t.typtypmod
               FROM pg_type t JOIN base ON base.typtype = 'd' AND t.oid = base.typbasetype)
             SELECT oid, typmod FROM base WHERE typtype <> 'd') b
           WHERE t.tgrelid = c.oid AND t.tgfoid = 'dbguard.soft_delete()'::regprocedure AND t.tgenabled IN ('O', 'A')
           LIMIT 1) d ON true
         WHERE k.contype = 'f' AND {which}
         ORDER BY k.conrelid, k.conname"
    )
}

/// A unique index of the table, or one that a partition has alone.
pub struct Unique {
    pub table: String,
    pub partitioned: bool,
    pub schema: String,
    pub name: String,
    /// Whether it is a constraint's.
    pub constraint: bool,
    /// What follows the table's name in its definition, without the predicate.
    pub form: String,
    pub predicate: Option<String>,
    /// Unless it is the database's.
    pub tablespace: Option<String>,
    /// Why it cannot pass over deleted rows.
    pub kept_for: Option<String>,
    /// Whether it has something to do with the column that says what is deleted.
    pub knows: bool,
}

impl Unique {
    /// The same for live rows only.
    pub fn live(&self, column: &str, name: &str) -> String {
        let predicate = self.predicate.as_ref().map(|p| format!("({p}) AND ")).unwrap_or_default();
        let tablespace =
            self.tablespace.as_ref().map(|t| format!(" TABLESPACE {}", ident(t))).unwrap_or_default();
        format!(
            "CREATE UNIQUE INDEX {}{} ON {}{}{tablespace} WHERE {predicate}{} IS NULL",
            if self.partitioned { "" } else { "CONCURRENTLY " },
            ident(name),
            qualified(&self.schema, &self.table),
            self.form,
            ident(column)
        )
    }

    pub fn drop(&self) -> String {
        match (self.constraint, self.partitioned) {
            (true, _) => {
                format!(
                    "ALTER TABLE {} DROP CONSTRAINT {}",
                    qualified(&self.schema, &self.table),
                    ident(&self.name)
                )
            }
            (false, true) => format!("DROP INDEX {}", qualified(&self.schema, &self.name)),
            (false, false) => format!("DROP INDEX CONCURRENTLY {}", qualified(&self.schema, &self.name)),
        }
    }

    /// Gives the new index the old one's name.
    pub fn rename(&self, new: &str) -> String {
        format!("ALTER INDEX {} RENAME TO {}", qualified(&self.schema, new), ident(&self.name))
    }
}

pub fn index_of_deleted(schema: &str, table: &str, partitioned: bool, column: &str) -> String {
    let concurrently = if partitioned { "" } else { "CONCURRENTLY " };
    let column = ident(column);
    format!(
        "CREATE INDEX {concurrently}ON {} ({column}) WHERE {column} IS NOT NULL",
        qualified(schema, table)
    )
}

/// The call that a plan ends with.
pub fn call_enable(
    schema: &str,
    table: &str,
    column: &str,
    children: &str,
    live_view: Option<&str>,
) -> String {
    let live_view = live_view.map(|view| format!(", live_view => {}", literal(view))).unwrap_or_default();
    format!(
        "SELECT * FROM dbguard.soft_delete_enable({}, {}, {}{live_view})",
        literal(&qualified(schema, table)),
        literal(column),
        literal(children)
    )
}
