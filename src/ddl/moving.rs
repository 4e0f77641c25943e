//! Statements that move rows from one partition into others.

use dbguard_core::quote::{ident, literal, qualified};

/// A table by schema and name.
pub type Table<'a> = (&'a str, &'a str);

/// Notes which rows of the source change while it is copied.
pub const CAPTURE_TRIGGER: &str = "dbguard_capture";

/// The bounds of a piece, as long as it is not attached: ATTACH then needs no scan.
pub const BOUND_CHECK: &str = "dbguard_bound";

/// The partition key of a table and how the column compares.
pub struct Key<'a> {
    pub column: &'a str,
    /// The type its bounds are written in.
    pub type_name: &'a str,
    /// Bytes are compared, whatever the column says.
    pub bytewise: bool,
}

impl Key<'_> {
    fn expression(&self) -> String {
        ident(self.column) + if self.bytewise { " COLLATE \"C\"" } else { "" }
    }

    fn between(&self, lower: &str, upper: &str) -> String {
        let key = self.expression();
        format!("{key} >= {} AND {key} < {}", literal(lower), literal(upper))
    }
}

/// A column of the unique key that rows are known by.
pub struct KeyColumn {
    pub name: String,
    /// Schema and name of the operator the key compares by.
    pub equals: (String, String),
}

/// How many rows lie between each two of the bounds $1, ascending: number 0 is below the first, NULL has no
/// key. The bounds are read once, not for each row.
pub fn count(source: Table, key: &Key) -> String {
    format!(
        "SELECT width_bucket({}, (SELECT $1::{}[])), count(*) FROM {} GROUP BY 1",
        key.expression(),
        key.type_name,
        name(source)
    )
}

/// How many rows lie in a range, counted no further than to $1.
pub fn count_up_to(source: Table, key: &Key, lower: &str, upper: &str) -> String {
    format!(
        "SELECT count(*) FROM (SELECT FROM {} WHERE {} LIMIT $1) r",
        name(source),
        key.between(lower, upper)
    )
}

/// The rows of a table in a range.
pub struct Rows<'a> {
    pub source: Table<'a>,
    pub columns: &'a [String],
    pub key: Key<'a>,
    pub lower: &'a str,
    pub upper: &'a str,
}

/// Takes them to another table.
pub fn carry(rows: &Rows, target: Table) -> String {
    let columns = list(rows.columns, "");
    format!(
        "WITH gone AS (DELETE FROM {} WHERE {} RETURNING {columns}) INSERT INTO {} ({columns}) SELECT {columns} FROM gone",
        name(rows.source),
        rows.key.between(rows.lower, rows.upper),
        name(target)
    )
}

/// Copies them to another table.
pub fn copy_range(rows: &Rows, target: Table) -> String {
    let columns = list(rows.columns, "");
    format!(
        "INSERT INTO {} ({columns}) SELECT {columns} FROM {} WHERE {}",
        name(target),
        name(rows.source),
        rows.key.between(rows.lower, rows.upper)
    )
}

/// How many rows a table has, up to a number: a query of one.
pub fn count_rows(table: Table, most: i64) -> String {
    format!("SELECT count(*) FROM (SELECT FROM {} LIMIT {most}) counted", name(table))
}

/// What to type to have the rows of a default partition moved, to as many partitions as usual or more.
pub fn drain((schema, table): Table, most: Option<u32>) -> String {
    let most = most.map_or_else(String::new, |most| format!(", {most}"));
    format!("CALL dbguard.partition_drain({}{most});", literal(&qualified(schema, table)))
}

/// A partitioned table of the parent's shape that nobody knows. `key` as pg_get_partkeydef shows it.
pub fn stage(parent: Table, stage: Table, key: &str, indexes: bool) -> String {
    format!(
        "CREATE TABLE {} (LIKE {} INCLUDING GENERATED{}) PARTITION BY {key}",
        name(stage),
        name(parent),
        if indexes { " INCLUDING INDEXES" } else { "" }
    )
}

/// An empty table of some columns of another. After a crash it is empty, and so is what was copied thrown away.
pub fn beside(of: Table, table: Table, columns: &[String]) -> String {
    format!(
        "CREATE UNLOGGED TABLE {} AS SELECT {} FROM {} WITH NO DATA",
        name(table),
        list(columns, ""),
        name(of)
    )
}

/// `definition` as pg_get_constraintdef shows it.
pub fn add_constraint(table: Table, constraint: &str, definition: &str) -> String {
    format!("ALTER TABLE {} ADD CONSTRAINT {} {definition}", name(table), ident(constraint))
}

pub fn comment(table: Table, text: &str) -> String {
    format!("COMMENT ON TABLE {} IS {}", name(table), literal(text))
}

/// `constraint` as pg_get_partition_constraintdef shows it.
pub fn add_bound(table: Table, constraint: &str) -> String {
    format!("ALTER TABLE {} ADD CONSTRAINT {BOUND_CHECK} CHECK ({constraint})", name(table))
}

/// The bounds of a range, as literals are written; none where it is open.
pub type Bounds = (Option<String>, Option<String>);

