use super::*;
use crate::partition::{civil, Key, DAY, SECOND};

#[test]
fn what_the_server_writes() {
    let range = |from, to| Ok(Some(Range { from, to }));
    assert_eq!(parse("DEFAULT"), Ok(None));
    assert_eq!(parse("FOR VALUES FROM ('2000-01-01') TO ('2000-01-02')"), range(0, DAY));
    assert_eq!(
        parse("FOR VALUES FROM ('2000-01-01 00:00:01.5+00') TO ('2000-01-02 00:00:00+00')"),
        range(3 * SECOND / 2, DAY)
    );
    assert_eq!(parse("FOR VALUES FROM (MINVALUE) TO ('2000-01-02 00:00:00')"), range(Micros::MIN, DAY));
    assert_eq!(parse("FOR VALUES FROM ('infinity') TO (MAXVALUE)"), range(Micros::MAX, Micros::MAX));
    assert_eq!(parse("FOR VALUES FROM ('-infinity') TO ('294276-01-01')"), range(Micros::MIN, Micros::MAX));
    assert!(matches!(parse("FOR VALUES FROM ('x', 1) TO ('y', 2)"), Err(Error::BadBound(_))));
    assert!(matches!(parse("FOR VALUES IN ('x')"), Err(Error::BadBound(_))));
    assert!(matches!(parse(""), Err(Error::BadBound(_))));
}

#[test]
fn before_christ_there_and_back() {
    let text = "0044-03-15 12:00:00+00 BC";
    let ides = parse(&format!("FOR VALUES FROM ('{text}') TO ('infinity')")).unwrap().unwrap().from;
    assert!(ides < 0);
    assert_eq!(civil::literal(Key::Timestamptz, ides).unwrap(), text);
    assert_eq!(civil::literal(Key::Date, ides).unwrap(), "0044-03-15 BC");
}

#[test]
fn literals_read_back() {
    for at in [0, -1, 1, DAY - 1, 845_510_400_000_000, -845_510_400_123_456] {
        let text = civil::literal(Key::Timestamp, at).unwrap();
        let parsed = parse(&format!("FOR VALUES FROM ('{text}') TO (MAXVALUE)")).unwrap().unwrap();
        assert_eq!(parsed.from, at, "{text}");
    }
}
