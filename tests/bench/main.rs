//! Side-by-side measurements: `./dev bench audit`, `./dev bench memory`. Ratios within one run are what counts; the
//! numbers are the backend's own CPU time, medians of interleaved rounds.

mod audit;
mod measure;
