//! What reads packs is open to everybody and takes any bytes: bad ones are damaged, not believed.

use dbguard_core::jsonb::{key_order, write_object, Value};
use dbguard_core::pack::{bounds, push, seal, Record};
use dbguard_tests::Db;

const DAMAGED: &str = "0 | X | b1 to b9 | <null> | <null> | <null>";

/// Puts changes of `t` into a pack, as the writer does.
pub fn put_pack(db: &mut Db, id: i64, records: &[(u8, &str, Option<&str>, &str)]) {
    let mut raw = vec![];
    for (op, key, old_key, image) in records {
        let body = jsonb(db, image);
        let image = Some(body.as_slice());
        let (old, new) = if *op == b'D' { (image, None) } else { (None, image) };
        let old_key = old_key.map(str::as_bytes);
        push(&mut raw, &Record { op: *op, key: Some(key.as_bytes()), old_key, old, new });
    }
    let keys = records.iter().flat_map(|(_, key, old_key, _)| [Some(*key), *old_key]).flatten();
    let [lowest, highest] =
        bounds(keys.map(str::as_bytes)).unwrap().map(|b| String::from_utf8(b.bytes().collect()).unwrap());
    let hex: String = seal(&raw).iter().map(|b| format!("{b:02x}")).collect();
    db.exec(&format!(
        "INSERT INTO dbguard.audit_pack (id, at, xact, context, relation, changes, lowest_key, highest_key, data)
         SELECT {id}, at, xact, context, relation, {}, '{lowest}', '{highest}', '\\x{hex}' FROM dbguard.audit_change ORDER BY id DESC LIMIT 1",
        records.len(),
    ));
}

/// The body of a flat object's jsonb datum, as the server stores it.
fn jsonb(db: &mut Db, text: &str) -> Vec<u8> {
    let mut pairs = db.rows(&format!("SELECT key, value FROM jsonb_each_text('{text}')"));
    pairs.sort_by(|a, b| key_order(a[0].as_bytes(), b[0].as_bytes()));
    let pairs: Vec<(&[u8], Value)> = pairs
        .iter()
        .map(|p| (p[0].as_bytes(), p[1].parse().map_or(Value::String(p[1].as_bytes()), Value::Int)))
        .collect();
    let mut out = vec![];
    write_object(&mut out, &pairs).unwrap();
    out.split_off(4)
}

/// The pack of one insert, as SQL that reads it.
fn read(record: &Record) -> String {
    let mut raw = vec![];
    push(&mut raw, record);
    let hex: String = seal(&raw).iter().map(|b| format!("{b:02x}")).collect();
    format!(
        "SELECT number, op, key, old_key, old, new FROM dbguard._audit_unpack('\\x{hex}'::bytea, 1, 'b1', 'b9')"
    )
}

fn insert<'a>(key: &'a [u8], new: &'a [u8]) -> Record<'a> {
    Record { op: b'I', key: Some(key), old_key: None, old: None, new: Some(new) }
}

fn object(pairs: &[(&[u8], Value)]) -> Vec<u8> {
    let mut out = vec![];
    write_object(&mut out, pairs).unwrap();
    out.split_off(4)
}

