//! The page about lint lists the rules there are.

use dbguard_core::lint::rules;

#[test]
fn the_page_has_every_rule_as_it_is() {
    let page = include_str!("../../../docs/lint.md");
    for r in rules::all() {
        let line = format!("| {} | {} | {} | {} |", r.code, r.name, r.severity.as_str(), r.title);
        assert!(page.contains(&line), "docs/lint.md lacks: {line}");
    }
    assert_eq!(
        page.lines().filter(|l| l.starts_with("| ") && l.matches('|').count() == 5).count(),
        rules::all().len() + 1
    );
}
