//! A throwaway cluster: initdb, start, stop, crash, remove.

use postgres::{Client, Config, NoTls};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub struct Cluster {
    dir: tempfile::TempDir,
    bin: PathBuf,
    child: Option<Child>,
    /// The most a file may hold.
    most_bytes: Option<u64>,
}

fn pg_config(what: &str) -> PathBuf {
    let program = std::env::var("DBGUARD_PG_CONFIG").unwrap_or_else(|_| "pg_config".into());
    let out = Command::new(&program).arg(what).output();
    let out = out.unwrap_or_else(|e| panic!("{program}: {e}; run the tests through ./dev test"));
    String::from_utf8(out.stdout).unwrap().trim().into()
}

/// The user to drop to when we are root: postgres, or nobody where there is no such user.
fn drop_to() -> Option<(u32, u32)> {
    // SAFETY: plain libc calls on static strings; getpwnam's result is read at once.
    unsafe {
        if libc::geteuid() != 0 {
            return None;
        }
        for name in [c"postgres", c"nobody"] {
            let entry = libc::getpwnam(name.as_ptr());
            if !entry.is_null() {
                return Some(((*entry).pw_uid, (*entry).pw_gid));
            }
        }
    }
    panic!("no user to run the server as")
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut c = Command::new(program);
    if let Some((uid, gid)) = drop_to() {
        c.uid(uid).gid(gid);
    }
    c.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
    c
}

static SHARED: OnceLock<Cluster> = OnceLock::new();

/// Statics are not dropped: stop the shared server and remove its directory at exit.
extern "C" fn remove_shared() {
    if let Some(cluster) = SHARED.get() {
        if let Some(child) = &cluster.child {
            // SAFETY: our own child; waitpid so that its directory is free to go.
            unsafe {
                libc::kill(child.id() as i32, libc::SIGQUIT);
                libc::waitpid(child.id() as i32, std::ptr::null_mut(), 0);
            }
        }
        let _ = std::fs::remove_dir_all(cluster.dir.path());
    }
}

impl Cluster {
    /// The cluster all tests of this run share. Started from a thread that lives as long as the
    /// process: the server dies with the thread that spawned it.
    pub fn shared() -> &'static Cluster {
        SHARED.get_or_init(|| {
            let (send, receive) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                send.send(Cluster::start(&[])).unwrap();
                loop {
                    std::thread::park();
                }
            });
            let cluster = receive.recv().expect("the shared cluster starts");
            // SAFETY: a plain function without captures.
            unsafe { libc::atexit(remove_shared) };
            cluster
        })
    }

    /// A cluster of the caller's own, with these lines in postgresql.conf.
    pub fn start(conf: &[&str]) -> Cluster {
        let bin = pg_config("--bindir");
        let dir = tempfile::Builder::new().prefix("dbguard-").tempdir().unwrap();
        if let Some((uid, gid)) = drop_to() {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = dir.path().join("data");
        let mut initdb = command(bin.join("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let out = initdb.arg(&data).output().unwrap();
        assert!(out.status.success(), "initdb: {}", String::from_utf8_lossy(&out.stderr));
        let mut text = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\n\
             max_connections = 100\nmax_prepared_transactions = 5\nwal_level = logical\n\
             autovacuum = off\n",
            dir.path().display()
        );
        for line in conf {
            text.push_str(line);
            text.push('\n');
        }
        let path = data.join("postgresql.conf");
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, old + &text).unwrap();
        let mut cluster = Cluster { dir, bin, child: None, most_bytes: None };
        cluster.up();
        cluster
    }

    /// A cluster whose files cannot grow beyond so many bytes: what a full disk is to a server.
    pub fn with_files_up_to(bytes: u64) -> Cluster {
        let mut cluster = Cluster::start(&[]);
        cluster.down(libc::SIGINT);
        cluster.most_bytes = Some(bytes);
        cluster.up();
        cluster
    }

    /// A hot standby of another cluster, streaming from it.
    pub fn standby_of(primary: &Cluster) -> Cluster {
        let dir = tempfile::Builder::new().prefix("dbguard-").tempdir().unwrap();
        if let Some((uid, gid)) = drop_to() {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = dir.path().join("data");
        let out = primary
            .run("pg_basebackup", &["-R", "-X", "stream", "-c", "fast", "-D", &data.display().to_string()]);
        assert!(out.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&out.stderr));
        let path = data.join("postgresql.conf");
        let old = std::fs::read_to_string(&path).unwrap();
        // the last line of a setting counts
        let own = format!("unix_socket_directories = '{}'\n", dir.path().display());
        std::fs::write(&path, old + &own).unwrap();
        let mut cluster = Cluster { dir, bin: pg_config("--bindir"), child: None, most_bytes: None };
        cluster.up();
        cluster
    }

    /// Starts the server and waits until it answers.
    pub fn up(&mut self) {
        let path = self.dir.path().join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut cmd = command(self.bin.join("postgres"));
        cmd.arg("-D").arg(self.dir.path().join("data")).stdin(Stdio::null());
        cmd.stdout(log.try_clone().unwrap()).stderr(log);
        // SAFETY: prctl and setrlimit are async-signal-safe; the server must not outlive the test, however that ends.
        unsafe {
            let limit = self.most_bytes.map(|bytes| libc::rlimit { rlim_cur: bytes, rlim_max: bytes });
            cmd.pre_exec(move || {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
                match limit {
                    Some(limit) if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) != 0 => {
                        Err(std::io::Error::last_os_error())
                    }
                    _ => Ok(()),
                }
            });
        }
        self.child = Some(cmd.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        while self.try_connect("postgres", "postgres").is_err() {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("server exited {status}: {}", self.log());
            }
            assert!(Instant::now() < until, "server did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server: SIGINT is a fast shutdown, SIGQUIT a crash.
    pub fn down(&mut self, signal: i32) {
        if let Some(mut child) = self.child.take() {
            // SAFETY: our own child.
            unsafe { libc::kill(child.id() as i32, signal) };
            child.wait().unwrap();
        }
    }

    /// Runs one of the server's own programs (pg_dump, psql, pg_restore ...) against this cluster.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        let mut cmd = command(self.bin.join(program));
        cmd.env("PGHOST", self.dir.path()).env("PGUSER", "postgres").args(args).output().unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn try_connect(&self, db: &str, user: &str) -> Result<Client, postgres::Error> {
        self.config(db, user).connect(NoTls)
    }

    /// How to connect, for those who want more than that.
    pub fn config(&self, db: &str, user: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.dir.path()).user(user).dbname(db);
        config
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.down(libc::SIGINT);
    }
}
