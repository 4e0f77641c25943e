//! docs/audit-evidence.md says how an outside party checks the log: this does it, by that page
//! alone, with none of our own code.

use super::seal;
use dbguard_tests::Db;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// SHA-256 of fields as the page says, in hex.
fn hash(fields: &[&str]) -> String {
    let mut text = String::new();
    for field in fields {
        match *field {
            // as the test's client shows NULL
            "<null>" => text += "-,",
            field => text += &format!("{}:{field},", field.len()),
        }
    }
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn number(data: &[u8], at: &mut usize) -> i64 {
    let (mut n, mut shift) = (0u64, 0);
    loop {
        let byte = data[*at];
        *at += 1;
        n |= u64::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            return (n >> 1) as i64 ^ -((n & 1) as i64);
        }
    }
}

/// kind and id of each sealed record, with its digest.
type Digests = BTreeMap<(String, i64), String>;

fn read(kind: &str, data: &[u8], into: &mut Digests) {
    let (mut at, mut id) = (0, 0);
    while at < data.len() {
        id += number(data, &mut at);
        let _time = number(data, &mut at);
        into.insert((kind.to_owned(), id), hex(&data[at..at + 16]));
        at += 16;
    }
}

/// What is wrong, seal by seal.
fn check(db: &mut Db) -> Vec<String> {
    let mut wrong = vec![];
    let mut previous = "<null>".to_owned();
    for s in db.rows(
        "SELECT number, extract(epoch FROM sealed_at), home, from_xact, to_xact, next_xact, CASE WHEN closed THEN 'true' ELSE 'false' END,
                changes, first_id, last_id, encode(contents, 'hex'), encode(previous, 'hex'), encode(hash, 'hex')
         FROM dbguard.audit_seal ORDER BY number",
    ) {
        let seal = &s[0];
        let fields: Vec<&str> = [&s[11]].into_iter().chain(&s[..11]).map(String::as_str).collect();
        if hash(&fields) != s[12] || s[11] != previous {
            wrong.push(format!("{seal}: link"));
        }
        previous = s[12].clone();

        let (mut contents, mut sealed) = (Sha256::new(), Digests::new());
        for part in db.rows(&format!("SELECT kind, encode(data, 'hex'), encode(hash, 'hex') FROM dbguard.audit_seal_record WHERE seal = {seal} ORDER BY part")) {
            let data = unhex(&part[1]);
            if hex(&Sha256::digest(&data)) != part[2] {
                wrong.push(format!("{seal}: a part"));
            }
            contents.update(format!("1:{},64:{},", part[0], part[2]));
            read(&part[0], &data, &mut sealed);
        }
        if hex(&contents.finalize()) != s[10] {
            wrong.push(format!("{seal}: contents"));
        }

        let stretch = format!("xact >= '{}' AND xact < '{}'", s[3], s[4]);
        let of_home = format!("(SELECT id FROM dbguard.audit_relation WHERE starts_with(home, '{}/'))", s[2]);
        let mut found = Digests::new();
        for (kind, query) in [
            ("C", format!("SELECT id, relation, context, xact, extract(epoch FROM at), op, tenant, key, old_key, old, new
                           FROM dbguard.audit_record WHERE {stretch} AND relation IN {of_home}")),
            ("W", format!("SELECT id, extract(epoch FROM at), actor, session_user_name, current_user_name, application_name, client_addr::text, context, query
                           FROM dbguard.audit_context WHERE id IN (SELECT context FROM dbguard.audit_record WHERE {stretch} AND relation IN {of_home})")),
            ("R", format!("SELECT id, lineage, schema_name, table_name, home, key_columns, columns, extract(epoch FROM since),
                                  column_numbers, CASE WHEN starts THEN 'true' ELSE 'false' END
                           FROM dbguard.audit_relation WHERE id IN (SELECT relation FROM dbguard.audit_record WHERE {stretch} AND relation IN {of_home})")),
            ("E", format!("SELECT number, extract(epoch FROM at), xact, home, session_user_name, current_user_name, lineage, schema_name, table_name, key,
                                  columns, reason, ids, encode(digests_before, 'hex'), encode(digests_after, 'hex')
                           FROM dbguard.audit_redaction WHERE home = '{}' AND {stretch}", s[2])),
        ] {
            for row in db.rows(&query) {
                let fields: Vec<&str> = row[1..].iter().map(String::as_str).collect();
                found.insert((kind.to_owned(), row[0].parse().unwrap()), hash(&fields)[..32].to_owned());
            }
        }
        for (kind, id) in sealed.keys().chain(found.keys()) {
            let key = (kind.clone(), *id);
            if sealed.get(&key) != found.get(&key) {
                wrong.push(format!("{seal}: {kind} {id}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

#[test]
fn an_outside_party_can_check_the_log_by_the_documentation() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v text, n numeric); CREATE TABLE \"odd, 3:x\" (v jsonb);
         SELECT dbguard.audit_enable('t'), dbguard.audit_enable('\"odd, 3:x\"');
         SET dbguard.actor = 'é'; SET dbguard.tenant = ''; SET dbguard.context = '{\"a\": [1.50, null]}';
         INSERT INTO t SELECT i, repeat('ü', i % 7), i / 3.0 FROM generate_series(1, 1234) i;
         INSERT INTO \"odd, 3:x\" VALUES ('{\"b\": 1, \"a\": \"x\"}')",
    );
    seal(&mut db);
    db.exec("SET dbguard.actor = 'second'; UPDATE t SET id = 5000, v = NULL WHERE id = 1; DELETE FROM t WHERE id = 2; TRUNCATE \"odd, 3:x\"");
    super::packs::put_pack(
        &mut db,
        700_000_000,
        &[(b'I', "p1", None, r#"{"id": 1}"#), (b'D', "p2", Some("p1"), r#"{"id": 1}"#)],
    );
    db.exec("SELECT dbguard.audit_redact('t', '3', '{n}', 'nothing sealed is changed by this')");
    db.exec("SELECT dbguard.audit_redact('t', '2', '{v}', 'this one is redacted after it was sealed')");
    seal(&mut db);
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE state = 'ok'"),
        db.value("SELECT count(*) FROM dbguard.audit_seal")
    );
    let redacted = db.value("SELECT id FROM dbguard.audit_log WHERE key = '3'");
    let also = db.value("SELECT id FROM dbguard.audit_log WHERE key = '2' AND op = 'INSERT'");
    assert_eq!(check(&mut db), [format!("1: C {also}"), format!("1: C {redacted}")]);
    // what the page says of redactions: digest before, digest after
    assert_eq!(
        db.lines("SELECT r.ids, encode(r.digests_after, 'hex') = encode(c.digest, 'hex') FROM dbguard.audit_redaction r
                  JOIN dbguard.audit_record c ON c.id = r.ids[1] ORDER BY r.number")[0],
        format!("{{{redacted}}} | t")
    );
    db.unguard();
    db.exec("UPDATE dbguard.audit_change SET tenant = 'x' WHERE key = '7'; UPDATE dbguard.audit_seal SET changes = changes + 1 WHERE number = 1");
    let changed = db.value("SELECT id FROM dbguard.audit_log WHERE key = '7'");
    let wrong = check(&mut db);
    assert!(wrong.contains(&format!("1: C {changed}")) && wrong.contains(&"1: link".to_owned()), "{wrong:?}");
    // and one record by hand, in SQL
    assert_eq!(
        db.value("SELECT substr(sha256(convert_to(string_agg(coalesce(octet_length(f) || ':' || f || ',', '-,'), '' ORDER BY n), 'UTF8')), 1, 16) = digest
                  FROM dbguard.audit_record r,
                       unnest(ARRAY[relation::text, context::text, xact::text, extract(epoch FROM at)::text, op::text, tenant, key, old_key, old::text, new::text])
                       WITH ORDINALITY x(f, n)
                  WHERE r.key = '8' GROUP BY digest"),
        "t"
    );
}
