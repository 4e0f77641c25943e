use super::*;

fn read(text: &str) -> Option<String> {
    Some(match parse(text)? {
        Written::Moment(at) => format!("{} UTC", datetime(at).unwrap()),
        Written::Reading(at) => datetime(at).unwrap().to_string(),
    })
}

#[test]
fn what_people_write() {
    for (text, expected) in [
        ("2026-01-31", "2026-01-31T00:00:00"),
        (" 2026-01-31 06:30 ", "2026-01-31T06:30:00"),
        ("2026-01-31T06:30:15.5", "2026-01-31T06:30:15.5"),
        ("2026-01-31 06:30:00+00", "2026-01-31T06:30:00 UTC"),
        ("2026-01-31 06:30:00.25+05:30", "2026-01-31T01:00:00.25 UTC"),
        ("2026-01-31T06:30:00Z", "2026-01-31T06:30:00 UTC"),
    ] {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "",
        "now",
        "infinity",
        "31.01.2026",
        "01/31/2026",
        "2026-02-30",
        "2026-01-31+01",
        "20260131",
        "日本語の表",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
