//! Side-by-side measurements: `./dev bench audit`. Ratios within one run are what counts; the
//! numbers are the backend's own CPU time, medians of interleaved rounds.

mod audit;
mod measure;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("audit") => audit::run(),
        _ => {
            eprintln!("usage: ./dev bench audit");
            std::process::exit(2);
        }
    }
}
