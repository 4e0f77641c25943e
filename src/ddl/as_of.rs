//! The statements that show a table as it was.
//!
//! dbguard._audit_rewind tells of the rows that are not as they were: C changed (the row that is in
//! `place` now, and its values then), N new (the row in `place` was not there), G gone (its values).

use crate::pg::types::Shown;
use dbguard_core::quote::{ident, literal, qualified};

/// A column of the table as it is today.
pub struct Column {
    pub name: String,
    pub type_name: String,
    /// What it is today says nothing of then.
    pub added: bool,
    /// Nor does the log: it knew no column of that name.
    pub unknown: bool,
    /// Its values have columns of their own.
    pub composite: bool,
    /// The expression of a column that is computed when it is read.
    pub computed: Option<String>,
}

pub struct KeyColumn {
    pub name: String,
    pub shown: Shown,
}

pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub partitioned: bool,
    pub columns: Vec<Column>,
    pub key: Vec<KeyColumn>,
    /// Whether the key columns can be compared by operators of the server's own.
    pub comparable: bool,
}

impl Table {
    /// The whole table. $1 is the moment.
    pub fn whole(&self) -> String {
        let (from, key) = (self.from(), self.key_text());
        self.shown(&[
            format!(
                "SELECT {} FROM {from} WHERE NOT EXISTS (SELECT FROM o WHERE o.kind <> 'G' AND o.place = {key})",
                self.unchanged()
            ),
            format!("{} JOIN {from} ON {key} = o.place {} WHERE o.kind = 'C'", self.changed(), self.laid_over()),
            self.gone(),
        ], &format!("SELECT * FROM {}", self.rewind("NULL")))
    }

    /// One row. $1 is the moment, $2 the key as the log has it.
    pub fn row(&self) -> String {
        let (from, key) = (self.from(), self.key_text());
        let mut parts = vec![self.gone()];
        if self.comparable {
            let columns: Vec<String> = self.key.iter().map(|k| ident(&k.name)).collect();
            let equal: Vec<String> = columns.iter().map(|c| format!("t.{c} = k.{c}")).collect();
            parts.push(format!(
                "{} CROSS JOIN LATERAL dbguard._audit_populated({}, {}) k JOIN {from} ON {} {} WHERE o.kind = 'C'",
                self.changed(),
                self.null(),
                self.key_image(),
                equal.join(" AND "),
                self.laid_over()
            ));
        }
        if !self.comparable || self.is_cut() != "false" {
            let which = if self.comparable { self.is_cut() } else { "true" };
            parts.push(format!(
                "{} JOIN {from} ON {key} = o.place {} WHERE o.kind = 'C' AND {which}",
                self.changed(),
                self.laid_over()
            ));
        }
        self.shown(&parts, &format!("SELECT * FROM {} LIMIT 1", self.rewind("$2")))
    }

