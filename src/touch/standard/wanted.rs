//! What the caller asks for.

use crate::error::{Error, Result};
use crate::touch::enable::elements;

/// How an id is made.
pub struct Id {
    name: &'static str,
    pub type_name: &'static str,
    /// With an empty table.
    pub made: &'static str,
    /// What rows have that have no id yet, and how pg_attribute shows that.
    pub unset: &'static str,
    pub missing: &'static str,
    /// None: it is an identity.
    pub default: Option<&'static str>,
}

const IDS: &[Id] = &[
    Id {
        name: "bigint",
        type_name: "bigint",
        made: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        unset: "0",
        missing: "{0}",
        default: None,
    },
    Id {
        name: "uuid",
        type_name: "uuid",
        made: "uuid DEFAULT gen_random_uuid() PRIMARY KEY",
        unset: "'00000000-0000-0000-0000-000000000000'",
        missing: "{00000000-0000-0000-0000-000000000000}",
        default: Some("gen_random_uuid()"),
    },
];

const TENANTS: &[(&str, &str)] =
    &[("uuid", "uuid"), ("bigint", "bigint"), ("int", "integer"), ("integer", "integer"), ("text", "text")];

/// In the order in which they are made.
const COLUMNS: &[&str] = &["id", "tenant_id", "created_at", "updated_at", "deleted_at"];

pub struct Wanted {
    pub columns: Vec<&'static str>,
    pub id: &'static Id,
    pub tenant_type: &'static str,
    /// Rows that are there get no time.
    pub existing_null: bool,
}

fn choice<'a, T>(argument: &str, given: Option<&str>, all: &'a [(&'a str, T)]) -> Result<&'a T> {
    let given = given.ok_or_else(|| Error::null_argument(argument))?;
    all.iter().find(|(name, _)| *name == given).map(|(_, value)| value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        Error::invalid_parameter(format!("invalid value for argument \"{argument}\": \"{given}\""))
            .detail(format!("It can be {}.", names.join(", ")))
            .hint("Give one of these.")
    })
}

impl Wanted {
    pub fn parse(
        columns: Option<Vec<Option<String>>>,
        id_type: Option<&str>,
        tenant_type: Option<&str>,
        existing: Option<&str>,
    ) -> Result<Wanted> {
        let asked = elements("columns", columns)?;
        if let Some(other) = asked.iter().find(|c| !COLUMNS.contains(&c.as_str())) {
            return Err(Error::invalid_parameter(format!("\"{other}\" is no standard column"))
                .detail(format!("Standard columns are {}.", COLUMNS.join(", ")))
                .hint("Add other columns by ALTER TABLE."));
        }
        let ids: Vec<(&str, &'static Id)> = IDS.iter().map(|id| (id.name, id)).collect();
        Ok(Wanted {
            columns: COLUMNS.iter().copied().filter(|c| asked.iter().any(|a| a == c)).collect(),
            id: choice("id_type", id_type, &ids)?,
            tenant_type: choice("tenant_type", tenant_type, TENANTS)?,
            existing_null: *choice("existing", existing, &[("now", false), ("null", true)])?,
        })
    }
}
