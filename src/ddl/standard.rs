//! Statements that bring a table to the house standard.

use dbguard_core::quote::{ident, literal, qualified};

/// A table, by schema and name.
pub type Name<'a> = (&'a str, &'a str);

/// Pages of a table that one transaction of `backfill` goes through.
const PAGES: u32 = 100;

fn alter((schema, table): Name, actions: &str) -> String {
    format!("ALTER TABLE {} {actions}", qualified(schema, table))
}

/// `definition`: the type and what follows it.
pub fn add_column(table: Name, column: &str, definition: &str) -> String {
    alter(table, &format!("ADD COLUMN {} {definition}", ident(column)))
}

pub fn set_default(table: Name, column: &str, value: &str) -> String {
    alter(table, &format!("ALTER COLUMN {} SET DEFAULT {value}", ident(column)))
}

/// New rows are numbered from now on; the column is NOT NULL.
pub fn make_identity(table: Name, column: &str) -> String {
    let column = ident(column);
    alter(
        table,
        &format!(
            "ALTER COLUMN {column} DROP DEFAULT, ALTER COLUMN {column} ADD GENERATED ALWAYS AS IDENTITY"
        ),
    )
}

pub fn add_check(table: Name, constraint: &str, column: &str) -> String {
    let constraint = ident(constraint);
    alter(table, &format!("ADD CONSTRAINT {constraint} CHECK ({} IS NOT NULL) NOT VALID", ident(column)))
}

pub fn validate(table: Name, constraint: &str) -> String {
    alter(table, &format!("VALIDATE CONSTRAINT {}", ident(constraint)))
}

pub fn set_not_null(table: Name, column: &str) -> String {
    alter(table, &format!("ALTER COLUMN {} SET NOT NULL", ident(column)))
}

pub fn drop_constraint(table: Name, constraint: &str) -> String {
    alter(table, &format!("DROP CONSTRAINT {}", ident(constraint)))
}

pub fn change_type(table: Name, column: &str, to: &str, using: &str) -> String {
    let column = ident(column);
    alter(table, &format!("ALTER COLUMN {column} TYPE {to} USING {column} {using}"))
}

pub fn unique_index_concurrently((schema, table): Name, index: &str, column: &str) -> String {
    let (index, table) = (ident(index), qualified(schema, table));
    format!("CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} ({})", ident(column))
}

pub fn index((schema, table): Name, column: &str, concurrently: bool) -> String {
    let how = if concurrently { "CONCURRENTLY " } else { "" };
    format!("CREATE INDEX {how}ON {} ({})", qualified(schema, table), ident(column))
}

pub fn drop_index_concurrently((schema, _): Name, index: &str) -> String {
    format!("DROP INDEX CONCURRENTLY {}", qualified(schema, index))
}

pub fn add_primary_key(table: Name, column: &str) -> String {
    alter(table, &format!("ADD PRIMARY KEY ({})", ident(column)))
}

pub fn primary_key_using(table: Name, index: &str) -> String {
    alter(table, &format!("ADD PRIMARY KEY USING INDEX {}", ident(index)))
}

/// Gives rows that have the value `unset` the column's default, a few pages a transaction. A row that another session
/// moves behind our back meets the next pass; the last one finds none. A pass that finds no fewer than the one before is an
/// error: the rows keep the value.
pub fn backfill((schema, table): Name, column: &str, unset: &str) -> String {
    let (table, column) = (qualified(schema, table), ident(column));
    let body = format!(
        "
DECLARE page bigint; changed bigint; found bigint; before bigint;
BEGIN
  LOOP
    page := 0; found := 0;
    WHILE page * current_setting('block_size')::int < pg_relation_size({regclass}) LOOP
      -- rows that a policy hides would be left out without a word
      SET LOCAL row_security = off;
      UPDATE {table} SET {column} = DEFAULT WHERE {column} = {unset}
        AND ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + {PAGES})::tid;
      GET DIAGNOSTICS changed = ROW_COUNT;
      found := found + changed; page := page + {PAGES};
      COMMIT;
    END LOOP;
    EXIT WHEN found = 0;
    IF found >= before THEN
      RAISE EXCEPTION '% rows do not take an id of their own', found
        USING ERRCODE = '55000', HINT = 'See which trigger of the table gives them back what they had, and disable it meanwhile.';
    END IF;
    before := found;
  END LOOP;
END ",
        regclass = literal(&table)
    );
    // a name may hold dollars, too
    let tag = (0..).map(|n| format!("$dbguard{n}$")).find(|tag| !body.contains(tag.as_str()));
    let tag = tag.unwrap_or_default();
    format!("DO {tag}{body}{tag}")
}

pub fn has_rows((schema, table): Name) -> String {
    format!("SELECT EXISTS (SELECT FROM {})", qualified(schema, table))
}

pub fn has_null((schema, table): Name, column: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL)", qualified(schema, table), ident(column))
}

pub fn has_value((schema, table): Name, column: &str, value: &str) -> String {
    format!("SELECT EXISTS (SELECT FROM {} WHERE {} = {value})", qualified(schema, table), ident(column))
}

/// What `touch_enable` does, for people.
pub fn touch_enable((schema, table): Name, what: &str) -> String {
    format!(
        "SELECT * FROM dbguard.touch_enable({}, what => {})",
        literal(&qualified(schema, table)),
        literal(what)
    )
}
