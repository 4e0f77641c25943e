use super::*;

/// What the server writes for `FROM ... TO ...`.
fn node(lower: &str, upper: &str) -> String {
    format!(
        "{{PARTITIONBOUNDSPEC :strategy r :is_default false :modulus 0 :remainder 0 :listdatums <> \
         :lowerdatums ({lower}) :upperdatums ({upper}) :location 42}}"
    )
}

fn constant(kind: u32, length: i32, bytes: &str) -> String {
    let count = bytes.split(' ').count();
    format!(
        "{{PARTITIONRANGEDATUM :kind 0 :value {{CONST :consttype {kind} :consttypmod -1 :constcollid 0 \
         :constlen {length} :constbyval {} :constisnull false :location 48 :constvalue {count} [ {bytes} ]}} \
         :location 48}}",
        (1..=8).contains(&length)
    )
}

const LOWEST: &str = "{PARTITIONRANGEDATUM :kind -1 :value <> :location 48}";
const HIGHEST: &str = "{PARTITIONRANGEDATUM :kind 1 :value <> :location 92}";

fn lower(datum: &str) -> Option<Value> {
    range(node(datum, HIGHEST).as_bytes()).map(|(lower, _)| lower)
}

#[test]
fn open_ranges() {
    assert_eq!(range(node(LOWEST, HIGHEST).as_bytes()), Some((Value::Lowest, Value::Highest)));
}

#[test]
fn numbers() {
    let sides = (constant(20, 8, "-60 -1 -1 -1 -1 -1 -1 -1"), constant(1184, 8, "0 -127 -26 106 0 0 0 0"));
    let bounds = Some((Value::Number(-60), Value::Number(1_793_491_200)));
    assert_eq!(range(node(&sides.0, &sides.1).as_bytes()), bounds);
    // where characters have no sign
    let unsigned = constant(1184, 8, "0 129 230 106 0 0 0 0");
    assert_eq!(range(node(&sides.0, &unsigned).as_bytes()), bounds);
}

#[test]
fn dates() {
    for (bytes, days) in [
        ("-1 -1 -1 -1 -1 -1 -1 -1", -1),
        ("73 38 0 0 0 0 0 0", 9801),
        ("-1 -1 -1 127 0 0 0 0", i64::MAX),
        ("0 0 0 -128 -1 -1 -1 -1", i64::MIN),
    ] {
        assert_eq!(lower(&constant(1082, 4, bytes)), Some(Value::Number(days)));
    }
}

#[test]
fn ids() {
    let uuid = constant(2950, 16, "1 -95 -108 103 -24 0 0 0 0 0 0 0 0 0 0 0");
    assert_eq!(lower(&uuid), Some(Value::Uuid(0x01a1_9467_e800 << 80)));
    for kind in [25, 1043] {
        assert_eq!(lower(&constant(kind, -1, "28 0 0 0 48 49 77")), Some(Value::Text("01M".to_owned())));
    }
}

#[test]
fn no_range() {
    let number = constant(20, 8, "1 0 0 0 0 0 0 0");
    for other in [
        "",
        "{PARTITIONBOUNDSPEC :strategy r :is_default true :modulus 0 :remainder 0 :listdatums <> :lowerdatums <> \
         :upperdatums <> :location 31}",
        "{PARTITIONBOUNDSPEC :strategy h :is_default false :modulus 2 :remainder 0 :listdatums <> :lowerdatums <> \
         :upperdatums <> :location 42}",
        &node(&constant(20, 8, "1 0"), &number),
        &node(&constant(20, 8, "1 x 0 0 0 0 0 0"), &number),
    ] {
        assert_eq!(range(other.as_bytes()), None, "{other}");
    }
}
