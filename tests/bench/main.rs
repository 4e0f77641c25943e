//! Side-by-side measurements: `./dev bench audit`, `./dev bench memory`. Ratios within one run are what counts; the
//! numbers are the backend's own CPU time, medians of interleaved rounds.

mod audit;
mod measure;
mod memory;
mod seal;

fn main() {
    let rounds = std::env::args().nth(2).and_then(|n| n.parse().ok());
    match std::env::args().nth(1).as_deref() {
        Some("audit") => audit::run(rounds.unwrap_or(5)),
        Some("memory") => memory::run(rounds.unwrap_or(5)),
        Some("seal") => seal::run(),
        _ => {
            eprintln!("usage: ./dev bench audit [ROUNDS] | memory [MILLIONS] | seal");
            std::process::exit(2);
        }
    }
}