    /// The whole table, of one without a key: equal rows are counted. $1 is the moment.
    pub fn by_whole_rows(&self) -> String {
        let (from, null) = (self.from(), self.null());
        let images = format!(
            "SELECT i.image, sum(i.n) AS n FROM (
               SELECT to_jsonb(dbguard._audit_populated({null}, r.old)), CASE r.kind WHEN 'G' THEN 1 ELSE -1 END
               FROM {} r) i(image, n)
             GROUP BY i.image HAVING sum(i.n) <> 0",
            self.rewind("NULL")
        );
        self.shown(&[
            format!(
                "SELECT {} FROM {from} WHERE NOT EXISTS (SELECT FROM o WHERE o.image = to_jsonb(t.*))",
                self.unchanged()
            ),
            format!(
                "SELECT {} FROM o
                 LEFT JOIN (SELECT to_jsonb(t.*), count(*) FROM {from} GROUP BY 1) p(image, n) ON p.image = o.image
                 CROSS JOIN LATERAL generate_series(1, dbguard._audit_matched({}::regclass, o.n + coalesce(p.n, 0)))
                 CROSS JOIN LATERAL dbguard._audit_populated({null}, o.image) r",
                self.list("r"), self.oid
            ),
        ], &images)
    }

    /// Which value of which row cannot be read: place, column, why. $1 is the moment, $2 the key or NULL.
    pub fn unreadable(&self) -> String {
        format!(
            "SELECT place, column_name, problem FROM dbguard._audit_unreadable({}, {}::regclass, $1, $2)",
            self.null(),
            self.oid
        )
    }

    /// All parts, with what is computed from the other columns computed anew.
    fn shown(&self, parts: &[String], rewind: &str) -> String {
        let list: Vec<String> = self
            .columns
            .iter()
            .map(|c| match &c.computed {
                Some(expression) => format!("({expression})::{}", c.type_name),
                None => ident(&c.name),
            })
            .collect();
        format!(
            "WITH o AS MATERIALIZED ({rewind})\nSELECT {} FROM (\n{}\n) {}",
            list.join(", "),
            parts.join("\nUNION ALL\n"),
            ident(&self.name)
        )
    }

    fn rewind(&self, key: &str) -> String {
        format!("dbguard._audit_rewind({}::regclass, $1, {key})", self.oid)
    }

    /// Children by inheritance are tables of their own.
    fn from(&self) -> String {
        let only = if self.partitioned { "" } else { "ONLY " };
        format!("{only}{} t", qualified(&self.schema, &self.name))
    }

    fn null(&self) -> String {
        format!("NULL::{}", qualified(&self.schema, &self.name))
    }

    fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| c.computed.is_none())
    }

    fn list(&self, from: &str) -> String {
        let list: Vec<String> = self.stored().map(|c| format!("{from}.{}", ident(&c.name))).collect();
        list.join(", ")
    }

    fn unchanged(&self) -> String {
        let shown = |c: &Column| {
            if c.added {
                format!("NULL::{} AS {}", c.type_name, ident(&c.name))
            } else {
                format!("t.{}", ident(&c.name))
            }
        };
        let list: Vec<String> = self.stored().map(shown).collect();
        list.join(", ")
    }

    fn changed(&self) -> String {
        format!("SELECT {} FROM o", self.list("r"))
    }

    /// The row `t` as it was: what it is, without the columns it had not, and the old values over that.
    fn laid_over(&self) -> String {
        let added: Vec<String> =
            self.stored().filter(|c| c.added).map(|c| format!("{}, NULL", literal(&c.name))).collect();
        let old = if added.is_empty() {
            self.old()
        } else {
            format!("jsonb_build_object({}) || {}", added.join(", "), self.old())
        };
        format!("CROSS JOIN LATERAL dbguard._audit_populated({}, {old}) r", self.base())
    }

    /// What old values are laid over: row `t`. A composite value would be laid over the value of today, and
    /// show what its attributes are now where it had them not: over nothing instead.
    fn base(&self) -> String {
        let composite: Vec<String> =
            self.stored().filter(|c| c.composite).map(|c| literal(&c.name)).collect();
        if composite.is_empty() {
            return "t.*".to_owned();
        }
        format!(
            "dbguard._audit_populated(t.*, (SELECT coalesce(jsonb_object_agg(k, NULL), '{{}}') \
             FROM jsonb_object_keys(o.old) k WHERE k = ANY (ARRAY[{}])))",
            composite.join(", ")
        )
    }

    /// The old values, without those that columns had only later.
    fn old(&self) -> String {
        let unknown: Vec<String> = self.stored().filter(|c| c.unknown).map(|c| literal(&c.name)).collect();
        if unknown.is_empty() {
            return "o.old".to_owned();
        }
        format!("(o.old - ARRAY[{}])", unknown.join(", "))
    }

    fn gone(&self) -> String {
        format!(
            "SELECT {} FROM o CROSS JOIN LATERAL dbguard._audit_populated({}, {}) r WHERE o.kind = 'G'",
            self.list("r"),
            self.null(),
            self.old()
        )
    }

    /// The key of row `t` as the log writes it.
    fn key_text(&self) -> String {
        let value = |k: &KeyColumn| match k.shown {
            Shown::Numeric => format!("trim_scale(t.{})", ident(&k.name)),
            _ => format!("t.{}", ident(&k.name)),
        };
        let text = match self.key.as_slice() {
            [single] => {
                let column = format!("t.{}", ident(&single.name));
                match single.shown {
                    Shown::Plain => return format!("({column})::text COLLATE \"C\""),
                    Shown::Text | Shown::Jsonb => format!("({column})::text"),
                    Shown::Numeric => format!("trim_scale({column})::text"),
                    Shown::JsonText | Shown::Container => format!("(to_jsonb({column}) #>> '{{}}')"),
                }
            }
            several => {
                let pairs: Vec<String> =
                    several.iter().map(|k| format!("{}, {}", literal(&k.name), value(k))).collect();
                format!("jsonb_build_object({})::text", pairs.join(", "))
            }
        };
        format!("(CASE WHEN octet_length({text}) > 1000 THEN dbguard._audit_shortened({text}) ELSE {text} END) COLLATE \"C\"")
    }

    /// The key in `o.place` as an image of its columns; NULL if it was cut.
    fn key_image(&self) -> String {
        let image = match self.key.as_slice() {
            [single] => {
                let value = if matches!(single.shown, Shown::Container | Shown::Jsonb) {
                    "o.place::jsonb"
                } else {
                    "o.place"
                };
                format!("jsonb_build_object({}, {value})", literal(&single.name))
            }
            _ => "o.place::jsonb".to_owned(),
        };
        format!("CASE WHEN {} THEN NULL ELSE {image} END", self.is_cut())
    }

    /// Whether the key in `o.place` was too long to be kept whole.
    fn is_cut(&self) -> &'static str {
        match self.key.as_slice() {
            [KeyColumn { shown: Shown::Plain, .. }] => "false",
            _ => "o.place LIKE '%... sha256:%'",
        }
    }
}
