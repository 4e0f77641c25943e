//! The transcripts of the docs, run again by the server's own psql: what a page shows is what there is.
//!
//! A transcript is a fenced block without a language in which a line begins with a prompt. All of a page run in one
//! session, after `docs/<page>.sql` beside this file has made what the page takes for granted, and has stopped the clock.
//! `=#` is the superuser, `=>` the role that the file names in `docs.reader`, if it does.

use dbguard_tests::{Cluster, Db};
use std::fs;
use std::path::{Path, PathBuf};

/// Pages whose transcripts nobody runs.
const UNCHECKED: &[&str] = &["audit-shipping", "partition-convert", "partition-partman"];

/// Transcripts, by page and first line, that show what a test cannot have: big tables, other people's sessions.
const ILLUSTRATIONS: &[(&str, &str)] = &[
    (
        "README",
        "SELECT severity, code, object, fix_sql FROM dbguard.lint(rules => '{IDX001,IDX002,TYP006}');",
    ),
    ("partition", "SELECT state, tries, blockers FROM dbguard.partition_run WHERE tries > 1;"),
];

struct Step {
    statement: String,
    reader: bool,
    expected: Vec<String>,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn fixture(page: &str) -> PathBuf {
    root().join("tests/suite/house/docs").join(format!("{page}.sql"))
}

/// README and the pages of docs/, by name, with their text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        paths.push(entry.unwrap().path());
    }
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut pages: Vec<_> =
        paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    pages.sort();
    pages
}

/// A line's statement, if it is one.
fn prompted(line: &str) -> Option<&str> {
    ["=# ", "=> "].iter().find_map(|prompt| line.strip_prefix(prompt))
}

/// The transcripts of a page, each as its steps.
fn transcripts(text: &str) -> Vec<Vec<Step>> {
    let (mut all, mut block, mut fence): (_, Vec<(usize, &str)>, _) = (vec![], vec![], None);
    for (n, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(language),
            (Some(_), Some(language)) => {
                if language.is_empty() && block.iter().any(|(_, l)| prompted(l).is_some()) {
                    all.push(steps(&block));
                }
                block.clear();
                fence = None;
            }
            (None, Some(_)) => block.push((n + 1, line)),
            (None, None) => {}
        }
    }
    all
}

fn steps(block: &[(usize, &str)]) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![];
    for (line, text) in block {
        let more = ["-# ", "-> "].iter().find_map(|prompt| text.strip_prefix(prompt));
        match (prompted(text), more, steps.last_mut()) {
            (Some(statement), _, _) => {
                let (statement, reader) = (statement.to_owned(), text.starts_with("=>"));
                steps.push(Step { statement, reader, expected: vec![], line: *line })
            }
            (None, Some(more), Some(step)) => step.statement += &format!("\n{more}"),
            (None, None, Some(step)) => step.expected.push((*text).to_owned()),
            (None, _, None) => panic!("line {line}: a transcript begins with a prompt"),
        }
    }
    steps
}

/// Without what nobody sees: blanks at the end of a line, blank lines at the end.
fn compared<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// What psql says to each statement: messages first, then rows.
fn run(page: &str, steps: &[Step]) -> Vec<Vec<String>> {
    // the tests' own server has it off, which lint would tell
    let cluster = Cluster::start(&["autovacuum = on"]);
    let db = Db::new_in(&cluster);
    let path = fixture(page);
    let mut args: Vec<String> = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"].map(str::to_owned).into();
    args.extend([db.name.clone(), "-f".to_owned(), path.display().to_string()]);
    let mut say = |command: &str| args.extend(["-c".to_owned(), command.to_owned()]);
    say("\\unset ON_ERROR_STOP");
    say("\\pset footer off");
    for (n, step) in steps.iter().enumerate() {
        let role =
            if step.reader { "coalesce(current_setting('docs.reader', true), 'none')" } else { "'none'" };
        say(&format!("DO $$ BEGIN PERFORM set_config('role', {role}, false); END $$"));
        say(&format!("\\echo @@{n}"));
        say(&format!("\\warn @@{n}"));
        let records = step.expected.first().is_some_and(|l| l.starts_with("-[ RECORD"));
        say(if records { "\\x on" } else { "\\x off" });
        say(&step.statement);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let out = db.cluster().run("psql", &args);
    let (rows, messages) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let part = |text: &str, n: usize| -> Vec<String> {
        let after = text.split(&format!("@@{n}\n")).nth(1);
        let after = after.unwrap_or_else(|| panic!("{page}: psql ended before step {n}: {messages}"));
        let end = format!("@@{}\n", n + 1);
        compared(after.split(&end).next().unwrap_or_default().lines())
    };
    (0..steps.len()).map(|n| [part(&messages, n), part(&rows, n)].concat()).collect()
}

fn check(page: &str) {
    let (_, text) = pages().into_iter().find(|(name, _)| name == page).expect("the page is there");
    let illustrates = |steps: &[Step]| ILLUSTRATIONS.contains(&(page, steps[0].statement.as_str()));
    let steps: Vec<Step> =
        transcripts(&text).into_iter().filter(|steps| !illustrates(steps)).flatten().collect();
    let mut wrong = String::new();
    for (step, said) in steps.iter().zip(run(page, &steps)) {
        let expected = compared(step.expected.iter().map(String::as_str));
        if said != expected {
            let shown = |lines: &[String]| lines.join("\n");
            wrong += &format!(
                "\n{page}, line {}: {}\n--- the page\n{}\n--- psql\n{}\n",
                step.line,
                step.statement,
                shown(&expected),
                shown(&said)
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_page_is_checked_or_said_not_to_be() {
    let pages = pages();
    for (page, text) in &pages {
        let shows = !transcripts(text).is_empty();
        let (checked, unchecked) = (fixture(page).exists(), UNCHECKED.contains(&page.as_str()));
        assert_eq!(shows, checked || unchecked, "{page}");
        assert!(!(checked && unchecked), "{page} is checked");
    }
    for (page, first) in ILLUSTRATIONS {
        let (_, text) = pages.iter().find(|(name, _)| name == page).expect("the page is there");
        assert!(transcripts(text).iter().any(|steps| steps[0].statement == *first), "{page}: {first}");
    }
}

#[test]
fn readme() {
    check("README");
}

#[test]
fn soft_delete() {
    check("soft-delete");
}

#[test]
fn touch() {
    check("touch");
}

#[test]
fn lint() {
    check("lint");
}

#[test]
fn partition() {
    check("partition");
}

#[test]
fn tenant_data() {
    check("tenant-data");
}

#[test]
fn tenant() {
    check("tenant");
}

#[test]
fn partition_drain() {
    check("partition-drain");
}