#[test]
fn a_pack_of_somebodys_own_is_checked() {
    let db = Db::new();
    let mut nobody = db.connect_as("packs_nobody");
    let good = object(&[(b"a", Value::Int(1)), ("grün".as_bytes(), Value::String("é".as_bytes()))]);
    let shown = "0 | I | ü1 | <null> | <null> | {\"a\": 1, \"grün\": \"é\"}";
    assert_eq!(nobody.lines(&read(&insert("ü1".as_bytes(), &good))), [shown]);

    // 16777215 pairs in 16 bytes; a string of 20000 bytes in three
    let count = [&0x20FF_FFFF_u32.to_ne_bytes()[..], &[0; 16]].concat();
    let length =
        [&0x4000_0001_u32.to_ne_bytes()[..], &(0x8000_0000_u32 | 20_000).to_ne_bytes(), b"abc"].concat();
    let bad_text: [&[u8]; 4] = [b"\xC3\x28", b"x\xF0\x9F", b"\xED\xA0\x80", b"a\0b"];
    let mut images = vec![count, length, vec![]];
    for text in bad_text {
        images.push(object(&[(b"a", Value::String(text))]));
        images.push(object(&[(text, Value::Null)]));
    }
    for image in &images {
        let after = insert(b"1", image);
        let before = Record { op: b'D', old: Some(image), new: None, ..after };
        for record in [after, before] {
            assert_eq!(nobody.lines(&read(&record)), [DAMAGED], "{image:x?}");
        }
    }
    for text in bad_text {
        let after = insert(text, &good);
        let moved = Record { op: b'U', key: Some(b"1"), old_key: Some(text), ..after };
        for record in [after, moved] {
            assert_eq!(nobody.lines(&read(&record)), [DAMAGED], "{text:x?}");
        }
    }
    for op in [0, b'?', 0xC3] {
        assert_eq!(nobody.lines(&read(&Record { op, ..insert(b"1", &good) })), [DAMAGED], "op {op}");
    }
    // the session lives
    assert_eq!(nobody.value("SELECT 1"), "1");
}

#[test]
fn a_bad_record_damages_its_whole_pack() {
    let db = Db::new();
    let mut nobody = db.connect_as("packs_nobody");
    let good = object(&[(b"a", Value::Int(1))]);
    let mut raw = vec![];
    push(&mut raw, &insert(b"1", &good));
    push(&mut raw, &insert(b"2", b"no jsonb"));
    let hex: String = seal(&raw).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        nobody.lines(&format!("SELECT * FROM dbguard._audit_unpack('\\x{hex}'::bytea, 2, 'b1', 'b9')")),
        [DAMAGED]
    );
}

#[test]
fn whatever_the_server_makes_is_well_formed() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, j jsonb, n numeric, a numeric[], w text);
         SELECT dbguard.audit_enable('t', bulk => 'pack')",
    );
    // the kinds of jsonb in turn, with more children than one stride of offsets in some
    db.exec(
        "INSERT INTO t SELECT i, CASE i % 14
           WHEN 0 THEN 'null' WHEN 1 THEN 'true' WHEN 2 THEN '\"\"' WHEN 3 THEN '{}' WHEN 4 THEN '[]' WHEN 5 THEN '-0.00'
           WHEN 6 THEN '1e100' WHEN 7 THEN '[[[[\"é\", [1, {}]], []], {\"b\": [], \"aa\": {\"\": -1e-90}}], null, false]'
           WHEN 8 THEN (SELECT jsonb_agg(k) FROM generate_series(1, 1 + i % 100) k)
           WHEN 9 THEN (SELECT jsonb_object_agg('k' || k, CASE WHEN k % 3 = 0 THEN to_jsonb(k / 7.0) ELSE to_jsonb(repeat('x', k % 5)) END) FROM generate_series(1, 36) k)
           WHEN 10 THEN jsonb_set('{\"a\": [1, {\"b\": 2}], \"c\": \"d\"}', '{a,1,b}', '[1.5, \"z\", 10000, 99990000]')
           WHEN 11 THEN jsonb_build_array('NaN'::float8, 'x', i, jsonb_build_object('a', 0.0001, 'bb', i * 1e20))
           WHEN 12 THEN '[\"\\u00fc\", \"\\ud83d\\ude00\", \"a\\nb\"]' ELSE ('{\"a\": 1, \"b\": 2}'::jsonb || '{\"b\": {\"c\": []}}') - 'a' END,
           CASE i % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN i * 1e-300 WHEN 3 THEN i * -1e300 ELSE i END,
           ARRAY[i, 'NaN', NULL, i / 3.0], repeat('ü', i % 7)
         FROM generate_series(1, 1400) i",
    );
    assert_eq!(db.value("SELECT count(*) > 0 FROM dbguard.audit_pack"), "t");
    assert_eq!(
        db.value("SELECT count(*) FILTER (WHERE l.new->'j' = t.j AND l.new = to_jsonb(t)) || ' of ' || count(*) FROM dbguard.audit_log l LEFT JOIN t ON l.key = t.id::text"),
        "1400 of 1400"
    );
}
