//! Secrets in a text, by their form. Placeholders are none.

/// What kind of secret is in it.
pub fn secret(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") && private_key(text) {
        return Some("a private key");
    }
    if text.contains("://") && (url_with_password(text) || url_with_password_parameter(text)) {
        return Some("a URL with a password");
    }
    KEYS.iter().find(|(prefix, least, _)| key(text, prefix, *least)).map(|(_, _, what)| *what)
}

const KEYS: &[(&str, usize, &str)] = &[
    ("AKIA", 16, "an AWS access key"),
    ("ghp_", 36, "a GitHub token"),
    ("sk_live_", 20, "a Stripe key"),
    ("rk_live_", 20, "a Stripe key"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
];

/// The header alone is in many a check of the form.
fn private_key(text: &str) -> bool {
    let behind = text.split_once("PRIVATE KEY-----").map_or("", |(_, t)| t);
    let body = behind.trim_start_matches(|c: char| c.is_whitespace() || c == '\\' || c == 'n');
    body.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r'))
        .count()
        > 60
}

fn key(text: &str, prefix: &str, least: usize) -> bool {
    text.match_indices(prefix).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let inside = before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let rest = text.get(at + prefix.len()..).unwrap_or("");
        let mut value = rest.chars();
        let fits = |c: char| match prefix {
            "AKIA" => c.is_ascii_uppercase() || c.is_ascii_digit(),
            _ => c.is_ascii_alphanumeric() || c == '-',
        };
        let long = value.by_ref().take(least).filter(|c| fits(*c)).count() == least;
        let value: String = rest.chars().take(least).collect();
        let varied = value.chars().collect::<std::collections::BTreeSet<_>>().len() > 5;
        !inside && long && varied && !value.contains("EXAMPLE")
    })
}

/// `scheme://user:password@host`
fn url_with_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let scheme = text.get(..at).and_then(|t| t.chars().next_back());
        let rest = text.get(at + 3..).unwrap_or("");
        let stop = |c: char| c.is_whitespace() || matches!(c, '/' | '\'' | '"' | '?' | '#' | '|');
        let authority = rest.split(stop).next().unwrap_or("");
        let Some((user, host)) = authority.rsplit_once('@') else { return false };
        let Some((_, password)) = user.split_once(':') else { return false };
        let known_host = !host.is_empty() && !host.contains("example") && plain(host);
        scheme.is_some_and(|c| c.is_ascii_alphanumeric()) && known_host && !placeholder(password)
    })
}

/// `scheme://host/db?user=a&password=b`, and the same with semicolons.
fn url_with_password_parameter(text: &str) -> bool {
    const KEYS: &[&str] = &["password", "passwd", "pwd", "pass"];
    text.match_indices("://").any(|(at, _)| {
        let scheme = text.get(..at).and_then(|t| t.chars().next_back());
        let rest = text.get(at + 3..).unwrap_or("");
        let stop = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '|' | ')' | '#');
        let url = rest.split(stop).next().unwrap_or("");
        let mut parts = url.split(['?', '&', ';']);
        let host = parts.next().unwrap_or("");
        let given = parts.filter_map(|p| p.split_once('=')).any(|(key, value)| {
            KEYS.iter().any(|k| key.eq_ignore_ascii_case(k)) && !value.is_empty() && !placeholder(value)
        });
        given && scheme.is_some_and(|c| c.is_ascii_alphanumeric()) && plain(host) && !host.contains("example")
    })
}

/// `OPTIONS (user 'a', password 'b')` of CREATE SERVER and CREATE USER MAPPING, in code or in a string constant.
pub fn options_with_password(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("password").any(|(at, word)| {
        let before = lower.get(..at).unwrap_or("");
        let own_word = before.ends_with([' ', ',', '(', '\n', '\t', '"']);
        let options = before
            .rfind("options")
            .and_then(|o| before.get(o..))
            .is_some_and(|o| o.contains('(') && !o.contains([')', ';']));
        // the name may be quoted, and the quotes doubled
        let value = text.get(at + word.len()..).unwrap_or("").trim_start_matches('"');
        let value = value.trim_start_matches([' ', '\n', '\t']);
        let quoted = value.trim_start_matches('\'');
        let secret = quoted.split('\'').next().unwrap_or("");
        own_word && options && quoted.len() < value.len() && !placeholder(secret)
    })
}

/// `password=...` among the options of a foreign server, as the catalogs keep them.
pub fn option_password(options: &str) -> bool {
    options.split_whitespace().filter_map(|o| o.split_once('=')).any(|(name, value)| {
        ["password", "passwd", "pwd"].iter().any(|k| name.eq_ignore_ascii_case(k)) && !placeholder(value)
    })
}

