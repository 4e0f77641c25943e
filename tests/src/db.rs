//! A database of a test's own, and plain ways to talk to it.

use crate::Cluster;
use postgres::{Client, NoTls, SimpleQueryMessage};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the server said when it refused.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlError {
    pub code: String,
    pub message: String,
    pub detail: String,
    pub hint: String,
}

/// A session in a fresh database. The database goes with the session that made it.
pub struct Db<'a> {
    cluster: &'a Cluster,
    pub name: String,
    client: Client,
    owns: bool,
}

/// What a session was sent beside results: severity, message, detail and hint, a line each.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// The lines since the last call.
    pub fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Switches the guard triggers of the audit log off.
const UNGUARD: &str = "
    DO $$ DECLARE t record;
    BEGIN
      FOR t IN SELECT tgrelid::regclass AS rel, tgname FROM pg_trigger
               WHERE tgfoid = 'dbguard._audit_guard()'::regprocedure AND tgparentid = 0 LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', t.rel, t.tgname);
      END LOOP;
    END $$";

static NEXT: AtomicU32 = AtomicU32::new(1);

impl Db<'static> {
    /// A fresh database with the extension, in the shared cluster, as superuser.
    pub fn new() -> Db<'static> {
        Db::new_in(Cluster::shared())
    }
}

impl Default for Db<'static> {
    fn default() -> Self {
        Db::new()
    }
}

impl<'a> Db<'a> {
    /// A fresh database with the extension, in `cluster`.
    pub fn new_in(cluster: &'a Cluster) -> Db<'a> {
        let mut db = Db::empty_in(cluster);
        db.exec("CREATE EXTENSION dbguard");
        db
    }

    /// A fresh database without the extension.
    pub fn empty_in(cluster: &'a Cluster) -> Db<'a> {
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = cluster.try_connect("postgres", "postgres").unwrap();
        // template0 is never in use by another session, unlike template1
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
        let client = cluster.try_connect(&name, "postgres").unwrap();
        Db { cluster, name, client, owns: true }
    }

    /// A session in a database that is there already.
    pub fn existing_in(cluster: &'a Cluster, name: &str) -> Db<'a> {
        let client = cluster.try_connect(name, "postgres").unwrap();
        Db { cluster, name: name.to_owned(), client, owns: false }
    }

    /// A second session of the superuser in this database.
    pub fn connect(&self) -> Db<'a> {
        self.connect_as("postgres")
    }

    /// A second session in this database, as `role` (which is made if it is not there).
    pub fn connect_as(&self, role: &str) -> Db<'a> {
        let mut admin = self.cluster.try_connect("postgres", "postgres").unwrap();
        let known = admin.query("SELECT FROM pg_roles WHERE rolname = $1", &[&role]).unwrap();
        if known.is_empty() {
            // two tests may make the same role at once; either's is good
            let _ = admin.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN"));
        }
        let client = self.cluster.try_connect(&self.name, role).unwrap();
        Db { cluster: self.cluster, name: self.name.clone(), client, owns: false }
    }

    /// Runs `sql` in a session of its own, which must have to wait for a lock; then `release` in the one that holds it. How
    /// many rows `sql` came to, or what the server said.
    #[track_caller]
    pub fn while_it_waits(&mut self, mut holder: Db, sql: &str, release: &str) -> Result<u64, SqlError> {
        let mut waiter = self.connect();
        let pid = waiter.value("SELECT pg_backend_pid()");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || waiter.client.execute(sql, &[]).map_err(sql_error));
            let waits =
                format!("SELECT coalesce(wait_event_type, '') FROM pg_stat_activity WHERE pid = {pid}");
            let until = Instant::now() + Duration::from_secs(30);
            while self.value(&waits) != "Lock" {
                assert!(Instant::now() < until, "did not wait: {sql}");
                std::thread::sleep(Duration::from_millis(10));
            }
            holder.exec(release);
            waiting.join().unwrap()
        })
    }

    /// A second session of the superuser, and the NOTICEs and WARNINGs it is sent.
    pub fn connect_listening(&self) -> (Db<'a>, Heard) {
        let heard = Heard::default();
        let mut config = self.cluster.config(&self.name, "postgres");
        let ear = heard.clone();
        config.notice_callback(move |notice| {
            let (detail, hint) = (notice.detail().unwrap_or_default(), notice.hint().unwrap_or_default());
            let line = [notice.severity(), notice.message(), detail, hint].join(" | ");
            ear.0.lock().unwrap().push(line);
        });
        let client = config.connect(NoTls).unwrap();
        (Db { cluster: self.cluster, name: self.name.clone(), client, owns: false }, heard)
    }

    /// Runs statements; fails the test with the server's words if one fails.
    #[track_caller]
    pub fn exec(&mut self, sql: &str) {
        if let Err(e) = self.try_exec(sql) {
            panic!("{e:?}\nin: {sql}");
        }
    }

    /// Runs statements; returns what the server said if one failed.
    pub fn try_exec(&mut self, sql: &str) -> Result<(), SqlError> {
        self.client.batch_execute(sql).map_err(sql_error)
    }

    /// All rows of a query in text form, NULL as `<null>`.
    #[track_caller]
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.client.simple_query(sql).map_err(sql_error);
        let messages = messages.unwrap_or_else(|e| panic!("{e:?}\nin: {sql}"));
        let mut rows = vec![];
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|i| row.get(i).unwrap_or("<null>").into()).collect());
            }
        }
        rows
    }

    /// The rows of a query, each as its columns joined by ` | `: reads well in an assertion.
    #[track_caller]
    pub fn lines(&mut self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|r| r.join(" | ")).collect()
    }

    /// The only value of a query.
    #[track_caller]
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert!(rows.len() == 1 && rows[0].len() == 1, "not one value: {rows:?}\nin: {sql}");
        rows[0][0].clone()
    }

    /// Whether the server has these extensions to offer; says which test is skipped when it has not.
    pub fn offers(&mut self, extensions: &[&str]) -> bool {
        let list = extensions.join(",");
        let missing = self.lines(&format!(
            "SELECT unnest('{{{list}}}'::text[]) EXCEPT SELECT name::text FROM pg_available_extensions"
        ));
        if !missing.is_empty() {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("skipped: {test}: this server has no {}", missing.join(", "));
        }
        missing.is_empty()
    }

    /// The error that statements must raise.
    #[track_caller]
    pub fn error(&mut self, sql: &str) -> SqlError {
        match self.client.simple_query(sql) {
            Err(e) => sql_error(e),
            Ok(_) => panic!("no error from: {sql}"),
        }
    }

    /// Lets this database's superusers change what is in the audit log, as a tamperer would.
    #[track_caller]
    pub fn unguard(&mut self) {
        self.exec(UNGUARD);
    }

    /// The client itself, for typed parameters, COPY and transactions.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// The server's major version.
    pub fn major(&mut self) -> u32 {
        self.value("SELECT current_setting('server_version_num')::int / 10000").parse().unwrap()
    }
}

impl Drop for Db<'_> {
    fn drop(&mut self) {
        if self.owns {
            if let Ok(mut admin) = self.cluster.try_connect("postgres", "postgres") {
                let _ = admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
            }
        }
    }
}

fn sql_error(e: postgres::Error) -> SqlError {
    match e.as_db_error() {
        Some(e) => SqlError {
            code: e.code().code().into(),
            message: e.message().into(),
            detail: e.detail().unwrap_or_default().into(),
            hint: e.hint().unwrap_or_default().into(),
        },
        None => SqlError {
            code: String::new(),
            message: e.to_string(),
            detail: String::new(),
            hint: String::new(),
        },
    }
}
