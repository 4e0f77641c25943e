//! The image of a row equals to_jsonb(row), for every built-in type.

use dbguard_tests::Db;

/// A random value of each type that can stand in a column; `i` is the number of the row.
const TYPES: &[(&str, &str)] = &[
    ("bool", "random() < 0.5"),
    ("bytea", "decode(md5(random()::text), 'hex')"),
    ("\"char\"", "chr(33 + (random() * 90)::int)::\"char\""),
    ("name", "('n' || md5(random()::text))::name"),
    ("int2", "(random() * 65535 - 32768)::int::int2"),
    ("int4", "((random() - 0.5) * 4294967290)::int8::int4"),
    ("int8", "((random() - 0.5) * 1.8e19)::int8"),
    ("float4", "((random() - 0.5) * power(10, (random() * 60 - 30)::int))::float4"),
    ("float8", "(random() - 0.5) * power(10, (random() * 500 - 250)::int)"),
    ("numeric", "((random() - 0.5)::numeric * power(10::numeric, (random() * 60 - 20)::int))"),
    ("money", "((random() - 0.5) * 1e9)::numeric::money"),
    ("oid", "(random() * 4294967295)::int8::oid"),
    ("xid", "((random() * 4294967295)::int8)::text::xid"),
    ("cid", "((random() * 4294967295)::int8)::text::cid"),
    ("xid8", "((random() * 1e15)::int8)::text::xid8"),
    ("tid", "format('(%s,%s)', (random() * 1e6)::int, 1 + (random() * 100)::int)::tid"),
    ("text", "repeat(chr(32 + (random() * 900)::int), (random() * 40)::int) || E'\\t\"\\\\' || i"),
    ("varchar(50)", "left(md5(random()::text), (random() * 30)::int)"),
    ("bpchar", "left(md5(random()::text), (random() * 30)::int) || '  '"),
    ("char(9)", "left(md5(random()::text), (random() * 9)::int)"),
    ("uuid", "gen_random_uuid()"),
    ("date", "date '2000-01-01' + ((random() - 0.5) * 1500000)::int"),
    ("time", "time '00:00' + random() * interval '24 hours'"),
    ("timetz", "(time '00:00' + random() * interval '24 hours')::timetz"),
    ("timestamp", "timestamp '2000-01-01' + (random() - 0.5) * interval '3000 years'"),
    ("timestamptz", "timestamptz '2000-01-01Z' + (random() - 0.5) * interval '3000 years'"),
    ("interval", "(random() - 0.5) * interval '900 years 3 months 2 days 1.5 seconds'"),
    ("json", "json_build_object('b', i, 'a', array[random(), i], 'b', null)"),
    ("jsonb", "jsonb_build_object('b', i, 'a', array[random(), i], 'c', md5(random()::text))"),
    ("jsonpath", "format('$.a[%s].b ? (@ > %s)', i, i)::jsonpath"),
    ("xml", "format('<a b=\"%s\">%s</a>', i, md5(random()::text))::xml"),
    ("bit(7)", "((random() * 127)::int)::bit(7)"),
    ("varbit", "((random() * 1e9)::int)::bit(31)::varbit"),
    ("inet", "format('10.%s.%s.1/24', (random() * 255)::int, (random() * 255)::int)::inet"),
    ("cidr", "format('10.%s.%s.0/24', (random() * 255)::int, (random() * 255)::int)::cidr"),
    ("macaddr", "left(md5(random()::text), 12)::macaddr"),
    ("macaddr8", "left(md5(random()::text), 16)::macaddr8"),
    ("point", "point(random() * 1e3, -random())"),
    ("lseg", "lseg(point(random(), i), point(i, random()))"),
    ("path", "path(polygon(3 + i % 4, circle(point(random(), 1), 2)))"),
    ("box", "box(point(random(), i), point(i, random()))"),
    ("polygon", "polygon(3 + i % 4, circle(point(random(), 1), 2))"),
    ("line", "line(point(random(), i), point(i + 1, random()))"),
    ("circle", "circle(point(random(), 1), random() * i)"),
    ("tsvector", "to_tsvector('simple', md5(random()::text) || ' ' || i)"),
    ("tsquery", "plainto_tsquery('simple', md5(random()::text) || ' ' || i)"),
    ("pg_lsn", "('0/' || upper(to_hex((random() * 1e9)::int)))::pg_lsn"),
    ("pg_snapshot", "format('%s:%s:', i, i + 5)::pg_snapshot"),
    ("txid_snapshot", "format('%s:%s:', i, i + 5)::txid_snapshot"),
    ("refcursor", "('c' || i)::refcursor"),
    ("int2vector", "format('%s %s', i, i + 1)::int2vector"),
    ("oidvector", "format('%s %s', i, i + 1)::oidvector"),
    ("aclitem", "('=' || (array['r','w','arwd'])[1 + i % 3] || '/postgres')::aclitem"),
    ("regproc", "(array['now','version','timeofday'])[1 + i % 3]::regproc"),
    ("regprocedure", "(array['now()','length(text)'])[1 + i % 2]::regprocedure"),
    ("regoper", "'||/'::regoper"),
    ("regoperator", "(array['+(int4,int4)','-(int8,int8)'])[1 + i % 2]::regoperator"),
    ("regclass", "(array['pg_class','pg_type'])[1 + i % 2]::regclass"),
    ("regcollation", "'\"C\"'::regcollation"),
    ("regtype", "(array['int4','text','timestamptz'])[1 + i % 3]::regtype"),
    ("regrole", "'postgres'::regrole"),
    ("regnamespace", "(array['pg_catalog','public'])[1 + i % 2]::regnamespace"),
    ("regconfig", "'simple'::regconfig"),
    ("regdictionary", "'simple'::regdictionary"),
    ("int4range", "int4range(i, i + (random() * 100)::int)"),
    ("int8range", "int8range(i, null)"),
    ("numrange", "numrange(random()::numeric, 1 + random()::numeric, '[]')"),
    ("tsrange", "tsrange('2020-01-01'::timestamp + i * interval '1 hour', null)"),
    ("tstzrange", "tstzrange(null, '2020-01-01Z'::timestamptz + i * interval '1 hour')"),
    ("daterange", "daterange('2020-01-01'::date, '2020-01-01'::date + i)"),
    ("int4multirange", "int4multirange(int4range(i, i + 2), int4range(i + 5, i + 9))"),
    ("int8multirange", "int8multirange(int8range(i, i + 2))"),
    ("nummultirange", "nummultirange(numrange(i, i + 2.5))"),
    ("tsmultirange", "tsmultirange(tsrange('2020-01-01', '2021-01-01'))"),
    ("tstzmultirange", "tstzmultirange(tstzrange('2020-01-01', '2021-01-01'))"),
    ("datemultirange", "datemultirange(daterange('2020-01-01', '2021-01-01'))"),
];

