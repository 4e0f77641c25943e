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
    /// How many distinct values a table of so many rows has.
    pub fn count(&self, rows: f64) -> f64 {
        let distinct = f64::from(self.distinct);
        if distinct < 0.0 {
            (-distinct * rows).round()
        } else {
            distinct
        }
    }

    /// All values that were seen, where no rarer ones are missing from the common ones.
    pub fn all_values(&self, rows: f64) -> Option<&[String]> {
        let count = self.count(rows);
        let complete = !self.has_others && count > 0.0 && self.common.len() as f64 == count;
        complete.then_some(self.common.as_slice())
    }

    pub fn values(&self) -> impl Iterator<Item = &String> {
        self.common.iter().chain(&self.bounds)
    }
}
