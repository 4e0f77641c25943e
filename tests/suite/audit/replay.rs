//! The log replayed: from empty it gives the table, and backwards from the table every earlier
//! state. Random tables, random statements; a failure names its seed.

use dbguard_tests::Db;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A row: column to JSON text, exactly as the server prints it.
type Row = BTreeMap<String, String>;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// A table under test: how it is made, and whether its rows have a key.
struct Table {
    name: &'static str,
    has_key: bool,
    partitioned: bool,
    extra: Vec<String>,
    added: u32,
}

const COLUMNS: &str =
    "v text, n numeric, j jsonb, b boolean, t timestamptz, a text[], u uuid, d double precision";

fn tables() -> (String, Vec<Table>) {
    let sql = format!(
        "CREATE TABLE single (id int PRIMARY KEY, k int NOT NULL DEFAULT 0, {COLUMNS});
         CREATE TABLE packed (id bigint PRIMARY KEY, k int NOT NULL DEFAULT 0, {COLUMNS});
         CREATE TABLE whole (id int, k int NOT NULL DEFAULT 0, {COLUMNS}, PRIMARY KEY (id));
         CREATE TABLE nokey (id int, k int NOT NULL DEFAULT 0, {COLUMNS});
         CREATE TABLE pair (id int, k int NOT NULL DEFAULT 0, {COLUMNS}, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
         CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (4);
         CREATE TABLE pair_2 (u uuid, d double precision, k int NOT NULL, junk int, b boolean, j jsonb, id int NOT NULL, n numeric, v text, a text[], t timestamptz);
         ALTER TABLE pair_2 DROP COLUMN junk;
         ALTER TABLE pair ATTACH PARTITION pair_2 FOR VALUES FROM (4) TO (7);
         CREATE TABLE pair_3 PARTITION OF pair DEFAULT;
         CREATE TABLE parts (id int, k int NOT NULL DEFAULT 0, {COLUMNS}) PARTITION BY LIST (k);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (0, 2, 4, 6, 8);
         CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
         SELECT dbguard.audit_enable('single'); SELECT dbguard.audit_enable('packed', bulk => 'pack');
         SELECT dbguard.audit_enable('whole', capture => 'full'); SELECT dbguard.audit_enable('nokey');
         SELECT dbguard.audit_enable('pair'); SELECT dbguard.audit_enable('parts');
         CREATE FUNCTION touch_again() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN
              UPDATE single SET n = coalesce(n, 0) + 1, k = k + 1 WHERE id = NEW.id;
              BEGIN
                UPDATE single SET v = 'twice' WHERE id = NEW.id;
                IF NEW.id % 3 = 0 THEN PERFORM 1 / 0; END IF;
              EXCEPTION WHEN division_by_zero THEN DELETE FROM single WHERE id = NEW.id + 1;
              END;
              RETURN NULL;
            END $$;
         CREATE TRIGGER again AFTER INSERT OR UPDATE ON single FOR EACH ROW WHEN (NEW.k IN (3, 4)) EXECUTE FUNCTION touch_again()"
    );
    let table = |name, has_key, partitioned| Table { name, has_key, partitioned, extra: vec![], added: 0 };
    let list = vec![
        table("single", true, false),
        table("packed", true, false),
        table("whole", true, false),
        table("nokey", false, false),
        table("pair", true, true),
        table("parts", false, true),
    ];
    (sql, list)
}

fn value(r: &mut Random, column: &str) -> String {
    if r.below(6) == 0 {
        return "NULL".to_owned();
    }
    let n = r.below(1000);
    match column {
        "v" => match r.below(5) {
            0 => "repeat(md5(random()::text), 300)".to_owned(),
            1 => "''".to_owned(),
            _ => format!("'text {n} \"quoted\" é'"),
        },
        "n" => r.pick(&["1.0", "1.00", "'NaN'", "-12345678901234567890.123", "0", "1e10"]).to_owned(),
        "j" => {
            r.pick(&["'{\"a\": [1, {\"b\": null}]}'", "'\"scalar\"'", "'[]'", "'3.10'", "'{}'"]).to_owned()
        }
        "b" => r.pick(&["true", "false"]).to_owned(),
        "t" => format!("timestamptz '2026-01-01' + {n} * interval '1 hour 1 second'"),
        "a" => r.pick(&["'{}'", "'{a,NULL,\"b c\"}'", "'{{x,y},{z,w}}'"]).to_owned(),
        "u" => format!("md5('{n}')::uuid"),
        "d" => r.pick(&["0.1", "'-Infinity'", "1e300", "-0.0"]).to_owned(),
        _ => n.to_string(),
    }
}

const NAMES: [&str; 8] = ["v", "n", "j", "b", "t", "a", "u", "d"];

fn assignments(r: &mut Random, table: &Table) -> String {
    let mut set = vec![];
    for name in NAMES {
        if r.below(4) == 0 {
            set.push(format!("{name} = {}", value(r, name)));
        }
    }
    for name in &table.extra {
        if r.below(3) == 0 {
            set.push(format!("{name} = {}", r.below(50)));
        }
    }
    if r.below(3) == 0 {
        set.push(format!("k = {}", r.below(9)));
    }
    if set.is_empty() {
        set.push("v = v".to_owned());
    }
    set.join(", ")
}

/// One random statement. It may fail (a key twice): that is part of the game.
fn statement(r: &mut Random, table: &mut Table) -> String {
    let name = table.name;
    let (from, rows) = (r.below(60), 1 + if r.below(6) == 0 { 120 } else { r.below(6) });
    let (low, high) = (r.below(60), r.below(30));
    let some = format!("id BETWEEN {low} AND {}", low + high);
    let source = |r: &mut Random| {
        let values: Vec<String> = NAMES.iter().map(|n| value(r, n)).collect();
        format!("SELECT i, i % 9, {} FROM generate_series({from}, {}) i", values.join(", "), from + rows)
    };
    match r.below(16) {
        0..=3 => format!("INSERT INTO {name} (id, k, {}) {}", NAMES.join(", "), source(r)),
        4 if name != "pair" && table.has_key => format!(
            "INSERT INTO {name} (id, k, {}) {} ON CONFLICT (id) DO UPDATE SET {}",
            NAMES.join(", "),
            source(r),
            assignments(r, table).replace("v = v", "v = 'again'")
        ),
        5 if table.has_key => format!(
            "INSERT INTO {name} (id, k, {}) {} ON CONFLICT DO NOTHING", NAMES.join(", "), source(r)
        ),
        6..=8 => format!("UPDATE {name} SET {} WHERE {some}", assignments(r, table)),
        9 => format!("UPDATE {name} SET id = id + 1000, k = (k + 5) % 9 WHERE {some}"),
        10 => format!("DELETE FROM {name} WHERE {some} AND k <> 5"),
        11 => format!(
            "MERGE INTO {name} m USING (SELECT i, i % 9 AS k FROM generate_series({from}, {}) i) s ON m.id = s.i
             WHEN MATCHED AND m.k = 1 THEN DELETE
             WHEN MATCHED THEN UPDATE SET k = (m.k + 3) % 9, v = 'merged'
             WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.i, s.k, 'new')",
            from + rows
        ),
        12 => format!(
            "WITH gone AS (DELETE FROM {name} WHERE {some} RETURNING *), more AS (UPDATE {name} SET {} WHERE id > {} RETURNING 1)
             INSERT INTO {name} (id, k, v) SELECT id + 5000 + (random() * 1e6)::int, k, 'from ' || id FROM gone",
            assignments(r, table),
            low + high
        ),
        13 => format!(
            "DO $$ BEGIN
               UPDATE {name} SET v = 'outer' WHERE {some};
               BEGIN
                 UPDATE {name} SET v = 'inner' WHERE {some}; DELETE FROM {name} WHERE id % 7 = 0; PERFORM 1 / {};
               EXCEPTION WHEN division_by_zero THEN INSERT INTO {name} (id, v) VALUES ({}, 'caught');
               END;
               UPDATE {name} SET b = NOT b WHERE {some};
             END $$",
            r.below(2),
            100_000 + r.below(1_000_000)
        ),
        14 if table.added < 4 => {
            table.added += 1;
            let column = format!("x{}", table.added);
            table.extra.push(column.clone());
            format!("ALTER TABLE {name} ADD COLUMN {column} int; UPDATE {name} SET {column} = 1 WHERE {some}")
        }
        15 if !table.extra.is_empty() && !table.partitioned => {
            let column = table.extra.remove(0);
            format!("ALTER TABLE {name} DROP COLUMN {column}")
        }
        _ => format!("COPY {name} (id, k, v) FROM PROGRAM 'printf \"{}\\t{}\\tcopied\\n{}\\t8\\t\\\\N\\n\"'",
                     200_000 + r.below(1_000_000), r.below(9), 2_000_000 + r.below(1_000_000)),
    }
}

