//! What partition_enable was asked for. What is not said stays as it is; a new set has the defaults.

use super::extra::Extra;
use super::set::{self, Options, Registered, State};
use crate::error::{Error, Result};
use pgrx::datum::Interval;

/// The arguments, `None` where nothing was said. An empty `anchor` or `sub_by` takes away what there is.
pub struct Asked {
    pub every: Option<Interval>,
    pub ahead: Option<i32>,
    pub zone: Option<String>,
    pub anchor: Option<String>,
    pub key_unit: Option<String>,
    pub storage_options: Option<Vec<String>>,
    pub unique_on: Option<Vec<String>>,
    pub policies: Option<bool>,
    pub sub_by: Option<String>,
    pub sub_count: Option<i32>,
}

impl Asked {
    /// The whole of what the set shall be, if it was `known` or is new.
    pub fn complete(self, known: Option<Registered>) -> Result<(Options, Extra)> {
        let known = known.filter(|known| !matches!(known.state, State::Gone));
        let (before, extra) = known.map(|known| (known.options, known.extra)).unzip();
        let extra = extra.unwrap_or_default();
        let every = self.every.or(before.as_ref().map(|before| before.every));
        let zone = self.zone.or_else(|| before.as_ref().map(|before| before.zone.clone()));
        let zone = zone.unwrap_or_else(|| "UTC".to_owned());
        let anchor = match self.anchor.as_deref() {
            None => before.as_ref().and_then(|before| before.anchor),
            Some("") => None,
            Some(text) => Some(set::anchor(text, &zone)?),
        };
        let options = Options {
            every: every.ok_or_else(|| Error::null_argument("every"))?,
            ahead: self.ahead.or(before.as_ref().map(|before| before.ahead)).unwrap_or(4),
            zone,
            anchor,
            key_unit: self.key_unit.or_else(|| before.and_then(|before| before.key_unit)),
        };
        let (sub_by, sub_count) = match self.sub_by.as_deref() {
            Some("") => (None, self.sub_count),
            _ => (self.sub_by.or(extra.sub_by), self.sub_count.or(extra.sub_count)),
        };
        let extra = Extra {
            storage_options: self.storage_options.unwrap_or(extra.storage_options),
            unique_on: self.unique_on.unwrap_or(extra.unique_on),
            policies: self.policies.unwrap_or(extra.policies),
            sub_by,
            sub_count,
        };
        Ok((options, extra))
    }
}
