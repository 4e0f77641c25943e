//! Statements that look for rows and put them back. What runs users' triggers is run under the
//! user's own search_path, so everything in it is qualified, operators too.
//!
//! All take one parameter, the rows as JSON: an array of objects of `n`, the row's number, and its
//! values by position: `k0`... the key, `w0`... the key to restore, `e0`... what is expected to be
//! there, `s0`... what to set.

use dbguard_core::quote::{ident, literal, qualified};

pub struct Column {
    pub name: String,
    /// Qualified, with its modifier.
    pub type_name: String,
    /// Schema and name.
    pub collation: Option<(String, String)>,
    /// Schema and name of the operator the primary key compares by.
    pub equals: (String, String),
    /// json or jsonb.
    pub json: Option<&'static str>,
    pub not_null: bool,
}

pub struct Table {
    pub schema: String,
    pub name: String,
    /// Without those that inherit from it.
    pub only: bool,
    /// Has an identity column that INSERT may set only when told so.
    pub overriding: bool,
}

/// Which columns the rows of a statement have.
#[derive(Clone)]
pub struct Shape<'a> {
    pub table: &'a Table,
    /// What the row is found by; without it by all of `expect`.
    pub key: Vec<&'a Column>,
    pub wanted: Vec<&'a Column>,
    pub expect: Vec<&'a Column>,
    pub set: Vec<&'a Column>,
    /// The row has the key to restore already.
    pub by_wanted: bool,
}

impl Table {
    fn target(&self) -> String {
        format!("{}{}", if self.only { "ONLY " } else { "" }, qualified(&self.schema, &self.name))
    }
}

impl Column {
    pub(super) fn equal(&self, left: &str, right: &str) -> String {
        let (schema, operator) = &self.equals;
        format!("{left} OPERATOR({}.{operator}) {right}", ident(schema))
    }

    pub(super) fn collated(&self) -> String {
        self.collation.as_ref().map(|(s, n)| format!(" COLLATE {}", qualified(s, n))).unwrap_or_default()
    }

    /// What a value is cast to where people compare it: types that have no equality.
    fn compared_as(&self) -> Option<&'static str> {
        match self.type_name.as_str() {
            "pg_catalog.xml" | "pg_catalog.point" | "pg_catalog.polygon" => Some("text"),
            _ => self.json,
        }
    }

    /// A value of the record. A JSON null shows in the log as NULL does, so that only NOT NULL tells them apart.
    fn value(&self, field: &str) -> String {
        let value = match self.json {
            Some("json") => format!("r.{field}::{}", self.type_name),
            _ => format!("r.{field}"),
        };
        match self.json {
            Some(json) if self.not_null => format!("coalesce({value}, 'null'::pg_catalog.{json})"),
            _ => value,
        }
    }

    /// A value as jsonb can compare it: json may hold what jsonb cannot.
    fn comparable(&self, value: &str) -> String {
        if self.json != Some("json") {
            return value.to_owned();
        }
        format!(
            "CASE WHEN pg_catalog.strpos({value}::pg_catalog.text, {}) OPERATOR(pg_catalog.>) 0 \
             THEN pg_catalog.to_jsonb({value}::pg_catalog.text) ELSE pg_catalog.to_jsonb({value}) END",
            literal("\\u0000")
        )
    }
}