fn parse(json: &str) -> Row {
    if json == "<null>" {
        return Row::new();
    }
    let map: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap();
    map.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
}

/// What the rows of a table are, in an order of their own.
fn state(db: &mut Db, table: &str) -> Vec<Row> {
    let rows = db.rows(&format!("SELECT to_jsonb(x)::text FROM {table} x"));
    sorted(rows.iter().map(|row| parse(&row[0])).collect())
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    // a column that is not there is one that is null: it may have been added since
    rows.iter_mut().for_each(|row| row.retain(|_, value| value != "null"));
    rows.sort();
    rows
}

struct Change {
    id: i64,
    op: String,
    old: Row,
    new: Row,
    key: Option<String>,
    old_key: Option<String>,
}

fn changes(db: &mut Db, table: &str) -> Vec<Change> {
    let rows = db.rows(&format!(
        "SELECT id, op, old, new, key, old_key FROM dbguard.audit_log WHERE table_name = '{table}' ORDER BY at, id"
    ));
    let some = |text: &String| Some(text.clone()).filter(|text| text != "<null>");
    rows.iter()
        .map(|row| Change {
            id: row[0].parse().unwrap(),
            op: row[1].clone(),
            old: parse(&row[2]),
            new: parse(&row[3]),
            key: some(&row[4]),
            old_key: some(&row[5]),
        })
        .collect()
}

