//! Reads names as people write them: orderItems, order_items, "Order Items".

/// The words of a name in lower case: parts between marks, and where a capital follows a small
/// letter or begins a new word after an abbreviation (HTTPServer).
pub fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (i, c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| chars.get(i)).copied().unwrap_or('_');
        let small_next = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let starts = c.is_uppercase() && (!before.is_uppercase() || small_next);
        if !c.is_alphanumeric() || starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Letters and digits alone, in lower case: the same for createdAt and created_at.
pub fn folded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().filter(|c| c.is_alphanumeric()) {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// Whether the name ends so, in whatever case: a look before the words are taken apart.
pub fn ends_with(name: &str, end: &str) -> bool {
    let tail = name.len().checked_sub(end.len()).and_then(|at| name.get(at..));
    tail.is_some_and(|t| t.eq_ignore_ascii_case(end))
}

/// One of what the last word says there are many of; None where it is one already or cannot be told.
pub fn singular(word: &str) -> Option<String> {
    const NO_PLURAL: &[&str] = &["ss", "us", "is", "as", "os", "ous", "ics"];
    if let Some((_, one)) = IRREGULAR.iter().find(|(many, _)| *many == word) {
        return Some((*one).to_owned());
    }
    if word.len() < 4 || NEITHER.contains(&word) || NO_PLURAL.iter().any(|end| word.ends_with(end)) {
        return None;
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    }
    for end in ["sses", "shes", "ches", "xes", "uses"] {
        if word.ends_with(end) {
            return word.strip_suffix("es").map(str::to_owned);
        }
    }
    word.strip_suffix('s').map(str::to_owned)
}

/// Words that are neither one nor many, or both.
pub fn is_neither(word: &str) -> bool {
    NEITHER.contains(&word)
}

const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("indices", "index"),
    ("matrices", "matrix"),
    ("vertices", "vertex"),
    ("criteria", "criterion"),
    ("phenomena", "phenomenon"),
    ("taxa", "taxon"),
    ("bacteria", "bacterium"),
    ("strata", "stratum"),
    ("spectra", "spectrum"),
    ("curricula", "curriculum"),
    ("errata", "erratum"),
    ("addenda", "addendum"),
    ("statuses", "status"),
    ("addresses", "address"),
    ("aliases", "alias"),
    ("analyses", "analysis"),
    ("bases", "base"),
    ("photos", "photo"),
    ("videos", "video"),
    ("logos", "logo"),
    ("todos", "todo"),
    ("repos", "repo"),
    ("memos", "memo"),
];

const NEITHER: &[&str] = &[
    "data",
    "metadata",
    "media",
    "info",
    "information",
    "staff",
    "news",
    "series",
    "species",
    "equipment",
    "inventory",
    "history",
    "stock",
    "feedback",
    "content",
    "traffic",
    "software",
    "hardware",
    "cache",
    "queue",
    "outbox",
    "inbox",
    "archive",
    "log",
    "audit",
    "config",
    "configuration",
    "settings",
    "preferences",
    "stats",
    "statistics",
    "analytics",
    "details",
    "meta",
    "status",
    "usage",
    "access",
    "address",
    "storage",
    "membership",
    "ownership",
    "mail",
    "email",
    "spam",
    "cash",
    "money",
    "sales",
    "goods",
    "lens",
    "bus",
    "gas",
    "alias",
    "canvas",
    "atlas",
    "corpus",
    "process",
    "progress",
    "billing",
    "pricing",
    "shipping",
    "master",
    "main",
    "temp",
    "tmp",
    "backup",
    "old",
    "new",
    "test",
    "ref",
    "map",
    "mapping",
    "lookup",
    "link",
    "rel",
    "xref",
    "tree",
    "graph",
    "index",
    "registry",
    "catalog",
    "payroll",
    "schema",
    "version",
    "table",
    "list",
    "view",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        assert_eq!(words("order_items"), ["order", "items"]);
        assert_eq!(words("OrderItems2"), ["order", "items2"]);
        assert_eq!(words("HTTPServer id.X"), ["http", "server", "id", "x"]);
        assert_eq!(words("__"), Vec::<String>::new());
        assert_eq!(folded("Created At_2Ä"), "createdat2ä");
        assert!(ends_with("orderStatus", "status") && ends_with("a", "") && !ends_with("é", "xyz"));
    }

    #[test]
    fn plurals() {
        let one = |w| singular(w);
        assert_eq!(one("orders").as_deref(), Some("order"));
        assert_eq!(one("categories").as_deref(), Some("category"));
        assert_eq!(one("boxes").as_deref(), Some("box"));
        assert_eq!(one("people").as_deref(), Some("person"));
        for w in ["order", "status", "address", "news", "analysis", "bus", "data", "person"] {
            assert_eq!(one(w), None, "{w}");
        }
    }
}
