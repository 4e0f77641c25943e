//! Where tokens begin and end.

use super::{Kind, Token};

pub fn tokens(source: &str) -> Vec<Token> {
    let b = source.as_bytes();
    let at = |i: usize| b.get(i).copied().unwrap_or(0);
    let mut out = Vec::new();
    let mut i = 0;
    while i < b.len() {
        let start = i;
        let c = at(i);
        let kind = match c {
            _ if c.is_ascii_whitespace() => {
                i += 1;
                continue;
            }
            b'-' if at(i + 1) == b'-' => {
                while i < b.len() && at(i) != b'\n' {
                    i += 1;
                }
                continue;
            }
            b'/' if at(i + 1) == b'*' => {
                i = behind_comment(b, i);
                continue;
            }
            b'\'' => {
                i = behind_quote(b, i, b'\'', false);
                Kind::Text
            }
            b'"' => {
                i = behind_quote(b, i, b'"', false);
                Kind::Quoted
            }
            b'$' => match behind_dollars(source, i) {
                Some(end) => {
                    i = end;
                    Kind::Text
                }
                None => {
                    i += 1;
                    while at(i).is_ascii_digit() {
                        i += 1;
                    }
                    if i > start + 1 {
                        Kind::Parameter
                    } else {
                        Kind::Mark
                    }
                }
            },
            _ if c.is_ascii_digit() => {
                while at(i).is_ascii_alphanumeric() || (at(i) == b'.' && at(i + 1).is_ascii_digit()) {
                    i += 1;
                }
                Kind::Number
            }
            _ if in_word(c) => {
                while in_word(at(i)) || at(i) == b'$' {
                    i += 1;
                }
                let unicode = i == start + 1 && matches!(c, b'u' | b'U') && at(i) == b'&';
                let quote = if unicode { i + 1 } else { i };
                let prefix =
                    i == start + 1 && matches!(c, b'e' | b'E' | b'b' | b'B' | b'x' | b'X' | b'n' | b'N');
                match at(quote) {
                    b'\'' if prefix || unicode => {
                        i = behind_quote(b, quote, b'\'', matches!(c, b'e' | b'E'));
                        Kind::Text
                    }
                    b'"' if unicode => {
                        i = behind_quote(b, quote, b'"', false);
                        Kind::Quoted
                    }
                    _ => Kind::Word,
                }
            }
            b':' if matches!(at(i + 1), b'=' | b':') => {
                i += 2;
                Kind::Mark
            }
            _ if in_operator(c) => {
                i += 1;
                while in_operator(at(i))
                    && !matches!(at(i), b'+' | b'*')
                    && (at(i) != b'-' || at(i - 1) == b'<')
                    && (at(i) != b'/' || at(i + 1) != b'*')
                {
                    i += 1;
                }
                // ~* and !~* are one operator, `= *` is none
                if at(i) == b'*' && at(i - 1) == b'~' {
                    i += 1;
                }
                Kind::Mark
            }
            _ => {
                i += 1;
                Kind::Mark
            }
        };
        i = i.min(b.len());
        out.push(Token { kind, start, end: i });
    }
    out
}

fn in_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80
}

fn in_operator(c: u8) -> bool {
    b"+-*/<>=~!@#%^&|?".contains(&c)
}

fn behind_quote(b: &[u8], start: usize, quote: u8, backslashes: bool) -> usize {
    let mut i = start + 1;
    while let Some(c) = b.get(i) {
        if backslashes && *c == b'\\' {
            i += 1;
        } else if *c == quote {
            if b.get(i + 1) != Some(&quote) {
                return i + 1;
            }
            i += 1;
        }
        i += 1;
    }
    b.len()
}

/// `$$ ... $$` and `$tag$ ... $tag$`; None for `$1` and a lone dollar.
fn behind_dollars(source: &str, start: usize) -> Option<usize> {
    let rest = source.get(start + 1..)?;
    let tag = rest.find('$')?;
    let word = rest.get(..tag)?;
    if word.starts_with(|c: char| c.is_ascii_digit()) || !word.bytes().all(in_word) {
        return None;
    }
    let mark = source.get(start..start + tag + 2)?;
    let body = start + mark.len();
    Some(source.get(body..)?.find(mark).map_or(source.len(), |at| body + at + mark.len()))
}

fn behind_comment(b: &[u8], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < b.len() {
        match (b.get(i), b.get(i + 1)) {
            (Some(b'/'), Some(b'*')) => {
                depth += 1;
                i += 2;
            }
            (Some(b'*'), Some(b'/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    i
}