/// Takes the one row out that agrees with `known` in all its columns (and, where the change shows
/// less than the row, has the key it must have).
fn take(rows: &mut Vec<Row>, known: &Row, columns: &[String], what: &str) -> Row {
    let agrees = |row: &Row| {
        known.iter().all(|(name, value)| {
            !columns.contains(name) || row.get(name).map_or("null", String::as_str) == value
        })
    };
    let at = rows.iter().position(agrees).unwrap_or_else(|| panic!("{what}: no row {known:?}"));
    rows.swap_remove(at)
}

/// The key columns of a change's row, before or after it.
fn with_key(row: &Row, key: &str, key_columns: &[String]) -> Row {
    let mut known = row.clone();
    if let [single] = key_columns {
        known.insert(single.clone(), key.to_owned());
    } else if !key_columns.is_empty() {
        known.extend(parse(key));
    }
    known
}

fn run(seed: u64) {
    let mut r = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut db = Db::new();
    let (setup, mut list) = tables();
    db.exec(&setup);
    // the state of each table after each transaction, with the highest id of the log then
    let mut history: Vec<(i64, Vec<Vec<Row>>)> = vec![(0, list.iter().map(|_| vec![]).collect())];
    for _ in 0..14 {
        let own = r.below(3) == 0;
        db.exec(if own { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" });
        for i in 0..r.below(6) {
            let which = r.below(list.len() as u64) as usize;
            let (before, added) = (list[which].extra.clone(), list[which].added);
            let sql = statement(&mut r, &mut list[which]);
            db.exec(&format!("SAVEPOINT s{i}"));
            let failed = db.try_exec(&sql).is_err();
            if failed || r.below(5) == 0 {
                db.exec(&format!("ROLLBACK TO s{i}"));
                (list[which].extra, list[which].added) = (before, added);
            }
        }
        db.exec(if r.below(6) == 0 { "ROLLBACK" } else { "COMMIT" });
        for table in &mut list {
            table.extra = db.lines(&format!("SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attname LIKE 'x_' AND NOT attisdropped", table.name));
        }
        let high = db.value("SELECT coalesce(max(id), 0) FROM dbguard.audit_log").parse().unwrap();
        history.push((high, list.iter().map(|t| state(&mut db, t.name)).collect()));
    }
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE op NOT IN ('INSERT', 'UPDATE', 'DELETE') OR xact IS NULL"), "0");
    for (t, table) in list.iter().enumerate() {
        let what = format!("seed {seed}, table {}", table.name);
        replay(&mut db, table, t, &history, &what);
    }
}

fn replay(db: &mut Db, table: &Table, t: usize, history: &[(i64, Vec<Vec<Row>>)], what: &str) {
    let log = changes(db, table.name);
    let key_columns: Vec<String> = match table.name {
        "pair" => vec!["id".to_owned(), "k".to_owned()],
        _ if table.has_key => vec!["id".to_owned()],
        _ => vec![],
    };
    let every: Vec<String> = db.lines(&format!(
        "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped",
        table.name
    ));
    let present = |rows: &[Row]| -> Vec<Row> {
        let keep = |row: &Row| {
            row.iter().filter(|(n, _)| every.contains(n)).map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        sorted(rows.iter().map(keep).collect())
    };
    // forwards
    let mut rows: Vec<Row> = vec![];
    let mut states = history.iter().peekable();
    for change in &log {
        while let Some((high, state)) = states.next_if(|(high, _)| *high < change.id) {
            assert_eq!(present(&rows), present(&state[t]), "{what}, forwards to {high}");
        }
        match change.op.as_str() {
            "INSERT" => rows.push(change.new.clone()),
            "DELETE" => {
                take(&mut rows, &change.old, &every, what);
            }
            _ => {
                let before = change.old_key.as_ref().or(change.key.as_ref()).map_or("", String::as_str);
                let known = with_key(&change.old, before, &key_columns);
                let mut row = take(&mut rows, &known, &every, what);
                row.extend(change.new.clone());
                rows.push(row);
            }
        }
    }
    for (high, state) in states {
        assert_eq!(present(&rows), present(&state[t]), "{what}, forwards to {high}");
    }
    // backwards
    let mut rows = state(db, table.name);
    let mut log = log.iter().rev().peekable();
    for (high, state) in history.iter().rev() {
        while let Some(change) = log.next_if(|change| change.id > *high) {
            match change.op.as_str() {
                "INSERT" => {
                    take(&mut rows, &change.new, &every, what);
                }
                "DELETE" => rows.push(change.old.clone()),
                _ => {
                    let known =
                        with_key(&change.new, change.key.as_deref().unwrap_or_default(), &key_columns);
                    let mut row = if table.has_key {
                        take(&mut rows, &known, &every, what)
                    } else {
                        // no key: the whole row as it was after, which is the row before with the changes
                        let mut after = change.old.clone();
                        after.extend(change.new.clone());
                        take(&mut rows, &after, &every, what)
                    };
                    row.extend(change.old.clone());
                    rows.push(row);
                }
            }
        }
        assert_eq!(present(&rows), present(&state[t]), "{what}, backwards to {high}");
    }
    assert!(rows.is_empty(), "{what}");
}

#[test]
fn random_statements_replay() {
    match std::env::var("DBGUARD_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => run(seed),
        None => (1..=6).for_each(run),
    }
}
