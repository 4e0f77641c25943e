//! Every value comes back as it was.

use super::{all, plan, revert, transaction, xml_or_text};
use dbguard_tests::Db;

#[test]
fn every_type_comes_back() {
    let mut db = Db::new();
    let xml = xml_or_text(&mut db);
    db.exec(
        &r#"CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad');
        CREATE TYPE pair AS (a int, "B b" text[]);
        CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
        CREATE DOMAIN words AS text[];
        CREATE TYPE fl AS RANGE (subtype = float8);
        CREATE TABLE every (
          id bigint PRIMARY KEY, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric, n2 numeric(10,2),
          b boolean, t text, vc varchar(20), ch char(8), nm name, ba bytea, u uuid,
          d date, ts timestamp, tz timestamptz, tm time, tmz timetz, iv interval,
          j json, jb jsonb, x XML, ip inet, ci cidr, mac macaddr, bi bit(4), vb varbit, pt point, tsv tsvector,
          e mood, p pair, dom positive DEFAULT 1, ws words, fr fl, ir int4range, mr int4multirange, oid oid,
          ia int[], ta text[], ja json[], pa pair[], ea mood[], na numeric[], tza timestamptz[], iaa int[][],
          "quoted ""name" text, g int GENERATED ALWAYS AS (i2 * 2) STORED);
        SELECT dbguard.audit_enable('every');
        INSERT INTO every (id) VALUES (0);
        INSERT INTO every VALUES (1, -32768, 2147483647, -9223372036854775808, 0.1, 0.1::float8 + 2e-17, 'NaN', 1.50,
          true, E'a\n''"\\ \t€', '', 'ab', 'nm', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
          'infinity', '-infinity', 'infinity', '24:00', '12:00:00.123456+05', '-1 mon +2 days -03:04:05.6',
          '{"a": [null, 1.10], "b": 1}', '{"b": 1, "a": "x", "n": 1.10}', '<a>b</a>', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '1010', '1', '(1.5,-2)', 'a:1 b:2',
          'so so', '(1,"{x,NULL,""y z""}")', 7, '{a,NULL,""}', '[0.1,1e300)', 'empty', '{[1,3),[5,)}', 4294967295,
          '{1,NULL,3}', '{}', ARRAY['{"a": 1}', NULL]::json[], ARRAY['(1,{a})', '(,)']::pair[], '{sad,glad}', '{NaN,1e200,-0.0001}', '{infinity,2026-01-01 00:00+05}', '{{1,2},{3,4}}',
          'q');
        INSERT INTO every (id, f4, f8, n, n2, ts, tz, d, iv, j, jb, t, ba) VALUES (2, 'NaN', '-Infinity', 123456789012345678901234567890.123456789012345678901234567890, 'NaN',
          '0044-03-15 12:00 BC', '294276-12-31 23:59:59Z', '4713-01-01 BC', '178000000 years', '"a string"', '"[1]"', '[1]', '');
        INSERT INTO every (id, f8, j, jb, t) VALUES (3, 5e-324, '{"a": "\u0000"}', '[]', repeat('long ', 10000));
        INSERT INTO every (id, f8, j, jb) VALUES (4, 1e308, '[1, "2", {"x": null}]', '17')"#
            .replace("XML", xml),
    );
    let before = all(&mut db, "every");
    let change = "UPDATE every SET i2 = 1, i4 = 1, i8 = 1, f4 = 1, f8 = 1, n = 1, n2 = 1, b = false, t = 'x', vc = 'x', ch = 'x', nm = 'x', ba = 'x', u = gen_random_uuid(),
          d = now(), ts = now(), tz = now(), tm = '1:00', tmz = '1:00Z', iv = '1 s', j = '1', jb = '1', x = '<x/>', ip = '1.1.1.1', ci = '1.1.1.1/32', mac = '00:00:00:00:00:00',
          bi = '0000', vb = '0', pt = '(0,0)', tsv = 'x', e = 'sad', p = '(0,{})', dom = 3, ws = '{x}', fr = '[1,2)', ir = '[1,2)', mr = '{[1,2)}', oid = 1,
          ia = '{1}', ta = '{x}', ja = '{1}', pa = '{}', ea = '{}', na = '{}', tza = '{}', iaa = '{{1}}', \"quoted \"\"name\" = 'x'";
    for changes in [
        change.to_owned(),
        "DELETE FROM every".to_owned(),
        format!("{change}; DELETE FROM every WHERE id <> 2; INSERT INTO every (id) VALUES (1), (3)"),
        "UPDATE every SET id = id + 100".to_owned(),
    ] {
        let x = transaction(&mut db, &changes);
        let after = all(&mut db, "every");
        let y = transaction(&mut db, &format!("SELECT FROM dbguard.audit_revert(xact => '{x}')"));
        assert_eq!(all(&mut db, "every"), before, "{changes}");
        let z = transaction(&mut db, &format!("SELECT FROM dbguard.audit_revert(xact => '{y}')"));
        assert_eq!(all(&mut db, "every"), after, "{changes}");
        // by hand, with the statements of the plan
        let script =
            db.lines(&format!("SELECT sql FROM dbguard.audit_revert_plan(xact => '{z}')")).join("\n");
        db.exec(&script);
        assert_eq!(all(&mut db, "every"), before, "{script}");
    }
}

