//! CPU time of a backend, and medians.

use postgres::Client;

/// A session and the process that serves it.
pub struct Session {
    pub client: Client,
    pid: i32,
}

impl Session {
    pub fn new(mut client: Client) -> Session {
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        Session { client, pid }
    }

    /// Time the backend has spent on a CPU so far, in microseconds.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", self.pid));
        let stat = stat.expect("/proc/PID/schedstat: the benchmark needs Linux");
        stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
    }

    /// CPU microseconds that `work` costs the backend.
    pub fn cost(&mut self, work: impl FnOnce(&mut Client)) -> f64 {
        let before = self.cpu();
        work(&mut self.client);
        self.cpu() - before
    }
}

/// NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
