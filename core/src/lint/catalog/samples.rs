//! What ANALYZE found in a column, as pg_stats shows it.

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Share of NULLs.
    pub nulls: f32,
    /// Average bytes of a value.
    pub width: i32,
    /// How many distinct values; negative is a share of the rows.
    pub distinct: f32,
    /// Most common values. Left out where no rule could use them.
    pub common: Vec<String>,
    /// Bounds of the histogram of the others. Left out where no rule could use them.
    pub bounds: Vec<String>,
    /// There is a histogram, so the common values are not all.
    pub has_others: bool,
}

impl Sample {
    /// All values that were seen: neither NULL nor rare ones are missing.
    pub fn all_values(&self) -> Option<&[String]> {
        let complete = !self.has_others && self.distinct > 0.0 && self.common.len() as f32 == self.distinct;
        complete.then_some(self.common.as_slice())
    }

    pub fn values(&self) -> impl Iterator<Item = &String> {
        self.common.iter().chain(&self.bounds)
    }
}
