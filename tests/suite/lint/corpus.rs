//! Precision on schemas that nobody here wrote. Where they lie beside the project (or in the folder
//! DBGUARD_CORPUS names), each finding of the default profile must have been looked at: a line of its
//! file in expected/ says whether it is true, and why. A finding without a line, a line without a
//! finding and a finding known to be false fail.

use dbguard_core::lint::select::glob;
use dbguard_tests::{Cluster, Db};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/schemas");
    std::env::var_os("DBGUARD_CORPUS").map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

/// Lies beside that folder.
fn migrations(of: &str) -> PathBuf {
    folder().join("../migrations").join(of)
}

/// The dump as plain SQL that the server's user can read.
fn unpacked(dump: &Path, to: &Path) {
    let text = if dump.extension().is_some_and(|e| e == "gz") {
        let out = Command::new("gzip").arg("-dc").arg(dump).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    } else {
        std::fs::read(dump).unwrap()
    };
    std::fs::write(to, text).unwrap();
}

/// `needs`: extensions that the dump is nothing without.
fn judge(dump: &str, needs: &[&str], expected: &str) {
    let dump = folder().join(dump);
    if !dump.exists() {
        eprintln!("skipped: {} is not there", dump.display());
        return;
    }
    let mut db = Db::new();
    if !db.offers(needs) {
        return;
    }
    let plain = std::env::temp_dir().join(format!("{}.sql", db.name));
    unpacked(&dump, &plain);
    Cluster::shared().run("psql", &["-X", "-q", "-d", &db.name, "-f", plain.to_str().unwrap()]);
    std::fs::remove_file(&plain).unwrap();
    compare(&mut db, expected);
}

/// Runs migrations in their order, each until its first error. `failing`: how many files stopped at one.
fn judge_migrations(of: &str, failing: usize, expected: &str) {
    let folder = migrations(of);
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = files.map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "sql"));
    files.sort();
    let mut db = Db::new();
    let plain = std::env::temp_dir().join(format!("{}.sql", db.name));
    let mut failed = vec![];
    for file in &files {
        unpacked(file, &plain);
        let stop = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &db.name, "-f", plain.to_str().unwrap()];
        if !Cluster::shared().run("psql", &stop).status.success() {
            failed.push(file.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    std::fs::remove_file(&plain).unwrap();
    assert_eq!(failed.len(), failing, "of {}: {failed:?}", files.len());
    compare(&mut db, expected);
}

fn compare(db: &mut Db, expected: &str) {
    // the test cluster runs without autovacuum
    let found = db.rows("SELECT code, object, message FROM dbguard.lint() WHERE status = 'open' AND details->>'setting' IS NULL");
    assert!(!found.is_empty());
    let lines: Vec<Vec<&str>> =
        expected.lines().filter(|l| !l.starts_with('#')).map(|l| l.split('\t').collect()).collect();
    let covers = |line: &[&str], f: &[String]| line[0] == f[0] && glob(line[1], &f[1]);
    let mut wrong = vec![];
    for f in &found {
        match lines.iter().find(|line| covers(line, f)) {
            None => wrong.push(format!("not looked at: {}", f.join(" "))),
            Some(line) if line[2] != "true" => wrong.push(format!("false: {}: {}", f.join(" "), line[3])),
            Some(_) => {}
        }
    }
    for line in &lines {
        assert_eq!(line.len(), 4, "{line:?}");
        if !found.iter().any(|f| covers(line, f)) {
            wrong.push(format!("no longer found: {} {}", line[0], line[1]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn adventureworks() {
    judge("adventureworks.sql", &["uuid-ossp", "tablefunc"], include_str!("expected/adventureworks.tsv"));
}

#[test]
fn chinook() {
    judge("chinook.sql", &[], include_str!("expected/chinook.tsv"));
}

#[test]
fn litellm() {
    judge_migrations("litellm", 0, include_str!("expected/litellm.tsv"));
}

#[test]
fn northwind() {
    judge("northwind.sql", &[], include_str!("expected/northwind.tsv"));
}

#[test]
fn pagila() {
    judge("pagila.sql.gz", &[], include_str!("expected/pagila.tsv"));
}
