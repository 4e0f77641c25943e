//! A rule as a page of text.

use crate::lint::rule::Rule;

pub fn explain(rule: &Rule) -> String {
    format!(
        "{code} {name} ({severity}, {category})\n\n{title}.\n\n{why}\n\nBad:\n{bad}\n\nGood:\n{good}\n\n\
         Fix: {remedy}\n\nSilence: SELECT * FROM dbguard.lint(rules => '{{*,-{code}}}');\n",
        code = rule.code,
        name = rule.name,
        severity = rule.severity.as_str(),
        category = rule.category.as_str(),
        title = rule.title,
        why = rule.why,
        bad = indented(rule.bad),
        good = indented(rule.good),
        remedy = rule.remedy,
    )
}

fn indented(sql: &str) -> String {
    sql.lines().map(|l| format!("    {l}")).collect::<Vec<_>>().join("\n")
}
