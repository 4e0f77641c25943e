//! Side-by-side measurements: `./dev bench audit`, `./dev bench audit-read`. Ratios within one run are what counts; the
//! numbers are the backend's own CPU time, medians of interleaved rounds.

mod audit;
mod audit_read;
mod measure;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("audit") => audit::run(),
        Some("audit-read") => audit_read::run(),
        _ => {
            eprintln!("usage: ./dev bench audit|audit-read");
            std::process::exit(2);
        }
    }
}
