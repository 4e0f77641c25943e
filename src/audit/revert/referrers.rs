//! Rows of other tables that refer to a row that is to be deleted: a foreign key would delete or change
//! them along with it, and nobody asked for that.

use super::step::Step;
use super::table::Table;
use crate::ddl::referrers::Referrer;
use crate::error::Result;
use crate::pg::user::{as_role, Fence};
use dbguard_core::audit::conflict::{Conflict, Fate};
use dbguard_core::audit::fold::Action;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// A foreign key that refers to one of the tables.
pub struct ForeignKey {
    /// By position among the tables.
    parent: usize,
    /// The same of the table that has it, or of that one's root; None if it is none of them.
    child: Option<usize>,
    schema: String,
    name: String,
    kind: String,
    owner: Oid,
    fate: Fate,
    columns: Vec<String>,
    /// Positions in the parent.
    refers_to: Vec<usize>,
    operators: Vec<(String, String)>,
}

/// All foreign keys that refer to the tables.
pub fn foreign_keys(tables: &[Option<Table>]) -> Result<Vec<ForeignKey>> {
    const KEYS: &str = "
        SELECT coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid), n.nspname::text, c.relname::text, c.relkind::text,
               c.relowner, k.confdeltype::text, u.columns, u.refers_to, u.schemas, u.operators
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (
          SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, array_agg(f.attname::text ORDER BY u.place) AS refers_to,
                 array_agg(s.nspname::text ORDER BY u.place) AS schemas, array_agg(o.oprname::text ORDER BY u.place) AS operators
          FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY u(attnum, refers_to, operator, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
          JOIN pg_catalog.pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.refers_to
          JOIN pg_catalog.pg_operator o ON o.oid = u.operator
          JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace) u
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid = $1
        ORDER BY k.conrelid, k.conname";
    let mut list = vec![];
    for (parent, table) in tables.iter().enumerate() {
        let Some(table) = table else { continue };
        Spi::connect(|client| -> std::result::Result<(), pgrx::spi::Error> {
            for row in client.select(KEYS, None, &[table.oid.into()])? {
                let text = |n: usize| row.get::<String>(n).map(Option::unwrap_or_default);
                let texts = |n: usize| row.get::<Vec<String>>(n).map(Option::unwrap_or_default);
                let child = row.get::<Oid>(1)?;
                let refers_to = texts(8)?.iter().filter_map(|name| table.position(name)).collect();
                list.push(ForeignKey {
                    parent,
                    child: tables.iter().position(|t| t.as_ref().map(|t| t.oid) == child),
                    schema: text(2)?,
                    name: text(3)?,
                    kind: text(4)?,
                    owner: row.get(5)?.unwrap_or(Oid::INVALID),
                    fate: match text(6)?.as_str() {
                        "c" => Fate::Deleted,
                        "n" | "d" => Fate::Changed,
                        _ => Fate::InTheWay,
                    },
                    columns: texts(7)?,
                    refers_to,
                    operators: texts(9)?.into_iter().zip(texts(10)?).collect(),
                });
            }
            Ok(())
        })?;
    }
    Ok(list)
}

impl ForeignKey {
    /// The steps that delete a row others refer to, with the conflict. `fresh`: as it is at this very
    /// moment, not when the caller's statement began.
    pub fn conflicts(
        &self,
        tables: &[Option<Table>],
        steps: &[Step],
        fresh: bool,
    ) -> Result<Vec<(usize, Conflict)>> {
        let Some(Some(parent)) = tables.get(self.parent) else { return Ok(vec![]) };
        let child = self.child.and_then(|at| tables.get(at)?.as_ref());
        let rows = self.rows_that_go(steps);
        // which of equal rows goes cannot be told
        let unknown = child.is_some_and(|child| child.key.is_empty()) && self.undone(steps).next().is_some();
        if rows == "[]" || unknown {
            return Ok(vec![]);
        }
        let of_parent = |at: &usize| parent.columns.get(*at).map(|c| &c.sql);
        let columns = self.columns.iter().zip(&self.refers_to).zip(&self.operators);
        let referrer = Referrer {
            schema: &self.schema,
            name: &self.name,
            partitioned: self.kind == "p",
            columns: columns
                .filter_map(|((name, at), (s, o))| {
                    Some((name.as_str(), of_parent(at)?, (s.as_str(), o.as_str())))
                })
                .collect(),
            key: child
                .map(|t| t.key.iter().filter_map(|at| t.columns.get(*at)).map(|c| &c.sql).collect())
                .unwrap_or_default(),
        };
        let query = referrer.count();
        let args = [rows.into(), self.left_out(steps).into()];
        // whoever may delete a row need not be allowed to see what refers to it
        as_role(self.owner, Fence::Restricted, || {
            Ok(Spi::connect_mut(|client| -> std::result::Result<_, pgrx::spi::Error> {
                let counted = if fresh {
                    client.update(&query, None, &args)
                } else {
                    client.select(&query, None, &args)
                };
                let mut list = vec![];
                for row in counted? {
                    let (step, rows) = (row.get::<i32>(1)?, row.get::<i64>(2)?);
                    let conflict = Conflict::Referenced {
                        table: self.name.clone(),
                        rows: rows.unwrap_or_default(),
                        fate: self.fate,
                    };
                    list.push((step.unwrap_or_default() as usize, conflict));
                }
                Ok(list)
            })?)
        })
    }

    /// The rows to be deleted, as the query takes them: those of which all is known that is referred to.
    fn rows_that_go(&self, steps: &[Step]) -> String {
        let goes = |(_, s): &(usize, &Step)| {
            s.table == self.parent && s.stands() && s.action == Some(Action::Delete)
        };
        let row = |(n, step): (usize, &Step)| {
            let mut json = format!("{{\"n\":{n}");
            for (i, at) in self.refers_to.iter().enumerate() {
                let (_, value) = step.locate.iter().chain(&step.expect).find(|(column, _)| column == at)?;
                json += &format!(",\"f{i}\":{value}");
            }
            Some(json + "}")
        };
        let rows: Vec<String> = steps.iter().enumerate().filter(goes).filter_map(row).collect();
        format!("[{}]", rows.join(","))
    }

    /// The steps that take rows of the child away, or make them refer to something else.
    fn undone<'s>(&'s self, steps: &'s [Step]) -> impl Iterator<Item = &'s Step> {
        steps.iter().filter(|step| {
            Some(step.table) == self.child
                && step.stands()
                && match step.action {
                    Some(Action::Delete) => true,
                    Some(Action::Update) => step.net.as_ref().is_some_and(|net| {
                        self.columns.iter().any(|column| net.set_to.get(column).is_some())
                    }),
                    _ => false,
                }
        })
    }

    fn left_out(&self, steps: &[Step]) -> String {
        let row = |step: &Step| {
            let values: Vec<String> =
                step.locate.iter().enumerate().map(|(i, (_, value))| format!("\"k{i}\":{value}")).collect();
            format!("{{{}}}", values.join(","))
        };
        format!("[{}]", self.undone(steps).map(row).collect::<Vec<_>>().join(","))
    }
}
