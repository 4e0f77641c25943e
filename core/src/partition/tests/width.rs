use super::*;
use crate::partition::Key;

#[test]
fn of_one_kind_and_positive() {
    let new = |months, days, micros| Width::new(Key::Timestamptz, months, days, micros);
    assert_eq!(new(1, 0, 0), Ok(Width::Months(1)));
    assert_eq!(new(0, 7, 0), Ok(Width::Micros(WEEK)));
    assert_eq!(new(0, 1, 12 * 60 * MINUTE), Ok(Width::Micros(36 * 60 * MINUTE)));
    assert_eq!(new(0, 0, 0), Err(Error::WidthNotPositive));
    assert_eq!(new(-1, 0, 0), Err(Error::WidthNotPositive));
    assert_eq!(new(0, 1, -MINUTE), Err(Error::WidthNotPositive));
    assert_eq!(new(1, 1, 0), Err(Error::WidthMixed));
    assert_eq!(new(1, 0, MINUTE), Err(Error::WidthMixed));
    assert_eq!(new(i32::MAX, i32::MAX, i64::MAX), Err(Error::WidthMixed));
    assert_eq!(new(0, 0, 1), Err(Error::WidthNotWholeMinutes));
    assert_eq!(new(0, i32::MAX, 0), Err(Error::WidthTooLarge));
    assert_eq!(Width::new(Key::Date, 0, 0, MINUTE), Err(Error::WidthNotWholeDays));
    assert_eq!(Width::new(Key::Date, 0, 0, DAY), Ok(Width::Micros(DAY)));
}
