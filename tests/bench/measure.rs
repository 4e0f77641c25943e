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

    /// The same, and the most memory of its own the backend has meanwhile, in MB.
    pub fn cost_and_peak(&mut self, work: impl FnOnce(&mut Client)) -> (f64, f64) {
        let path = format!("/proc/{}/status", self.pid);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let mut most: f64 = 0.0;
            while stopped.recv_timeout(std::time::Duration::from_millis(5)).is_err() {
                let status = std::fs::read_to_string(&path).unwrap_or_default();
                let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap_or_default();
                let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
                most = most.max(kilobytes / 1024.0);
            }
            most
        });
        let cost = self.cost(work);
        let _ = stop.send(());
        (cost, watch.join().unwrap_or_default())
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
