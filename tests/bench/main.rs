//! Side-by-side measurements: `./dev bench audit`, `audit-read`, `seal`, `memory`, `partition`,
//! `lint`, `touch`, `tenant`. Ratios within one run are what counts; the numbers are the backend's own CPU time, medians of interleaved rounds.

mod audit;
mod audit_read;
mod lint;
mod measure;
mod memory;
mod partition;
mod seal;
mod tenant;
mod touch;

fn main() {
    let rounds = std::env::args().nth(2).and_then(|n| n.parse().ok());
    match std::env::args().nth(1).as_deref() {
        Some("audit") => audit::run(rounds.unwrap_or(5)),
        Some("audit-read") => audit_read::run(rounds.unwrap_or(5)),
        Some("seal") => seal::run(),
        Some("lint") => lint::run(rounds.unwrap_or(5)),
        Some("memory") => memory::run(rounds.unwrap_or(5)),
        Some("tenant") => tenant::run(rounds.unwrap_or(5)),
        Some("touch") => touch::run(rounds.unwrap_or(5)),
        Some("partition") => {
            partition::run(rounds.unwrap_or(5), &std::env::args().skip(3).collect::<Vec<_>>())
        }
        _ => {
            eprintln!("usage: ./dev bench audit [ROUNDS] | audit-read [ROUNDS] | seal | lint [ROUNDS] | touch [ROUNDS] | tenant [ROUNDS] | memory [MILLIONS] | partition [ROUNDS [PART...]]");
            std::process::exit(2);
        }
    }
}