/// Values at the edges, where a fast path could differ.
const EDGES: &[(&str, &[&str])] = &[
    ("int2", &["-32768", "32767", "0"]),
    ("int4", &["-2147483648", "2147483647", "0", "10000", "-10000", "99999999"]),
    ("int8", &["-9223372036854775808", "9223372036854775807", "100000000", "1000000000000"]),
    (
        "numeric",
        &[
            "NaN",
            "Infinity",
            "-Infinity",
            "0",
            "0.000",
            "-0.10",
            "1e-300",
            "1e300",
            "100000000.00",
            "1234567890123456789012345678901234567890.12345",
        ],
    ),
    ("float8", &["NaN", "Infinity", "-Infinity", "-0", "1e-308", "0.1"]),
    ("text", &["", " ", "é\u{10348}", "\\u0041", "\u{1}"]),
    ("jsonb", &["null", "true", "\"x\"", "1.50", "[]", "{}", "[[[]]]", "{\"a\":{\"b\":[1,{\"c\":null}]}}"]),
    ("json", &["null", "1", "\"\\u00e9\"", "{\"a\":1,\"a\":2}", " [ 1 , 2 ] "]),
    ("timestamptz", &["infinity", "-infinity", "0044-03-15 BC", "2026-10-25 01:30:00.000001Z"]),
    ("timestamp", &["infinity", "-infinity", "4713-01-01 BC", "294276-12-31"]),
    ("date", &["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"]),
    ("interval", &["0", "-1 mons +1 day -00:00:00.000001"]),
    ("int4range", &["empty"]),
];

pub fn differences(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT l.new, to_jsonb(whole_row) FROM {table} whole_row
         LEFT JOIN dbguard.audit_log l ON l.key = whole_row.id::text AND l.op = 'INSERT' AND l.table_name = '{table}'
         WHERE l.new IS DISTINCT FROM to_jsonb(whole_row) OR l.new::text IS DISTINCT FROM to_jsonb(whole_row)::text
            OR hashtext(l.new::text) IS DISTINCT FROM hashtext(to_jsonb(whole_row)::text)"
    ))
}

#[test]
fn every_built_in_type_is_in_the_list() {
    let mut db = Db::new();
    // types a column may have but no value can be given for
    let no_input = "pg_node_tree,pg_ndistinct,pg_dependencies,pg_mcv_list,gtsvector,pg_brin_bloom_summary,pg_brin_minmax_multi_summary";
    let listed: Vec<String> = TYPES.iter().map(|(t, _)| format!("'{t}'::regtype")).collect();
    let missing = db.rows(&format!(
        "SELECT typname FROM pg_type
         WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm', 'e', 'd')
           AND typcategory <> 'A' AND typrelid = 0
           AND typname <> ALL (string_to_array('{no_input}', ','))
           AND oid NOT IN ({})",
        listed.join(", ")
    ));
    assert_eq!(missing, Vec::<Vec<String>>::new());
}

