use super::*;

fn utf8(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn sound(datum: &[u8]) -> bool {
    is_sound(datum, &utf8)
}

fn object(pairs: &[(&[u8], Value)]) -> Vec<u8> {
    let mut out = vec![];
    write_object(&mut out, pairs).unwrap();
    out.split_off(4)
}

/// As convertJsonbArray of jsonb_util.c.
fn array(flags: u32, values: &[Value]) -> Vec<u8> {
    let mut out = (flags | values.len() as u32).to_ne_bytes().to_vec();
    let data = out.len() + 4 * values.len();
    out.resize(data, 0);
    for (i, value) in values.iter().enumerate() {
        let before = out.len();
        let kind = write_value(&mut out, value);
        let entry = if i % 32 == 0 {
            kind | ENTRY_HAS_OFFSET | (out.len() - data) as u32
        } else {
            kind | (out.len() - before) as u32
        };
        out[4 + 4 * i..8 + 4 * i].copy_from_slice(&entry.to_ne_bytes());
    }
    out
}

fn halves(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

/// Some of everything.
fn good() -> Vec<Vec<u8>> {
    let long_form = halves(&[0x4000 | 100, 300u16.wrapping_neg(), 1, 9999, 20]);
    let (nan, zero) = (halves(&[NUMERIC_NAN]), halves(&[NUMERIC_SHORT]));
    let empty = object(&[]);
    let short = array(IS_ARRAY, &[Value::Null, Value::Int(12)]);
    let scalars = [
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Int(i64::MIN),
        Value::Int(0),
        Value::Numeric(&long_form),
        Value::Numeric(&nan),
        Value::Numeric(&zero),
        Value::String("grün".as_bytes()),
        Value::String(b""),
    ];
    let list = array(IS_ARRAY, &scalars);
    let inner =
        object(&[(b"x", Value::Container(&short)), (b"y", Value::String(b"odd")), (b"zz", Value::Int(7))]);
    let kinds =
        [&scalars[..], &[Value::Container(&inner), Value::Container(&empty), Value::Container(&list)]]
            .concat();
    let wide = |n: usize| {
        let keys: Vec<String> = (100..100 + n).map(|i| format!("{i}")).collect();
        let pairs: Vec<_> =
            keys.iter().enumerate().map(|(i, k)| (k.as_bytes(), kinds[i % kinds.len()].clone())).collect();
        object(&pairs)
    };
    let many: Vec<Value> = kinds.iter().cycle().take(34).cloned().collect();
    let mut all: Vec<Vec<u8>> = scalars.iter().map(|v| array(ROOT_SCALAR, std::slice::from_ref(v))).collect();
    all.extend([1, 33].map(wide));
    all.extend([array(IS_ARRAY, &[]), array(IS_ARRAY, &many), array(IS_ARRAY, &kinds), empty, inner, list]);
    all
}

/// Reads all of a datum the way the server does (getJsonbOffset, getJsonbLength, fillJsonbValue and
/// the numeric in it), and panics where the server would read beyond it. How many values there are.
fn read(datum: &[u8]) -> usize {
    let word = |at: usize| u32::from_ne_bytes(datum[at..at + 4].try_into().unwrap());
    let (header, entry) = (word(0), |i: usize| word(4 + 4 * i));
    let is_object = header & IS_OBJECT != 0;
    let count = (header & COUNT_MASK) as usize * if is_object { 2 } else { 1 };
    let offset = |index: usize| {
        let mut offset = 0;
        for i in (0..index).rev() {
            offset += (entry(i) & ENTRY_LENGTH_MASK) as usize;
            if entry(i) & ENTRY_HAS_OFFSET != 0 {
                break;
            }
        }
        offset
    };
    let data = &datum[4 + 4 * count..];
    let (mut values, mut keys) = (1, vec![]);
    for i in 0..count {
        let start = offset(i);
        let field = (entry(i) & ENTRY_LENGTH_MASK) as usize;
        let end = if entry(i) & ENTRY_HAS_OFFSET != 0 { field } else { start + field };
        assert_eq!(end, offset(i + 1));
        if is_object && i < count / 2 {
            keys.push(&data[start..end]);
        }
        values += match entry(i) & ENTRY_KIND_MASK {
            ENTRY_STRING => usize::from(utf8(&data[start..end])),
            ENTRY_NUMERIC => {
                let datum = &data[start.next_multiple_of(4)..end];
                let size = u32::from_ne_bytes(datum[..4].try_into().unwrap());
                assert_eq!(size, length_word(datum.len()));
                let header = u16::from_ne_bytes([datum[4], datum[5]]);
                let digits = if header & NUMERIC_SHORT == 0 { &datum[8..] } else { &datum[6..] };
                assert!(digits.chunks(2).all(|d| u16::from_ne_bytes([d[0], d[1]]) <= 9999));
                1
            }
            ENTRY_CONTAINER => read(&data[start.next_multiple_of(4)..end]),
            ENTRY_TRUE | ENTRY_FALSE | ENTRY_NULL => 1,
            other => panic!("kind {other:x}"),
        };
    }
    assert!(keys.windows(2).all(|k| key_order(k[0], k[1]).is_lt()));
    assert_eq!(data.len(), offset(count));
    values
}

#[test]
fn whatever_is_written_is_sound() {
    for datum in good() {
        assert!(sound(&datum), "{datum:x?}");
        assert!(read(&datum) > 0);
    }
}

#[test]
fn what_is_found_sound_can_be_read() {
    for datum in good() {
        let mut bent = datum.clone();
        for at in 0..datum.len() {
            assert!(!sound(&datum[..at]), "cut at {at}: {datum:x?}");
            let old = datum[at];
            for new in [0, 1, 0xFF, old ^ 0x10, old ^ 0x80, old.wrapping_add(4)] {
                bent[at] = new;
                if !sound(&bent) {
                    continue;
                }
                read(&bent);
                assert!(root(&bent).is_some());
                let is_object = u32::from_ne_bytes(bent[..4].try_into().unwrap()) & IS_OBJECT != 0;
                assert_eq!((pairs(&bent).is_some(), entries(&bent).is_some()), (is_object, is_object));
            }
            bent[at] = old;
        }
        assert!(!sound(&[datum, vec![0]].concat()));
    }
}

#[test]
fn counts_and_lengths_are_not_believed() {
    let zeros = [0; 16];
    let counted_wrong = [&0x20FF_FFFF_u32.to_ne_bytes()[..], &zeros].concat();
    let too_long = [&words(&[IS_ARRAY | 1, ENTRY_HAS_OFFSET | 20_000])[..], b"abc"].concat();
    assert!(!sound(&counted_wrong));
    assert!(!sound(&too_long));
    for header in [0, IS_OBJECT | IS_ARRAY, IS_SCALAR, IS_ARRAY | IS_SCALAR, IS_OBJECT | IS_SCALAR, 1 << 31] {
        assert!(!sound(&words(&[header])), "{header:x}");
    }
    assert!(!sound(&words(&[IS_OBJECT | COUNT_MASK])));
    // an end before the start
    let first = ENTRY_HAS_OFFSET | 3;
    assert!(sound(&[&words(&[IS_ARRAY | 2, first, 0])[..], b"abc"].concat()));
    assert!(!sound(&[&words(&[IS_ARRAY | 2, first, ENTRY_HAS_OFFSET | 1])[..], b"abc"].concat()));
    assert!(!sound(&[&words(&[IS_ARRAY | 2, first, ENTRY_HAS_OFFSET | 3])[..], b"abc"].concat()));
    assert!(!sound(&[&words(&[IS_ARRAY | 2, 3, 0])[..], b"abc"].concat()));
    // what holds nothing has no length
    assert!(!sound(&[&words(&[IS_ARRAY | 1, ENTRY_HAS_OFFSET | ENTRY_NULL | 3])[..], b"abc"].concat()));
    // a scalar is an array of one, outermost, and no container
    let scalar = array(ROOT_SCALAR, &[Value::Null]);
    assert!(!sound(&array(IS_ARRAY, &[Value::Container(&scalar)])));
    assert!(!sound(&array(ROOT_SCALAR, &[Value::Container(&object(&[]))])));
    assert!(!sound(&array(ROOT_SCALAR, &[Value::Null, Value::Null])));
}

#[test]
fn keys_are_text_in_order_and_once() {
    let with = |a: &[u8], b: &[u8]| sound(&object(&[(a, Value::Null), (b, Value::Null)]));
    assert!(with(b"z", b"aa") && with(b"a", b"b") && with(b"", b"a"));
    assert!(!with(b"aa", b"z") && !with(b"b", b"a") && !with(b"a", b"a") && !with(b"", b""));
    assert!(!with(b"a", b"\0b") && !with(b"a", b"\xC3\x28"));
    let number_as_key = words(&[IS_OBJECT | 1, ENTRY_HAS_OFFSET | ENTRY_NULL, ENTRY_NULL]);
    assert!(!sound(&number_as_key));
    for text in [&b"a\0"[..], b"\xC3", b"\xED\xA0\x80", b"\xFF"] {
        assert!(!sound(&array(IS_ARRAY, &[Value::String(text)])), "{text:x?}");
        assert!(is_sound(&array(IS_ARRAY, &[Value::String(text)]), &|_| true));
    }
}

#[test]
fn numbers() {
    let is_number = |body: &[u16]| sound(&array(IS_ARRAY, &[Value::Numeric(&halves(body))]));
    for good in
        [&[0x8000][..], &[0xA07F, 9999, 1], &[0, 0], &[0x7FFF, 0x8000, 1], &[0xC000], &[0xD000], &[0xF000]]
    {
        assert!(is_number(good), "{good:x?}");
    }
    for bad in
        [&[][..], &[0], &[0x4000], &[0x8000, 10_000], &[0, 0, 0xFFFF], &[0xC000, 1], &[0xE000], &[0xC001]]
    {
        assert!(!is_number(bad), "{bad:x?}");
    }
    assert!(
        !sound(&array(IS_ARRAY, &[Value::Numeric(&[0, 0x80, 1])]))
            && !sound(&array(IS_ARRAY, &[Value::Numeric(&[0])]))
    );
    // short and compressed length words, and padding that is something
    let number = array(IS_ARRAY, &[Value::String(b"a"), Value::Int(1)]);
    assert!(sound(&number));
    for (at, byte) in [(13, 1), (15, 1), (16, number[16] | 1), (16, number[16] | 2), (16, number[16] + 4)] {
        let mut bent = number.clone();
        bent[at] = byte;
        assert!(!sound(&bent), "byte {at}");
    }
}

#[test]
fn depth_is_no_danger() {
    const DEPTH: u32 = 500_000;
    let mut datum = vec![];
    for level in (0..DEPTH).rev() {
        datum.extend(words(&[IS_ARRAY | 1, ENTRY_CONTAINER | ENTRY_HAS_OFFSET | (8 * level + 4)]));
    }
    datum.extend(words(&[IS_ARRAY]));
    assert!(sound(&datum));
    datum.extend([0; 4]);
    assert!(!sound(&datum));
}
