//! A rule as a page: plain text for psql, Markdown for docs/lint.

use crate::lint::profile::Profile;
use crate::lint::rule::{Category, Rule};

pub fn explain(rule: &Rule) -> String {
    let mut text = format!(
        "{} {} ({}, {})\n\n{}.\n\n",
        rule.code,
        rule.name,
        rule.severity.as_str(),
        rule.category.as_str(),
        rule.title,
    );
    // a user's own rule may have less to say
    let parts = [
        ("", wrapped(rule.why), "\n\n"),
        ("Bad:\n", indented(rule.bad), "\n\n"),
        ("Good:\n", indented(rule.good), "\n\n"),
        ("Fix: ", wrapped(rule.remedy), "\n"),
    ];
    for (before, part, after) in parts.iter().filter(|(_, part, _)| !part.is_empty()) {
        text.push_str(&format!("{before}{part}{after}"));
    }
    for p in rule.params {
        text.push_str(&format!("Number: {} (usually {}): {}\n", p.name, p.default, p.about));
    }
    text.push_str(&format!("Profiles: {}\n", profiles(rule)));
    if !rule.peers.is_empty() {
        text.push_str(&format!("{}\n", wrapped(&format!("Elsewhere: {}", rule.peers))));
    }
    text.push_str(&format!("Silence: {}\n", silence(rule)));
    text
}

/// For docs/lint.
pub fn page(rule: &Rule) -> String {
    let mut text = format!(
        "# {code}: {title}\n\n`{name}`, {severity}, {category}. Profiles: {profiles}.\n\n{why}\n\n\
         ## Bad\n\n```sql\n{bad}\n```\n\n## Good\n\n```sql\n{good}\n```\n\n## How to mend it\n\n{remedy}\n",
        code = rule.code,
        title = rule.title,
        name = rule.name,
        severity = rule.severity.as_str(),
        category = rule.category.as_str(),
        profiles = profiles(rule),
        why = rule.why,
        bad = rule.bad,
        good = rule.good,
        remedy = rule.remedy,
    );
    if !rule.params.is_empty() {
        text.push_str("\n## Numbers\n\n| name | usually | what |\n|---|---|---|\n");
        for p in rule.params {
            text.push_str(&format!("| {} | {} | {} |\n", p.name, p.default, p.about));
        }
    }
    text.push_str(&format!("\n## How to silence it\n\n```sql\n{}\n```\n", silence(rule)));
    if !rule.peers.is_empty() {
        text.push_str(&format!(
            "\n## Elsewhere\n\nOther tools have this, or something near it: {}.\n",
            rule.peers
        ));
    }
    text
}

/// The list of all pages.
pub fn contents(rules: &[&Rule]) -> String {
    let mut text = "# The rules of lint\n\nMade from the rules themselves.\n\n\
                    | code | rule | severity | what |\n|---|---|---|---|\n"
        .to_owned();
    for r in rules {
        let code = r.code;
        text.push_str(&format!(
            "| [{code}]({code}.md) | {} | {} | {} |\n",
            r.name,
            r.severity.as_str(),
            r.title
        ));
    }
    text
}

fn profiles(rule: &Rule) -> String {
    let all: Vec<&str> = Profile::ALL.into_iter().filter(|p| p.has(rule)).map(Profile::as_str).collect();
    all.join(", ")
}

fn silence(rule: &Rule) -> String {
    let code = rule.code;
    let mut ways = vec![format!(
        "SELECT dbguard.lint_ignore('{code}', 'object as lint shows it', 'why it is right here');"
    )];
    let of_tables = matches!(
        rule.category,
        Category::Integrity
            | Category::Tenancy
            | Category::Indexes
            | Category::Types
            | Category::Lifecycle
            | Category::Partitioning
    );
    if of_tables {
        ways.push(format!(
            "COMMENT ON TABLE orders IS '@dbguard ignore {code} until 2030-12-31 -- why it is right here';"
        ));
    }
    ways.push(format!("SELECT * FROM dbguard.lint_configure('{code}', false);"));
    ways.join("\n")
}

/// Lines that a terminal shows whole.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width > 0 && width + 1 + word.chars().count() > 80 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.chars().count();
    }
    out
}

fn indented(sql: &str) -> String {
    sql.lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}
