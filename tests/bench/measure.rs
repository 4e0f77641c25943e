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

    /// CPU and wall time of `work`, in milliseconds.
    pub fn timed(&mut self, work: impl FnOnce(&mut Client)) -> Time {
        let started = std::time::Instant::now();
        let cpu = self.cost(work) / 1000.0;
        Time { cpu, wall: started.elapsed().as_secs_f64() * 1000.0 }
    }

    /// Memory the backend has to itself, in MB.
    pub fn memory(&self) -> f64 {
        private_memory(self.pid)
    }

    /// CPU microseconds, and the most memory of its own the backend has meanwhile, in MB.
    pub fn cost_and_peak(&mut self, work: impl FnOnce(&mut Client)) -> (f64, f64) {
        let pid = self.pid;
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let mut most: f64 = 0.0;
            while stopped.recv_timeout(std::time::Duration::from_millis(5)).is_err() {
                most = most.max(private_memory(pid));
            }
            most
        });
        let cost = self.cost(work);
        let _ = stop.send(());
        (cost, watch.join().unwrap_or_default())
    }
}

/// Memory a process has to itself, in MB.
fn private_memory(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap_or_default();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kilobytes / 1024.0
}

/// Milliseconds.
#[derive(Clone, Copy)]
pub struct Time {
    pub cpu: f64,
    pub wall: f64,
}

/// Medians of both.
pub fn middle(times: &[Time]) -> Time {
    let of = |part: fn(&Time) -> f64| median(&times.iter().map(part).collect::<Vec<_>>());
    Time { cpu: of(|t| t.cpu), wall: of(|t| t.wall) }
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
