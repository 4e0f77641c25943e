//! What users write into arrays of options: lists of columns, and `name=value`.

/// The names in a list such as `a, "B c"`, read as SQL reads names: folded unless quoted. `None`
/// when it is not such a list.
pub fn columns(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    loop {
        let (name, after) =
            if let Some(quoted) = rest.strip_prefix('"') { unquote(quoted)? } else { plain(rest) };
        if name.is_empty() || names.contains(&name) {
            return None;
        }
        names.push(name);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// A name up to its closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name += part;
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// A name without quotes: only what SQL takes for one, so that a forgotten comma is noticed.
fn plain(text: &str) -> (String, &str) {
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
    let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    match name.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
        true => (String::new(), rest),
        false => (name.to_ascii_lowercase(), rest),
    }
}

/// The two sides of `name=value`.
pub fn option(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    (!name.is_empty() && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_columns() {
        let read = |text| columns(text).map(|names| names.join("|"));
        assert_eq!(read("a"), Some("a".into()));
        assert_eq!(read(" Tenant , at "), Some("tenant|at".into()));
        assert_eq!(read("\"a, b\",\"say \"\"hi\"\"\",größe"), Some("a, b|say \"hi\"|größe".into()));
        for bad in ["", ",", "a,", "a b", "a,,b", "\"a", "\"\"", "1a", "a,a", "lower(a)", "a)"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn options() {
        assert_eq!(option(" FillFactor = 70"), Some(("fillfactor".into(), "70".into())));
        assert_eq!(option("toast.a=b=c"), Some(("toast.a".into(), "b=c".into())));
        for bad in ["fillfactor", "=70", "fillfactor="] {
            assert_eq!(option(bad), None, "{bad}");
        }
    }
}