#[test]
fn keys_of_many_types() {
    for (type_name, one, other) in [
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"),
        ("text", "it's \"q\" {1}", "null"),
        ("text COLLATE \"C\"", "ä", "a"),
        ("varchar(5)", "12", "13"),
        ("char(5)", "ab", "cd"),
        ("numeric", "1.50", "NaN"),
        ("timestamptz", "2026-01-01 12:00:00.123456+02", "infinity"),
        ("date", "2026-01-01", "-infinity"),
        ("boolean", "t", "f"),
        ("int[]", "{1,2}", "{}"),
        ("text[]", "{\"a,b\",NULL}", "{x}"),
        ("int4range", "[1,5)", "empty"),
        ("bytea", "\\x00ff", "\\x"),
        ("float8", "0.1", "NaN"),
        ("interval", "1 mon 2 days", "-00:00:01"),
        ("inet", "::1", "10.0.0.0/8"),
        ("jsonb", "{\"a\": 1}", "\"x\""),
        ("oid", "4294967295", "1"),
    ] {
        let mut db = Db::new();
        let (one, other) = (one.replace('\'', "''"), other.replace('\'', "''"));
        db.exec(&format!(
            "CREATE TABLE k (id {type_name} PRIMARY KEY, v int); CREATE TABLE k2 (n int, id {type_name}, v int, PRIMARY KEY (id, n));
             SELECT dbguard.audit_enable('k'); SELECT dbguard.audit_enable('k2');
             INSERT INTO k VALUES ('{one}', 1), ('{other}', 2); INSERT INTO k2 VALUES (1, '{one}', 1), (2, '{one}', 1), (1, '{other}', 1)"
        ));
        let before = (all(&mut db, "k"), all(&mut db, "k2"));
        for changes in [
            "UPDATE k SET v = 9; UPDATE k2 SET v = 9 WHERE n = 1",
            "DELETE FROM k; DELETE FROM k2",
            &format!("DELETE FROM k WHERE id = '{other}'; UPDATE k SET id = '{other}'; UPDATE k2 SET n = n + 5, v = 3 WHERE id = '{one}'"),
        ] {
            let x = transaction(&mut db, changes);
            db.exec("SET timezone = 'Asia/Tokyo'; SET datestyle = 'SQL, DMY'; SET bytea_output = escape");
            revert(&mut db, &format!("xact => '{x}'"));
            db.exec("RESET timezone; RESET datestyle; RESET bytea_output");
            assert_eq!((all(&mut db, "k"), all(&mut db, "k2")), before, "{type_name}: {changes}");
        }
    }
}

#[test]
fn json_null_is_not_null_where_that_can_be_told() {
    let mut db = Db::new();
    db.exec("CREATE TABLE j (id int PRIMARY KEY, a jsonb NOT NULL, b json NOT NULL); SELECT dbguard.audit_enable('j'); INSERT INTO j VALUES (1, 'null', 'null')");
    for changes in ["UPDATE j SET a = '1', b = '1'", "DELETE FROM j"] {
        let x = transaction(&mut db, changes);
        let script = db.value(&format!("SELECT sql FROM dbguard.audit_revert_plan(xact => '{x}')"));
        db.exec(&format!("BEGIN; {script} ROLLBACK"));
        revert(&mut db, &format!("xact => '{x}'"));
        assert_eq!(all(&mut db, "j"), ["(1,null,null)"]);
    }
}

#[test]
fn a_type_that_changed() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, a int, b text, c numeric); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1, '5', 1.25), (2, 2, 'x', 2.75)");
    let x = transaction(&mut db, "UPDATE t SET a = 7, b = '8', c = 3.55");
    db.exec("ALTER TABLE t ALTER id TYPE bigint, ALTER a TYPE text, ALTER b TYPE int USING b::int, ALTER c TYPE numeric(10,1)");
    assert_eq!(
        plan(&mut db, &format!("xact => '{x}'")),
        [
            "UPDATE | t | 2 | {\"a\": 2, \"b\": \"x\", \"c\": 2.75} | conflict: a value cannot be read from the log: invalid input syntax for type integer: \"x\"",
            "UPDATE | t | 1 | {\"a\": 1, \"b\": \"5\", \"c\": 1.25}",
        ]
    );
    revert(&mut db, &format!("xact => '{x}', on_conflict => 'skip'"));
    assert_eq!(all(&mut db, "t"), ["(1,1,5,1.3)", "(2,7,8,3.6)"]);
}

#[test]
fn large_values() {
    let mut db = Db::new();
    db.exec("CREATE TABLE l (id int PRIMARY KEY, t text, b bytea); SELECT dbguard.audit_enable('l');
             INSERT INTO l SELECT i, repeat('0123456789', 1000000), decode(repeat('00ff', 1000000), 'hex') FROM generate_series(1, 8) i");
    let before = db.value("SELECT md5(string_agg(md5(l::text), '' ORDER BY id)) FROM l");
    let x = transaction(&mut db, "DELETE FROM l WHERE id > 2; UPDATE l SET t = 'x', b = NULL");
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.value("SELECT md5(string_agg(md5(l::text), '' ORDER BY id)) FROM l"), before);
}
