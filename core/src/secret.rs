//! Keeping secrets out of logged SQL text. Works on bytes: every server encoding keeps ASCII as it is.

/// Text with one of these words may carry a secret in a constant: in a password clause, the options of
/// a server or user mapping, a connection string.
const WORDS: &[&str] = &[
    "passw",
    "secret",
    "token",
    "credential",
    "user mapping",
    "connection",
    "access_key",
    "api_key",
    "apikey",
];

const HIDDEN: &[u8] = b"'[redacted]'";

/// `sql` as it may be logged: when a word in it tells of secrets, its comments go and all its string
/// constants are replaced.
pub fn hide(sql: &[u8]) -> Vec<u8> {
    let words = String::from_utf8_lossy(sql).to_lowercase();
    let spaced: Vec<&str> = words.split_whitespace().collect();
    let spaced = spaced.join(" ");
    if !WORDS.iter().any(|word| spaced.contains(word)) {
        return sql.to_vec();
    }
    let mut out = Vec::with_capacity(sql.len());
    let mut at = 0;
    while at < sql.len() {
        let (kept, next) = token(sql, at, out.last().copied());
        out.extend_from_slice(kept);
        at = next;
    }
    out
}

/// What stands for the token at `at`, and where the next one begins.
fn token(sql: &[u8], at: usize, before: Option<u8>) -> (&[u8], usize) {
    let rest = &sql[at..];
    match rest[0] {
        b'\'' => (HIDDEN, at + constant(rest, before)),
        b'"' => {
            let end = rest[1..].iter().position(|c| *c == b'"').map_or(rest.len(), |n| n + 2);
            (&rest[..end], at + end)
        }
        b'-' if rest.starts_with(b"--") => (b"", at + find(rest, b"\n").unwrap_or(rest.len())),
        b'/' if rest.starts_with(b"/*") => (b" ", at + comment(rest)),
        b'$' if !before.is_some_and(in_name) => match dollar_tag(rest) {
            Some(tag) => {
                let body = &rest[tag.len()..];
                (HIDDEN, at + find(body, tag).map_or(rest.len(), |n| n + 2 * tag.len()))
            }
            None => (&rest[..1], at + 1),
        },
        _ => (&rest[..1], at + 1),
    }
}

/// The length of the quoted constant that `rest` begins with. Whether a backslash escapes a quote
/// outside E'' is a setting: then all that follows counts as the constant.
fn constant(rest: &[u8], before: Option<u8>) -> usize {
    let escapes = matches!(before, Some(b'e' | b'E'));
    let mut i = 1;
    while i < rest.len() {
        match rest[i] {
            b'\\' if escapes => i += 1,
            b'\\' if rest.get(i + 1) == Some(&b'\'') => return rest.len(),
            b'\'' if rest.get(i + 1) == Some(&b'\'') => i += 1,
            b'\'' => return i + 1,
            _ => {}
        }
        i += 1;
    }
    rest.len()
}

fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i + 1 < rest.len() {
        match &rest[i..i + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
        if depth == 0 {
            return i;
        }
    }
    rest.len()
}

/// `$$` or `$name$` at the start.
fn dollar_tag(rest: &[u8]) -> Option<&[u8]> {
    let end = rest[1..].iter().position(|c| *c == b'$')? + 1;
    let name = &rest[1..end];
    let fits = name.iter().all(|c| in_name(*c)) && !name.first().is_some_and(u8::is_ascii_digit);
    fits.then(|| &rest[..=end])
}

fn in_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'$' || c >= 0x80
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(sql: &str) -> String {
        String::from_utf8(hide(sql.as_bytes())).unwrap()
    }

    #[test]
    fn text_without_secrets_stays() {
        for sql in ["CREATE TABLE t (v text DEFAULT 'x') -- why", "SELECT $$a$$, E'\\'', \"q\"\"\"", ""] {
            assert_eq!(hidden(sql), sql);
        }
    }

    #[test]
    fn constants_go_where_a_word_tells_of_secrets() {
        for (sql, logged) in [
            ("ALTER ROLE a PASSWORD 's3'", "ALTER ROLE a PASSWORD '[redacted]'"),
            (
                "alter role a passWord 'it''s3'; CREATE TABLE t ()",
                "alter role a passWord '[redacted]'; CREATE TABLE t ()",
            ),
            (
                "ALTER ROLE a PASSWORD E's\\'s3' VALID UNTIL 'x'",
                "ALTER ROLE a PASSWORD E'[redacted]' VALID UNTIL '[redacted]'",
            ),
            ("ALTER ROLE a PASSWORD $$s3$$", "ALTER ROLE a PASSWORD '[redacted]'"),
            ("ALTER ROLE a PASSWORD $x_1$ s3 $$ ' $x_1$, b$a$", "ALTER ROLE a PASSWORD '[redacted]', b$a$"),
            ("ALTER ROLE \"it's\" PASSWORD 's3'", "ALTER ROLE \"it's\" PASSWORD '[redacted]'"),
            ("ALTER ROLE a PASSWORD 's3", "ALTER ROLE a PASSWORD '[redacted]'"),
            ("ALTER ROLE a PASSWORD 's\\'s3' x", "ALTER ROLE a PASSWORD '[redacted]'"),
            (
                "/* s3 /* ' */ s3 */ALTER ROLE a PASSWORD 'x' -- s3 '\n;",
                " ALTER ROLE a PASSWORD '[redacted]' \n;",
            ),
            (
                "CREATE USER  MAPPING FOR a SERVER s OPTIONS (x 's3')",
                "CREATE USER  MAPPING FOR a SERVER s OPTIONS (x '[redacted]')",
            ),
            (
                "CREATE SUBSCRIPTION s CONNECTION 'password=s3'",
                "CREATE SUBSCRIPTION s CONNECTION '[redacted]'",
            ),
        ] {
            assert_eq!(hidden(sql), logged);
            assert!(!logged.contains("s3"));
        }
    }

    #[test]
    fn any_bytes_come_through() {
        hide(b"password '\xff\xfe\\");
        hide(b"password $");
        hide(b"password /*");
        hide(b"password $\xe9$ s3 ");
        assert_eq!(hide(b"password '"), b"password '[redacted]'");
    }
}
