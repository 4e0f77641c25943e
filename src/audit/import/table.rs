//! One table of another tool's log: what is known here of the table its entries are about.

use crate::audit::choose::audited;
use crate::audit::choose::options::{Found, Listed};
use crate::audit::store::lineage;
use crate::ddl::import::{Key, Shape, Source};
use crate::error::{Error, Result};
use crate::pg::relation::{describe, Relation};
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

/// What to make of the entries of a table. `exists` and `audited` are for the note.
pub struct Known {
    pub shape: Shape,
    pub lineage: Option<i32>,
    /// 0 if it does not exist.
    pub oid: u32,
    pub exists: bool,
}

/// Err(Ok(note)) for a table whose entries cannot be taken in.
pub fn known(source: &Source, schema: &str, name: &str) -> Result<std::result::Result<Known, String>> {
    let Some(table) = present(schema, name)? else {
        let lineage = lineage::of(&absent(schema, name), "")?;
        let columns = lineage.map(last_key).transpose()?.unwrap_or_default();
        let key = (!columns.is_empty()).then_some(Key { columns, relation: None });
        let shape = Shape { key, ..Shape::default() };
        return Ok(Ok(Known { shape, lineage, oid: 0, exists: false }));
    };
    let home = audited::home(&table);
    let mut shape = Shape::default();
    if let Some(audited) = audited::of(&table)? {
        let columns = audited::columns(&table);
        let names = |list: &[Listed]| audited.options.names(list, &columns, &home);
        shape.exclude = names(&audited.options.exclude);
        shape.redact = names(&audited.options.redact);
        let mut listed = audited.options.exclude.iter().chain(&audited.options.redact);
        if listed.any(|c| audited.options.find(c, &columns, &home) == Found::Lost) {
            return Ok(Err(
                "an excluded or redacted column cannot be found: call audit_enable first".to_owned()
            ));
        }
    }
    let columns = table.key();
    let hidden = columns.iter().any(|c| shape.exclude.contains(c) || shape.redact.contains(c));
    let types = types(table.oid)?;
    if !columns.is_empty() && !hidden {
        // of these the text in a JSON image is the text of the key
        let plain = |c: &String| match types.iter().find(|(name, ..)| name == c) {
            Some((_, _, own)) => {
                ["int2", "int4", "int8", "text", "varchar", "uuid", ""].contains(&own.as_str())
            }
            None => false,
        };
        let relation = (!columns.iter().all(plain)).then_some(table.oid.to_u32());
        shape.key = Some(Key { columns, relation });
    }
    if source.texts_only {
        let typed = types.into_iter().filter(|(_, _, own)| !own.is_empty() && own != "text");
        shape.types = typed.map(|(name, type_name, _)| (name, type_name)).collect();
    }
    let lineage = lineage::of(&table, &home)?;
    Ok(Ok(Known { shape, lineage, oid: table.oid.to_u32(), exists: true }))
}

fn present(schema: &str, name: &str) -> Result<Option<Relation>> {
    const BY_NAME: &str = "
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
    let found = Spi::connect(|client| -> std::result::Result<Option<Oid>, pgrx::spi::Error> {
        let args = [schema.into(), name.into()];
        client.select(BY_NAME, Some(1), &args)?.next().map_or(Ok(None), |row| row.get::<Oid>(1))
    })?;
    Ok(found.and_then(describe))
}

/// For a look-up by name only.
fn absent(schema: &str, name: &str) -> Relation {
    Relation {
        oid: Oid::INVALID,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: 'r',
        persistence: 'p',
        is_partition: false,
        owner: Oid::INVALID,
        columns: vec![],
        triggers: vec![],
    }
}

/// The key of a table that is gone, as the log last knew it.
fn last_key(lineage: i32) -> Result<Vec<String>> {
    const KEY: &str =
        "SELECT key_columns::text[] FROM dbguard.audit_relation WHERE lineage = $1 ORDER BY id DESC LIMIT 1";
    let key = Spi::connect(|client| {
        client.select(KEY, Some(1), &[lineage.into()])?.first().get_one::<Vec<String>>()
    })?;
    Ok(key.unwrap_or_default())
}

/// Columns, their types as SQL names them, and the type's own name; this is empty for types that are
/// not PostgreSQL's own: their code must not run with the rights of whoever imports.
fn types(relation: Oid) -> Result<Vec<(String, String, String)>> {
    const TYPES: &str = "
        SELECT a.attname::text, format_type(b.oid, NULL),
               CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname::text ELSE '' END
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
        WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped";
    Spi::connect(|client| {
        let mut types = vec![];
        for row in client.select(TYPES, None, &[relation.into()])? {
            let text = |n| Ok::<_, Error>(row.get::<String>(n)?.unwrap_or_default());
            types.push((text(1)?, text(2)?, text(3)?));
        }
        Ok(types)
    })
}