/// The same for a default partition beside these ranges. In the shape by which the server knows one condition to
/// imply another: a key that is NULL apart from the rest.
pub fn add_outside(table: Table, key: &Key, ranges: &[Bounds]) -> String {
    let column = key.expression();
    let outside = |(lower, upper): &Bounds| {
        let below = lower.as_ref().map(|at| format!("{column} < {}", literal(at)));
        let above = upper.as_ref().map(|at| format!("{column} >= {}", literal(at)));
        let sides: Vec<String> = below.into_iter().chain(above).collect();
        format!("({})", if sides.is_empty() { "false".to_owned() } else { sides.join(" OR ") })
    };
    let all: Vec<String> = ranges.iter().map(outside).collect();
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {BOUND_CHECK} CHECK ({column} IS NULL OR {})",
        name(table),
        all.join(" AND ")
    )
}

pub fn drop_bound(table: Table) -> String {
    format!("ALTER TABLE {} DROP CONSTRAINT {BOUND_CHECK}", name(table))
}

/// `attributes` are the numbers of the key's columns in `source`, in the order of the capture table.
pub fn capture(source: Table, keys: Table, attributes: &[i16]) -> String {
    let mut args = vec![literal(keys.0), literal(keys.1)];
    args.extend(attributes.iter().map(|number| literal(&number.to_string())));
    format!(
        "CREATE TRIGGER {CAPTURE_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW \
         EXECUTE FUNCTION dbguard.partition_capture({})",
        name(source),
        args.join(", ")
    )
}

/// Also changes that a replica applies count.
pub fn capture_always(source: Table) -> String {
    format!("ALTER TABLE {} ENABLE ALWAYS TRIGGER {CAPTURE_TRIGGER}", name(source))
}

pub fn drop_capture(source: Table) -> String {
    format!("DROP TRIGGER {CAPTURE_TRIGGER} ON {}", name(source))
}

/// Adds the values $1 ... to a table of keys.
pub fn put_key(table: Table, count: usize) -> String {
    let values: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    format!("INSERT INTO {} VALUES ({})", name(table), values.join(", "))
}

/// Copies the rows on the pages from $1 to before $2.
pub fn copy(source: Table, stage: Table, columns: &[String]) -> String {
    let columns = list(columns, "");
    format!(
        "INSERT INTO {} ({columns}) SELECT {columns} FROM ONLY {} WHERE ctid >= $1::text::tid AND ctid < $2::text::tid",
        name(stage),
        name(source)
    )
}

/// The tables that changes go through.
pub struct Changes<'a> {
    pub source: Table<'a>,
    pub noted: Table<'a>,
    pub fresh: Table<'a>,
    pub stage: Table<'a>,
    pub key: &'a [KeyColumn],
    pub columns: &'a [String],
}

/// Takes up the keys noted so far: rows that have one go from the stage, and as they now are to `fresh`. A query
/// of how many there were. One statement, so that keys and rows are of one moment.
pub fn take_up(changes: &Changes) -> String {
    let (key, same) = (of(changes.key, ""), same(changes.key));
    format!(
        "WITH keys AS (DELETE FROM {} RETURNING {key}), \
              old AS (DELETE FROM {} t USING keys k WHERE {same}), \
              new AS (INSERT INTO {} ({}) SELECT {} FROM (SELECT DISTINCT {key} FROM keys) k JOIN {} t ON {same}) \
         SELECT count(*) FROM keys",
        name(changes.noted),
        name(changes.stage),
        name(changes.fresh),
        list(changes.columns, ""),
        list(changes.columns, "t."),
        name(changes.source)
    )
}

/// The rows taken up come to the stage.
pub fn put_fresh(changes: &Changes) -> String {
    let columns = list(changes.columns, "");
    format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", name(changes.stage), name(changes.fresh))
}

/// Rows with one of the keys go from the stage.
pub fn delete_keys(stage: Table, keys: Table, key: &[KeyColumn]) -> String {
    format!("DELETE FROM {} t USING {} k WHERE {}", name(stage), name(keys), same(key))
}

pub fn empty(table: Table) -> String {
    format!("DELETE FROM {}", name(table))
}

pub fn rename(table: Table, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", name(table), ident(to))
}

/// With its partitions.
pub fn drop(table: Table) -> String {
    format!("DROP TABLE {}", name(table))
}

fn name((schema, name): Table) -> String {
    qualified(schema, name)
}

fn list(columns: &[String], prefix: &str) -> String {
    columns.iter().map(|column| format!("{prefix}{}", ident(column))).collect::<Vec<_>>().join(", ")
}

fn of(key: &[KeyColumn], prefix: &str) -> String {
    key.iter().map(|column| format!("{prefix}{}", ident(&column.name))).collect::<Vec<_>>().join(", ")
}

/// Whether row t has the key k.
fn same(key: &[KeyColumn]) -> String {
    let one = |column: &KeyColumn| {
        let (name, (schema, operator)) = (ident(&column.name), &column.equals);
        format!("t.{name} OPERATOR({}.{operator}) k.{name}", ident(schema))
    };
    key.iter().map(one).collect::<Vec<_>>().join(" AND ")
}
