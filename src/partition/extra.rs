//! What the owner of a set wants on its partitions that a partitioned table cannot hold itself, and
//! whether each partition is split once more. Stored as text that is parsed and quoted, or plain
//! values: nothing that could be executed.

use super::config::write;
use crate::ddl::partition::Hash;
use crate::error::{Error, Result};
use dbguard_core::partition::list;

/// More children would be planned and locked by every query that prunes badly.
const MOST_CHILDREN: i32 = 256;

/// As the arguments of partition_enable and the columns of dbguard.partition_set of these names.
#[derive(Clone, Default, PartialEq)]
pub struct Extra {
    pub storage_options: Vec<String>,
    pub unique_on: Vec<String>,
    pub policies: bool,
    pub sub_by: Option<String>,
    pub sub_count: Option<i32>,
}

impl Extra {
    /// Keeps it with the set stored under a name.
    pub fn store(&self, schema: &str, name: &str) -> Result<()> {
        write(
            "UPDATE dbguard.partition_set
             SET storage_options = $3, unique_on = $4, policies = $5, sub_by = $6, sub_count = $7
             WHERE schema_name = $1::name AND table_name = $2::name",
            &[
                schema.into(),
                name.into(),
                self.storage_options.clone().into(),
                self.unique_on.clone().into(),
                self.policies.into(),
                self.sub_by.as_deref().into(),
                self.sub_count.into(),
            ],
        )?;
        Ok(())
    }

    /// Whether all of it can be read.
    pub fn check(&self) -> Result<()> {
        self.storage()?;
        self.unique()?;
        self.hash()?;
        Ok(())
    }

    /// Names and values of the storage options.
    pub fn storage(&self) -> Result<Vec<(String, String)>> {
        let read = |text: &String| {
            list::option(text).ok_or_else(|| {
                Error::invalid_parameter(format!("invalid value in \"storage_options\": \"{text}\""))
                    .hint("Give name=value, such as '{fillfactor=70,toast.autovacuum_enabled=false}'.")
            })
        };
        self.storage_options.iter().map(read).collect()
    }

    /// The columns of each unique index.
    pub fn unique(&self) -> Result<Vec<Vec<String>>> {
        self.unique_on.iter().map(|text| columns("unique_on", text)).collect()
    }

    /// How each partition is split once more.
    pub fn hash(&self) -> Result<Option<Hash>> {
        match (&self.sub_by, self.sub_count) {
            (None, None) => Ok(None),
            (Some(by), Some(count)) if (2..=MOST_CHILDREN).contains(&count) => {
                Ok(Some(Hash { columns: columns("sub_by", by)?, count: count.unsigned_abs() }))
            }
            (Some(_), Some(count)) => {
                Err(Error::invalid_parameter(format!("invalid value for \"sub_count\": {count}"))
                    .hint(format!("Give a number of partitions from 2 to {MOST_CHILDREN}.")))
            }
            _ => Err(Error::invalid_parameter("\"sub_by\" and \"sub_count\" must be given together")
                .hint("Give both, such as sub_by => 'tenant', sub_count => 4, or neither.")),
        }
    }
}

fn columns(argument: &str, text: &str) -> Result<Vec<String>> {
    list::columns(text).ok_or_else(|| {
        Error::invalid_parameter(format!("invalid value for \"{argument}\": \"{text}\""))
            .detail("It is not a list of different column names.")
            .hint("Give names separated by commas, as in SQL: 'tenant, \"Order No\"'.")
    })
}