/// `host=... password=...` in a string constant; in code, these would be columns.
pub fn connection_with_password(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("password").any(|(at, word)| {
        let before = lower.get(..at).unwrap_or("");
        let rest = text.get(at + word.len()..).unwrap_or("").trim_start_matches(' ');
        let Some(rest) = rest.strip_prefix('=') else { return false };
        let rest = rest.trim_start_matches(' ');
        let start = before.rfind(['\'', '"', ';', '(', '\n']).map_or(0, |n| n + 1);
        let mine = before.get(start..).unwrap_or("");
        let value = rest
            .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';' | ')'))
            .next()
            .unwrap_or("");
        let behind = rest.get(value.len()..).unwrap_or("");
        let behind = behind.split(['\'', '"', ';', '\n']).next().unwrap_or("");
        let connects = |t: &str| ["host=", "hostaddr=", "dbname="].iter().any(|k| t.contains(k));
        let own_word =
            before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
        own_word && connects(&format!("{mine} {}", behind.to_ascii_lowercase())) && !placeholder(value)
    })
}

fn plain(text: &str) -> bool {
    !text.contains(['%', '<', '>', '{', '}', '$', '*', '[', ']', '(', ')', '|', ','])
}

fn placeholder(password: &str) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "pass",
        "pw",
        "pwd",
        "secret",
        "changeme",
        "change_me",
        "xxx",
        "...",
        "your_password",
        "yourpassword",
        "mypassword",
        "example",
        "hash",
        "redacted",
        "token",
        "test",
    ];
    let lower = password.to_ascii_lowercase();
    let one_letter = lower.chars().all(|c| lower.starts_with(c));
    !plain(password) || one_letter || WORDS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets() {
        for text in [
            "postgresql://a:b3c@d/e",
            "jdbc:postgresql://db2:5432/x?user=app&password=hunter2",
            "postgres:///x?host=db2&Password=hunter2'",
            "jdbc:sqlserver://db2;user=app;password=hunter2;",
            "'AKIAQWERTYUIOPASDFGH'",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1xgEWmoBC1zkWRxmMY1AVJSmNHdnMoZnmCAZxTMIIEpAIB\n",
        ] {
            assert!(secret(text).is_some(), "{text}");
        }
    }

    #[test]
    fn none() {
        for text in [
            "",
            "://",
            "@",
            "password",
            "password=",
            "https://a.b/c:d@e",
            "https://a.b:80/x@y",
            "postgres://user:password@host",
            "postgres://u:${PW}@h",
            "postgres://h/x?password=%s",
            "postgres://h/x?user=a&password=' || p",
            "jdbc:postgresql://h/x?user=a&password=secret",
            "https://example.com/x?password=hunter2",
            "https://h/?password_required=true&next=password",
            "AKIA",
            "AKIAAAAAAAAAAAAAAAAA",
            "xAKIAQWERTYUIOPASDFGH",
            "-----BEGIN PRIVATE KEY-----",
            "é://é:é",
            "password=é",
        ] {
            assert_eq!(secret(text), None, "{text}");
        }
    }

    #[test]
    fn options() {
        for text in [
            "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'a', password 'hunter2')",
            "options ( \"password\" ''hunter2'')",
        ] {
            assert!(options_with_password(text), "{text}");
        }
        for text in [
            "OPTIONS (user 'a', password_required 'false')",
            "OPTIONS (password %L)",
            "OPTIONS (password '%s')",
            "OPTIONS (password ' || quote_literal(p) || ')",
            "OPTIONS (user 'a'); ALTER ROLE a PASSWORD 'hunter2'",
            "password 'hunter2'",
            "options é password é",
        ] {
            assert!(!options_with_password(text), "{text}");
        }
        assert!(option_password("address=db2 password=hunter2"));
        assert!(!option_password("password_required=false password=secret"));
    }

    #[test]
    fn connections() {
        for text in
            ["host=h password=hunter2", "PASSWORD = hunter2 dbname=x", "x ('host=h password=hunter2') y"]
        {
            assert!(connection_with_password(text), "{text}");
        }
        for text in [
            "host=h password='||p",
            "host=h password=%s",
            "host=h password=",
            "UPDATE t SET host=a, password = b",
            "t.password=v host=b",
            "password=é",
            "user=login password=hunter2",
        ] {
            assert!(!connection_with_password(text), "{text}");
        }
    }
}