impl Shape<'_> {
    fn fields(&self) -> impl Iterator<Item = (String, &Column)> {
        [("k", &self.key), ("w", &self.wanted), ("e", &self.expect), ("s", &self.set)].into_iter().flat_map(
            |(prefix, list)| list.iter().enumerate().map(move |(i, c)| (format!("{prefix}{i}"), *c)),
        )
    }

    fn record(&self) -> String {
        let mut columns = vec!["n pg_catalog.int4".to_owned()];
        for (field, column) in self.fields() {
            // json comes as its text: what reads the rows would stumble over \u0000 in it
            let type_name = if column.json == Some("json") { "pg_catalog.text" } else { &column.type_name };
            columns.push(format!("{field} {type_name}{}", column.collated()));
        }
        format!("pg_catalog.json_to_recordset($1::pg_catalog.json) AS r({})", columns.join(", "))
    }

    fn matches(alias: &str, prefix: &str, key: &[&Column]) -> String {
        let all: Vec<String> = key
            .iter()
            .enumerate()
            .map(|(i, c)| c.equal(&format!("{alias}.{}", ident(&c.name)), &format!("r.{prefix}{i}")))
            .collect();
        all.join(" AND ")
    }

    fn image_of_table(&self) -> String {
        let all: Vec<String> =
            self.expect.iter().map(|c| c.comparable(&format!("t.{}", ident(&c.name)))).collect();
        format!("pg_catalog.to_jsonb(ROW({}))", all.join(", "))
    }

    fn image_of_record(&self) -> String {
        let all: Vec<String> =
            self.expect.iter().enumerate().map(|(i, c)| c.comparable(&c.value(&format!("e{i}")))).collect();
        format!("pg_catalog.to_jsonb(ROW({}))", all.join(", "))
    }

    /// For rows without key: which row of the table each is. Of rows that are all the same each is
    /// used once.
    fn pairs(&self) -> String {
        format!(
            "WITH r AS MATERIALIZED (SELECT r.*, v.image, pg_catalog.row_number() OVER (PARTITION BY v.image) AS nth \
             FROM {} CROSS JOIN LATERAL (SELECT {} AS image) v), \
             t AS MATERIALIZED (SELECT t.ctid AS place, t.tableoid AS part, v.image, pg_catalog.row_number() OVER (PARTITION BY v.image) AS nth \
             FROM {} AS t CROSS JOIN LATERAL (SELECT {} AS image) v \
             WHERE v.image OPERATOR(pg_catalog.=) ANY (SELECT r.image FROM r)) ",
            self.record(),
            self.image_of_record(),
            self.table.target(),
            self.image_of_table()
        )
    }

    const SAME_PAIR: &'static str =
        "t.image OPERATOR(pg_catalog.=) r.image AND t.nth OPERATOR(pg_catalog.=) r.nth";

    /// The rows as the table has them: number, whether it is there, whether a row with the key to
    /// restore is there, the values expected to be there as they are and as they should be (both
    /// NULL if the same), and the values of the record as text in the order k, w, e, s: without e
    /// where there is a key.
    pub fn look(&self) -> String {
        let shown = |field: &String| self.key.is_empty() || !field.starts_with('e');
        let texts: Vec<String> = self
            .fields()
            .map(|(field, _)| field)
            .filter(shown)
            .map(|field| format!("r.{field}::pg_catalog.text"))
            .collect();
        let texts = format!("ARRAY[{}]::pg_catalog.text[]", texts.join(", "));
        let table = self.table.target();
        if self.key.is_empty() && !self.expect.is_empty() {
            return format!(
                "{}SELECT r.n, t.place IS NOT NULL, false, NULL::pg_catalog.text, NULL::pg_catalog.text, {texts} \
                 FROM r LEFT JOIN t ON {}",
                self.pairs(),
                Self::SAME_PAIR
            );
        }
        let mut found = ["false", "false"];
        let mut from = self.record();
        if !self.key.is_empty() {
            found[0] = "t.ctid IS NOT NULL";
            from += &format!(" LEFT JOIN {table} AS t ON {}", Self::matches("t", "k", &self.key));
        }
        if !self.wanted.is_empty() {
            found[1] = "w.ctid IS NOT NULL";
            from += &format!(" LEFT JOIN {table} AS w ON {}", Self::matches("w", "w", &self.wanted));
        }
        let images = if self.expect.is_empty() {
            "NULL::pg_catalog.jsonb AS now, NULL::pg_catalog.jsonb AS was".to_owned()
        } else {
            format!("{} AS now, {} AS was", self.image_of_table(), self.image_of_record())
        };
        format!(
            "SELECT r.n, {}, {}, \
             CASE WHEN v.now OPERATOR(pg_catalog.<>) v.was THEN v.now::pg_catalog.text END, \
             CASE WHEN v.now OPERATOR(pg_catalog.<>) v.was THEN v.was::pg_catalog.text END, {texts} \
             FROM {from} CROSS JOIN LATERAL (SELECT {images} OFFSET 0) v",
            found[0], found[1]
        )
    }

    /// Locks the rows, in the order of the key.
    pub fn lock(&self) -> String {
        let (record, table) = (self.record(), self.table.target());
        if self.key.is_empty() {
            return format!(
                "SELECT FROM {table} AS t WHERE {} OPERATOR(pg_catalog.=) ANY (SELECT {} FROM {record}) FOR UPDATE OF t",
                self.image_of_table(),
                self.image_of_record()
            );
        }
        let order: Vec<String> = self.key.iter().map(|c| format!("t.{}", ident(&c.name))).collect();
        format!(
            "SELECT FROM {record} JOIN {table} AS t ON {} ORDER BY {} FOR UPDATE OF t",
            Self::matches("t", "k", &self.key),
            order.join(", ")
        )
    }

    pub fn insert(&self) -> String {
        let names: Vec<String> = self.set.iter().map(|c| ident(&c.name)).collect();
        let values: Vec<String> =
            self.set.iter().enumerate().map(|(i, c)| c.value(&format!("s{i}"))).collect();
        let overriding = if self.table.overriding { " OVERRIDING SYSTEM VALUE" } else { "" };
        format!(
            "INSERT INTO {} ({}){overriding} SELECT {} FROM {} ORDER BY r.n",
            qualified(&self.table.schema, &self.table.name),
            names.join(", "),
            values.join(", "),
            self.record()
        )
    }

    pub fn update(&self) -> String {
        let sets: Vec<String> = self
            .set
            .iter()
            .enumerate()
            .map(|(i, c)| format!("{} = {}", ident(&c.name), c.value(&format!("s{i}"))))
            .collect();
        self.change(|target| format!("UPDATE {target} AS x SET {} FROM ", sets.join(", ")))
    }

    pub fn delete(&self) -> String {
        self.change(|target| format!("DELETE FROM {target} AS x USING "))
    }

    fn change(&self, verb: impl Fn(&str) -> String) -> String {
        let verb = verb(&self.table.target());
        if self.key.is_empty() {
            return format!(
                "{}{verb}r JOIN t ON {} \
                 WHERE x.ctid OPERATOR(pg_catalog.=) t.place AND x.tableoid OPERATOR(pg_catalog.=) t.part",
                self.pairs(),
                Self::SAME_PAIR
            );
        }
        let (prefix, key) = if self.by_wanted { ("w", &self.wanted) } else { ("k", &self.key) };
        format!("{verb}{} WHERE {}", self.record(), Self::matches("x", prefix, key))
    }

    /// What is done to one row, for people: `texts` are its values as `look` gives them.
    pub fn statement(&self, verb: &str, texts: &[Option<String>]) -> String {
        let name = qualified(&self.table.schema, &self.table.name);
        let mut texts = texts.iter().map(Option::as_deref);
        let mut take = |list: &[&Column]| -> Vec<(String, String, Option<&'static str>)> {
            list.iter()
                .map(|c| (ident(&c.name), constant(c, texts.next().flatten()), c.compared_as()))
                .collect()
        };
        let (key, _) = (take(&self.key), take(&self.wanted));
        let expect = if self.key.is_empty() { take(&self.expect) } else { vec![] };
        let set = take(&self.set);
        let lists = |pick: fn(&(String, String, Option<&'static str>)) -> String| -> String {
            set.iter().map(pick).collect::<Vec<_>>().join(", ")
        };
        if verb == "INSERT" {
            let overriding = if self.table.overriding { " OVERRIDING SYSTEM VALUE" } else { "" };
            let (names, values) = (lists(|s| s.0.clone()), lists(|s| s.1.clone()));
            return format!("INSERT INTO {name} ({names}){overriding} VALUES ({values});");
        }
        let all = |list: &[(String, String, Option<&'static str>)]| -> String {
            let is =
                |(name, value, json): &(String, String, Option<&'static str>)| match (value.as_str(), json) {
                    ("NULL", _) => format!("{name} IS NULL"),
                    (_, Some("json")) => format!("{name}::jsonb = {value}"),
                    (_, Some("text")) => format!("{name}::text = {value}"),
                    _ => format!("{name} = {value}"),
                };
            list.iter().map(is).collect::<Vec<_>>().join(" AND ")
        };
        let only = self.table.target();
        let place = if key.is_empty() {
            format!("(tableoid, ctid) = (SELECT tableoid, ctid FROM {only} WHERE {} LIMIT 1)", all(&expect))
        } else {
            all(&key)
        };
        if verb == "DELETE" {
            return format!("DELETE FROM {only} WHERE {place};");
        }
        format!("UPDATE {only} SET {} WHERE {place};", lists(|s| format!("{} = {}", s.0, s.1)))
    }
}

/// A value as a statement for people has it.
fn constant(column: &Column, text: Option<&str>) -> String {
    const NUMBERS: [&str; 5] = ["smallint", "integer", "bigint", "numeric", "boolean"];
    let Some(text) = text else {
        return match column.json {
            Some(_) if column.not_null => literal("null"),
            _ => "NULL".to_owned(),
        };
    };
    let is_number = NUMBERS.iter().any(|n| column.type_name.split('(').next() == Some(n))
        && (text == "true"
            || text == "false"
            || text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b)));
    if is_number && !text.starts_with('-') {
        text.to_owned()
    } else {
        literal(text)
    }
}

/// Constraints by schema and name; `when` is DEFERRED or IMMEDIATE.
pub fn set_constraints(names: &[(String, String)], when: &str) -> String {
    let names: Vec<String> = names.iter().map(|(schema, name)| qualified(schema, name)).collect();
    format!("SET CONSTRAINTS {} {when}", names.join(", "))
}