#[test]
fn every_type_and_its_array_at_random() {
    let mut db = Db::new();
    let xml = db.try_exec("SELECT '<a/>'::xml").is_ok();
    for (n, (type_name, random)) in TYPES.iter().enumerate() {
        if *type_name == "xml" && !xml {
            continue; // a server built without libxml
        }
        let table = format!("t{n}");
        db.exec(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, a {type_name}, b {type_name}[]);
             SELECT dbguard.audit_enable('{table}');
             INSERT INTO {table} SELECT i, {random}, ARRAY[{random}, NULL, {random}]::{type_name}[] FROM generate_series(1, 25) i;
             INSERT INTO {table} VALUES (0, NULL, NULL), (-1, NULL, '{{}}')"
        ));
        let edges = EDGES.iter().find(|(t, _)| t == type_name).map_or(&[][..], |(_, e)| e);
        for (i, edge) in edges.iter().enumerate() {
            let edge = edge.replace('\'', "''");
            db.exec(&format!("INSERT INTO {table} VALUES ({}, E'{}')", 100 + i, edge.replace('\\', "\\\\")));
        }
        assert_eq!(differences(&mut db, &table), Vec::<String>::new(), "{type_name}");
        let count = db.value(&format!("SELECT count(*) FROM dbguard.audit_log WHERE table_name = '{table}'"));
        assert_eq!(count, (27 + edges.len()).to_string(), "{type_name}");
    }
}

/// Around every switch of the clocks of some zones, and at random over all years.
#[test]
fn times_in_any_zone() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE times (id serial PRIMARY KEY, z timestamptz, t timestamp, d date);
         SELECT dbguard.audit_enable('times'); SELECT setseed(0.42)",
    );
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Monrovia",
        "Europe/Dublin",
        "America/Caracas",
        "EST5EDT",
        "-3.75",
        "<+0530>-5:30",
    ] {
        db.exec(&format!("TRUNCATE times; SET timezone = '{zone}'"));
        db.exec(
            "INSERT INTO times (z, t, d)
             SELECT z, z AT TIME ZONE 'UTC', (z AT TIME ZONE 'UTC')::date
             FROM (SELECT timestamptz '4000-01-01Z' + (random() - 0.5) * interval '16000 years' AS z FROM generate_series(1, 300)
                   UNION ALL SELECT timestamptz '1950-01-01Z' + random() * interval '100 years' FROM generate_series(1, 300)
                   UNION ALL SELECT z + s * interval '1 microsecond'
                   FROM (SELECT z, local - lag(local) OVER (ORDER BY z) AS step
                         FROM (SELECT z, z AT TIME ZONE current_setting('timezone') AS local
                               FROM generate_series(timestamptz '2003-01-01Z', '2013-01-01Z', '30 min') z) clock) steps,
                        (VALUES (-1), (0), (1)) around(s)
                   WHERE step <> '30 min') x",
        );
        assert_eq!(differences(&mut db, "times"), Vec::<String>::new(), "{zone}");
    }
    // and back, in whatever order they come
    db.exec("SET timezone = 'Europe/Berlin'; DELETE FROM times WHERE id IN (SELECT id FROM times ORDER BY z DESC LIMIT 500)");
    let wrong = db.lines(
        "SELECT d.old, i.z FROM dbguard.audit_log d JOIN dbguard.audit_log n ON n.key = d.key AND n.op = 'INSERT',
         jsonb_to_record(n.new) i(z timestamptz) WHERE d.op = 'DELETE' AND d.old->'z' <> to_jsonb(i.z)",
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE op = 'DELETE'"), "500");
}

#[test]
fn types_of_the_users_own() {
    let mut db = Db::new();
    db.exec(
        "CREATE TYPE mood AS ENUM ('sad', 'so so');
         CREATE DOMAIN posint AS int CHECK (VALUE > 0);
         CREATE DOMAIN doc AS jsonb;
         CREATE TYPE pair AS (a int, \"B c\" text);
         CREATE TYPE span AS RANGE (subtype = float8);
         CREATE TABLE own (id int PRIMARY KEY, m mood, p posint, d doc, c pair, cs pair[], s span,
                           g int GENERATED ALWAYS AS (id * 2) STORED);
         SELECT dbguard.audit_enable('own');
         INSERT INTO own VALUES (1, 'so so', 5, '{\"x\":1}', ROW(1, 'q'), ARRAY[ROW(2, NULL)::pair], '[1,2)'),
                                (2, NULL, NULL, '7', ROW(NULL, NULL), '{}', 'empty');
         INSERT INTO own VALUES (3)",
    );
    assert_eq!(differences(&mut db, "own"), Vec::<String>::new());
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log"), "3");
}
