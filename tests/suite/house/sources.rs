//! The rules of the house, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = vec![];
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|e| path.extension().is_some_and(|x| x == *e)) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder}");
    found
}

/// Lines of code (comments cut off) that hold `word`, outside the paths that may.
fn code_with(folder: &str, word: &str, may: &[&str]) -> Vec<String> {
    let mut lines = vec![];
    for (path, text) in files(folder, &["rs"]) {
        if may.iter().any(|m| path.starts_with(m)) {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(word) {
                lines.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    lines
}

#[test]
fn unsafe_is_only_in_src_pg() {
    assert_eq!(code_with("src", "unsafe", &["src/pg", "src/pg.rs"]), Vec::<String>::new());
    assert_eq!(code_with("core", "unsafe", &[]), Vec::<String>::new());
    assert!(!code_with("src", "unsafe", &[]).is_empty());
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    let mut bare = vec![];
    for (path, text) in files("src", &["rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let block = code.contains("unsafe {") && !code.contains("unsafe extern");
            let said = lines[n.saturating_sub(8)..n].iter().any(|l| l.contains("SAFETY"));
            if block && !said {
                bare.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn versions_differ_only_in_compat() {
    for word in ["feature = \"pg15\"", "feature = \"pg16\"", "feature = \"pg17\"", "feature = \"pg18\""] {
        assert_eq!(code_with("src", word, &["src/pg/compat.rs"]), Vec::<String>::new());
    }
}

#[test]
fn statements_are_built_only_in_ddl() {
    for word in [
        "format!(\"SELECT",
        "format!(\"ALTER",
        "format!(\"CREATE",
        "format!(\"DROP",
        "format!(\"INSERT",
        "format!(\"UPDATE",
        "format!(\"DELETE",
    ] {
        assert_eq!(code_with("src", word, &["src/ddl", "src/ddl.rs"]), Vec::<String>::new());
    }
}

#[test]
fn the_install_script_only_creates() {
    for (path, text) in files("sql", &["sql"]) {
        // CREATE OR REPLACE and IF NOT EXISTS would take over what somebody planted (CVE-2022-2625)
        for (n, line) in text.lines().enumerate() {
            let code = line.split("--").next().unwrap_or_default().to_uppercase();
            assert!(
                !code.contains("OR REPLACE") && !code.contains("IF NOT EXISTS"),
                "{}:{}: {line}",
                path.display(),
                n + 1
            );
        }
    }
}

#[test]
fn nothing_is_left_open() {
    let open = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "unimpl".to_owned() + "emented!"];
    for folder in ["src", "core", "sql", "docs", "demo"] {
        for (path, text) in files(folder, &["rs", "sql", "md", "sh"]) {
            for word in &open {
                assert!(!text.contains(word.as_str()), "{} in {}", word, path.display());
            }
        }
    }
}
