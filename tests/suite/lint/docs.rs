//! The pages of docs/lint are made from the rules. To write them anew:
//! `DBGUARD_WRITE_DOCS=1 cargo test -p dbguard-tests --test suite -- lint::docs`.

use dbguard_core::lint::{explain, rules};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[test]
fn the_pages_are_those_of_the_rules() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lint"));
    let rules = rules::all();
    let mut wanted: BTreeMap<String, String> =
        rules.iter().map(|r| (format!("{}.md", r.code), explain::page(r))).collect();
    wanted.insert("README.md".to_owned(), explain::contents(&rules));
    if std::env::var_os("DBGUARD_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        wanted.iter().for_each(|(name, page)| std::fs::write(folder.join(name), page).unwrap());
    }
    let there: BTreeMap<String, String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(p).unwrap()))
        .collect();
    let stale: Vec<&String> =
        wanted.iter().filter(|(n, page)| there.get(*n) != Some(page)).map(|(n, _)| n).collect();
    assert_eq!(stale, Vec::<&String>::new(), "pages that are not as their rules");
    let strange: Vec<&String> = there.keys().filter(|n| !wanted.contains_key(*n)).collect();
    assert_eq!(strange, Vec::<&String>::new(), "pages without a rule");
}
