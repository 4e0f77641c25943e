//! Tenants: what a setting must look like, and the values read from one. What is no value of the type is none at all,
//! never an error: a policy that fails must fail closed and quietly.

/// The types a tenant may have. Each has a function `dbguard.tenant_<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Uuid,
    Bigint,
    Int,
    Text,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Uuid, Kind::Bigint, Kind::Int, Kind::Text];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Uuid => "uuid",
            Kind::Bigint => "bigint",
            Kind::Int => "int",
            Kind::Text => "text",
        }
    }

    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// Whether this can be the name of a setting of an application: `app.tenant_id`. Mirrors what SET accepts.
pub fn is_setting(name: &str) -> bool {
    let part = |p: &str| {
        p.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$')
    };
    name.contains('.') && name.split('.').all(part)
}

/// A uuid in the spellings that PostgreSQL's uuid_in accepts; space around it is forgiven.
pub fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_ascii();
    let text = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let mut rest = text.as_bytes();
    let mut value = [0; 16];
    for (i, byte) in value.iter_mut().enumerate() {
        let (digits, after) = rest.split_at_checked(2)?;
        *byte = hex(digits[0])? << 4 | hex(digits[1])?;
        rest = match after {
            [b'-', after @ ..] if i % 2 == 1 && i < 15 => after,
            _ => after,
        };
    }
    rest.is_empty().then_some(value)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// A whole number in decimal digits; space around it is forgiven.
pub fn bigint(text: &str) -> Option<i64> {
    text.trim_ascii().parse().ok()
}

pub fn int(text: &str) -> Option<i32> {
    text.trim_ascii().parse().ok()
}

/// Any text but a blank one.
pub fn text(text: &str) -> Option<&str> {
    (!text.trim_ascii().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids() {
        let one = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        let value = uuid(one).unwrap();
        assert_eq!(value[..3], [0xa0, 0xee, 0xbc]);
        for same in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n",
        ] {
            assert_eq!(uuid(same), Some(value), "{same}");
        }
        for none in [
            "",
            "  ",
            "{}",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a1",
            "a0eebc999c0b4ef8bb6d6bb9bd380a112",
            "a0e-ebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
            "g0eebc999c0b4ef8bb6d6bb9bd380a11",
            "é0eebc999c0b4ef8bb6d6bb9bd380a11",
            "+aeebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert_eq!(uuid(none), None, "{none}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!((bigint(" 42 "), bigint("-7"), bigint("+7")), (Some(42), Some(-7), Some(7)));
        assert_eq!(bigint("9223372036854775807"), Some(i64::MAX));
        assert_eq!(int("-2147483648"), Some(i32::MIN));
        for none in ["", " ", "x", "1.0", "1e3", "1 2", "9223372036854775808"] {
            assert_eq!(bigint(none), None, "{none}");
        }
        assert_eq!(int("2147483648"), None);
    }

    #[test]
    fn texts() {
        assert_eq!(
            (text("acme"), text(" a "), text(""), text(" \t")),
            (Some("acme"), Some(" a "), None, None)
        );
    }

    #[test]
    fn settings() {
        for good in ["app.tenant_id", "a.b.c", "App._x", "a1.b$2"] {
            assert!(is_setting(good), "{good}");
        }
        for bad in ["", "tenant", "app.", ".x", "app.tenant id", "app.'x", "1a.b", "a.1", "äpp.x", "a..b"] {
            assert!(!is_setting(bad), "{bad}");
        }
    }
}
