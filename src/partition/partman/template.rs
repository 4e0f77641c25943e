//! What pg_partman's template table gives to partitions, as options of ours.

use crate::error::Result;
use crate::partition::extra::Extra;
use dbguard_core::quote::ident;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// Storage options and unique indexes of a template table that its set does not have itself; and what
/// else it has, in sentences.
pub fn of(parent: Oid, template: &(String, String), notes: &mut Vec<String>) -> Result<Extra> {
    const TEMPLATE: &str = "
        SELECT c.oid,
               coalesce(c.reloptions, '{}') || (SELECT array_agg('toast.' || o) FROM unnest(t.reloptions) o), c.relpersistence = 'u',
               s.spcname::text
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
        LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
        WHERE n.nspname::text = $1 AND c.relname::text = $2";
    let mut extra = Extra::default();
    let (schema, name) = template;
    let found = Spi::connect(|client| {
        let args = [schema.as_str().into(), name.as_str().into()];
        let Some(row) = client.select(TEMPLATE, Some(1), &args)?.next() else { return Ok(None) };
        Ok::<_, pgrx::spi::Error>(Some((
            row.get::<Oid>(1)?,
            row.get::<Vec<Option<String>>>(2)?,
            row.get::<bool>(3)?,
            row.get::<String>(4)?,
        )))
    })?;
    let Some((Some(oid), options, unlogged, tablespace)) = found else {
        notes.push(format!("template_table: there is no table {schema}.{name}."));
        return Ok(extra);
    };
    extra.storage_options = options.into_iter().flatten().flatten().collect();
    if unlogged == Some(true) {
        notes.push("template_table: it is unlogged; new partitions are logged.".to_owned());
    }
    if let Some(tablespace) = tablespace {
        notes.push(format!(
            "template_table: it is in tablespace {}; new partitions go where the table says: ALTER TABLE ... SET TABLESPACE.",
            ident(&tablespace)
        ));
    }
    indexes(parent, oid, &mut extra, notes)?;
    Ok(extra)
}

/// An index that the set has, on the same columns and of the same kind, comes with ATTACH.
fn indexes(parent: Oid, template: Oid, extra: &mut Extra, notes: &mut Vec<String>) -> Result<()> {
    const INDEXES: &str = "
        SELECT c.relname::text, i.indisprimary,
               i.indisunique AND i.indexprs IS NULL AND i.indpred IS NULL AND i.indnatts = i.indnkeyatts
                 AND NOT i.indnullsnotdistinct AND i.indimmediate AND i.indisvalid,
               (SELECT array_agg(a.attname::text ORDER BY k.n)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = $2
          AND NOT EXISTS (
            SELECT FROM pg_index p
            WHERE p.indrelid = $1 AND p.indisunique = i.indisunique
              AND substring(pg_get_indexdef(p.indexrelid) FROM ' USING .*')
                = substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*'))
        ORDER BY c.relname";
    Spi::connect(|client| {
        for row in client.select(INDEXES, None, &[parent.into(), template.into()])? {
            let name: String = row.get(1)?.unwrap_or_default();
            let columns: Vec<Option<String>> = row.get(4)?.unwrap_or_default();
            let columns: Vec<String> = columns.into_iter().flatten().map(|column| ident(&column)).collect();
            if row.get(3)? == Some(true) {
                extra.unique_on.push(columns.join(", "));
                if row.get(2)? == Some(true) {
                    notes.push(format!(
                        "template_table: primary key {} becomes a unique index of each new partition.",
                        ident(&name)
                    ));
                }
            } else {
                notes.push(format!(
                    "template_table: index {} is not taken over. Create it on the table itself, if it can be there.",
                    ident(&name)
                ));
            }
        }
        Ok(())
    })
}
