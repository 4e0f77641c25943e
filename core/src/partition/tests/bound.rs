use super::*;
use crate::partition::civil;

fn at(text: &str) -> Micros {
    civil::from_datetime(text.parse().unwrap()).unwrap()
}

const UNITS: [Unit; 4] = [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Nanoseconds];

#[test]
fn a16_numbers() {
    for (unit, zeros) in UNITS.into_iter().zip(["", "000", "000000", "000000000"]) {
        let key = Key::Epoch(unit);
        let november = at("2026-11-01T00:00:00");
        assert_eq!(civil::literal(key, november).unwrap(), format!("1793491200{zeros}"));
        assert_eq!(key.point(&Value::Number(format!("1793491200{zeros}").parse().unwrap())), Some(november));
    }
}

#[test]
fn numbers_at_the_edges_of_their_type() {
    let late = at("2262-04-12T00:00:00");
    assert_eq!(number(late, Unit::Nanoseconds), Err(Error::OutOfRange));
    assert!(number(late, Unit::Microseconds).is_ok());
    assert_eq!(number(at("2026-11-01T00:00:00.5"), Unit::Seconds), Err(Error::Unit));
    assert_eq!(number(at("1969-12-31T23:59:00"), Unit::Seconds).unwrap(), "-60");
    for unit in UNITS {
        let key = Key::Epoch(unit);
        assert_eq!(key.point(&Value::Number(i64::MIN)), Some(Micros::MIN));
        assert_eq!(key.point(&Value::Number(i64::MAX)), Some(Micros::MAX));
        assert_eq!(key.point(&Value::Number(0)), Some(at("1970-01-01T00:00:00")));
    }
    // beyond all times, and finer than a microsecond
    assert_eq!(Key::Epoch(Unit::Seconds).point(&Value::Number(i64::MAX - 1)), Some(Micros::MAX));
    assert_eq!(Key::Epoch(Unit::Nanoseconds).point(&Value::Number(1_001)), None);
    assert_eq!(Key::Epoch(Unit::Nanoseconds).point(&Value::Number(-1)), None);
}

#[test]
fn a17_uuids() {
    let (from, to) = (at("2026-11-01T00:00:00"), at("2026-12-01T00:00:00"));
    assert_eq!(uuid(from).unwrap(), "01a19467-e800-0000-0000-000000000000");
    assert_eq!(uuid(to).unwrap(), "01a22ee6-b000-0000-0000-000000000000");
    assert_eq!(Key::Uuid.point(&Value::Uuid(u128::from(millis(to).unwrap()) << 80)), Some(to));
    assert_eq!(Key::Uuid.point(&Value::Uuid(u128::from(millis(to).unwrap()) << 80 | 1)), None);
    assert_eq!(Key::Uuid.point(&Value::Uuid(0x7000 << 64)), None);
    assert_eq!(Key::Uuid.point(&Value::Uuid(u128::MAX)), Some(Micros::MAX));
    assert_eq!(uuid(at("1969-12-31T23:59:00")), Err(Error::OutOfRange));
    assert_eq!(uuid(1), Err(Error::Unit));
}

#[test]
fn a18_ulids() {
    let (from, to) = (at("2026-11-01T00:00:00"), at("2026-12-01T00:00:00"));
    assert_eq!(ulid(from).unwrap(), format!("01M6A6FT00{}", "0".repeat(16)));
    assert_eq!(ulid(to).unwrap(), format!("01M8QEDC00{}", "0".repeat(16)));
    let point = |text: &str| Key::Ulid.point(&Value::Text(text.to_owned()));
    assert_eq!(point(&ulid(from).unwrap()), Some(from));
    assert_eq!(point("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), Some(Micros::MAX));
    for odd in [
        "",
        "01M6A6FT00",
        "01m6a6ft000000000000000000",
        "01M6A6FT0U0000000000000000",
        "01M6A6FT000000000000000001",
        "80000000000000000000000000",
        "日本語の表日本語の",
    ] {
        assert_eq!(point(odd), None, "{odd}");
    }
}

#[test]
fn a_value_of_another_type_is_no_time() {
    assert_eq!(Key::Uuid.point(&Value::Number(5)), None);
    assert_eq!(Key::Date.point(&Value::Text("2026-11-01".into())), None);
}
