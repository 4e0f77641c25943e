//! The way into the log: straight into its heap where it is as we made it, by INSERT where somebody
//! has changed it, and in the right order either way.

use dbguard_tests::Db;

fn db() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int, w text); SELECT dbguard.audit_enable('t')");
    db
}

const LOG: &str = "SELECT op, key, old, new FROM dbguard.audit_log ORDER BY id";

/// The leaf of audit_change that is written now.
fn leaf(db: &mut Db) -> String {
    db.exec("INSERT INTO t VALUES (-1)");
    let leaf = db.value("SELECT tableoid::regclass FROM dbguard.audit_change LIMIT 1");
    db.exec("DELETE FROM t; SET session_replication_role = replica; TRUNCATE dbguard.audit_change; RESET session_replication_role");
    leaf
}

#[test]
fn whatever_somebody_does_to_the_log_it_is_heeded() {
    let changes: &[(&str, &str)] = &[
        ("a trigger on the parent", "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.key); RETURN NEW; END $$;
            CREATE TABLE seen (key text); CREATE TRIGGER seen AFTER INSERT ON dbguard.audit_change FOR EACH ROW EXECUTE FUNCTION seen()"),
        ("a trigger on the leaf", "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.key); RETURN NEW; END $$;
            CREATE TABLE seen (key text); CREATE TRIGGER seen BEFORE INSERT ON LEAF FOR EACH ROW EXECUTE FUNCTION seen()"),
        ("a statement trigger", "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES ('s'); RETURN NULL; END $$;
            CREATE TABLE seen (key text); CREATE TRIGGER seen AFTER INSERT ON dbguard.audit_change FOR EACH STATEMENT EXECUTE FUNCTION seen()"),
        ("a column with a default", "ALTER TABLE dbguard.audit_change ADD COLUMN host text DEFAULT 'here'"),
        ("an index on an expression", "CREATE INDEX by_length ON dbguard.audit_change (length(key))"),
        ("a partial index", "CREATE INDEX of_updates ON dbguard.audit_change (id) WHERE op = 'U'"),
        ("a hash index", "CREATE INDEX hashed ON dbguard.audit_change USING hash (key)"),
        ("a GIN index", "CREATE INDEX gin ON dbguard.audit_change USING gin (new)"),
        ("an exclusion", "ALTER TABLE LEAF ADD CONSTRAINT once EXCLUDE USING btree (id WITH =)"),
        ("row security", "ALTER TABLE dbguard.audit_change ENABLE ROW LEVEL SECURITY"),
        ("a check that holds", "ALTER TABLE dbguard.audit_change ADD CONSTRAINT c CHECK (id > 0)"),
        ("a generated column", "ALTER TABLE dbguard.audit_change ADD COLUMN l int GENERATED ALWAYS AS (length(key)) STORED"),
        ("a smaller leaf", "ALTER TABLE dbguard.audit_change DETACH PARTITION LEAF"),
        ("a policy", "ALTER TABLE dbguard.audit_change ENABLE ROW LEVEL SECURITY; ALTER TABLE dbguard.audit_change FORCE ROW LEVEL SECURITY;
            CREATE POLICY p ON dbguard.audit_change USING (true) WITH CHECK (key <> 'hidden')"),
        ("a rule", "CREATE TABLE seen (key text); CREATE RULE seen AS ON INSERT TO dbguard.audit_change DO ALSO INSERT INTO public.seen VALUES (NEW.key)"),
        ("a leaf with partitions", "DO $$ DECLARE bound text := (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'LEAF'::regclass); BEGIN
            ALTER TABLE dbguard.audit_change DETACH PARTITION LEAF;
            EXECUTE 'CREATE TABLE dbguard.sub PARTITION OF dbguard.audit_change ' || bound || ' PARTITION BY LIST (op)';
            CREATE TABLE dbguard.sub_u PARTITION OF dbguard.sub FOR VALUES IN ('U'); CREATE TABLE dbguard.sub_other PARTITION OF dbguard.sub DEFAULT; END $$"),
        ("a leaf with its columns in another order", "DO $$ DECLARE bound text := (SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'LEAF'::regclass); BEGIN
            ALTER TABLE dbguard.audit_change DETACH PARTITION LEAF;
            CREATE TABLE dbguard.other (new jsonb, old jsonb, junk int, old_key text COLLATE \"C\", key text COLLATE \"C\", tenant text COLLATE \"C\", op \"char\" NOT NULL, relation int NOT NULL,
              context bigint NOT NULL, xact xid8 NOT NULL, at timestamptz NOT NULL, id bigint NOT NULL);
            ALTER TABLE dbguard.other DROP COLUMN junk;
            EXECUTE 'ALTER TABLE dbguard.audit_change ATTACH PARTITION dbguard.other ' || bound; END $$"),
    ];
    for (what, sql) in changes {
        let mut db = db();
        let leaf = leaf(&mut db);
        db.exec("INSERT INTO t VALUES (0, 0)");
        db.exec(&sql.replace("LEAF", &leaf));
        db.exec("INSERT INTO t SELECT i, i FROM generate_series(1, 3) i; UPDATE t SET v = 9 WHERE id = 2; DELETE FROM t WHERE id = 3");
        let found = db.lines(LOG);
        let found: Vec<&str> = found.iter().map(String::as_str).filter(|l| !l.contains("| 0 |")).collect();
        assert_eq!(
            found,
            [
                r#"INSERT | 1 | <null> | {"v": 1, "w": null, "id": 1}"#,
                r#"INSERT | 2 | <null> | {"v": 2, "w": null, "id": 2}"#,
                r#"INSERT | 3 | <null> | {"v": 3, "w": null, "id": 3}"#,
                r#"UPDATE | 2 | {"v": 2} | {"v": 9}"#,
                r#"DELETE | 3 | {"v": 3, "w": null, "id": 3} | <null>"#,
            ],
            "{what}"
        );
        if sql.contains("TABLE seen") {
            assert!(db.value("SELECT count(*) FROM seen").parse::<i32>().unwrap() >= 3, "{what}");
        }
        if what.contains("default") {
            assert_eq!(
                db.value("SELECT count(*) FROM dbguard.audit_change WHERE host IS NULL"),
                "0",
                "{what}"
            );
        }
        if what.contains("index") {
            for index in ["by_length", "of_updates", "hashed", "gin"] {
                if db.value(&format!("SELECT to_regclass('dbguard.{index}') IS NOT NULL")) == "t" {
                    db.exec(&format!("REINDEX INDEX dbguard.{index}"));
                }
            }
        }
    }
}

#[test]
fn a_check_that_fails_fails_the_statement() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1); ALTER TABLE dbguard.audit_change ADD CONSTRAINT no_deletes CHECK (op <> 'D')");
    assert_eq!(db.error("DELETE FROM t").code, "23514");
    db.exec("UPDATE t SET v = 1");
    assert_eq!(db.value("SELECT string_agg(op, ' ' ORDER BY id) FROM dbguard.audit_log"), "INSERT UPDATE");
}

#[test]
fn indexes_of_the_log_find_what_was_put_straight_into_it() {
    let mut db = db();
    db.exec(
        "CREATE INDEX by_tenant ON dbguard.audit_change (tenant, at) WHERE tenant IS NOT NULL;
         CREATE UNIQUE INDEX by_id ON dbguard.audit_change (id, at);
         CREATE INDEX by_xact ON dbguard.audit_change (xact);
         INSERT INTO t SELECT i, i, repeat('x', i % 5000) FROM generate_series(1, 3000) i;
         UPDATE t SET id = id + 10000 WHERE id % 3 = 0;
         SET dbguard.tenant = 'acme'; UPDATE t SET v = 0 WHERE id % 7 = 0; RESET dbguard.tenant; DELETE FROM t WHERE id % 5 = 0",
    );
    let count = |db: &mut Db, off: &str, on: &str, condition: &str| {
        db.exec(&format!("SET enable_seqscan = {off}; SET enable_indexscan = {on}; SET enable_bitmapscan = {on}; SET enable_indexonlyscan = {on}"));
        db.value(&format!(
            "SELECT count(*) || ' ' || coalesce(sum(id), 0) FROM dbguard.audit_change WHERE {condition}"
        ))
    };
    for condition in [
        "relation = 1 AND key >= '1' AND key < '2'",
        "relation = 1 AND old_key >= '1' AND old_key < '4'",
        "tenant = 'acme'",
        "xact > '0'",
        "id > 1200 AND at > now() - interval '1 day'",
    ] {
        let scanned = count(&mut db, "on", "off", condition);
        assert_eq!(count(&mut db, "off", "on", condition), scanned, "{condition}");
        assert_ne!(scanned, "0 0", "{condition}");
    }
    // the summaries of the BRIN index hold every row's values
    db.exec("SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
             WHERE a.amname = 'brin' AND c.relkind = 'i'; INSERT INTO t SELECT i, i FROM generate_series(50001, 53000) i");
    let total: i64 = db.value("SELECT max(id) FROM dbguard.audit_change").parse().unwrap();
    for low in (0..total).step_by(700) {
        let condition = format!("id BETWEEN {low} AND {}", low + 300);
        assert_eq!(
            count(&mut db, "off", "on", &condition),
            count(&mut db, "on", "off", &condition),
            "{condition}"
        );
    }
}

#[test]
fn one_statement_has_one_time_and_its_rows_follow_each_other() {
    let mut db = db();
    db.exec("INSERT INTO t SELECT i FROM generate_series(1, 2500) i; UPDATE t SET v = 1; UPDATE t SET v = 2 WHERE id < 4");
    assert_eq!(
        db.lines("SELECT op, count(*), count(DISTINCT at), count(DISTINCT id) FROM dbguard.audit_log GROUP BY op, at ORDER BY at"),
        ["INSERT | 2500 | 1 | 2500", "UPDATE | 2500 | 1 | 2500", "UPDATE | 3 | 1 | 3"]
    );
    db.exec("COPY t (id) FROM PROGRAM 'seq 5001 6500'");
    assert_eq!(
        db.lines("SELECT count(*), count(DISTINCT at) FROM dbguard.audit_log WHERE key::int > 5000"),
        ["1500 | 1"]
    );
    assert_eq!(db.value("SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY id) AS back FROM dbguard.audit_log) x WHERE back"), "0");
}

#[test]
fn a_session_whose_first_statement_loads_the_library_misses_nothing() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t');
         CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
         SELECT dbguard.audit_enable('p'); INSERT INTO p VALUES (1, 1), (2, 1)",
    );
    let mut first = db.connect();
    first.exec("INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i");
    assert_eq!(
        db.lines("SELECT count(*), count(DISTINCT at) FROM dbguard.audit_log WHERE table_name = 't'"),
        ["50 | 1"]
    );
    // seen in its own transaction at once
    let mut second = db.connect();
    second.exec("BEGIN; INSERT INTO t VALUES (100)");
    assert_eq!(second.value("SELECT count(*) FROM dbguard.audit_log WHERE key = '100'"), "1");
    second.exec("ROLLBACK");
    let mut third = db.connect();
    third.exec("UPDATE p SET k = 2");
    assert_eq!(
        db.lines("SELECT op, key FROM dbguard.audit_log WHERE table_name = 'p' ORDER BY id")[2..],
        [r#"UPDATE | {"k": 2, "id": 1}"#, r#"UPDATE | {"k": 2, "id": 2}"#]
    );
    // a row that leaves for good at the end of such a statement
    let mut fourth = db.connect();
    fourth.exec("BEGIN; DELETE FROM p WHERE id = 1; COMMIT");
    let mut fifth = db.connect();
    fifth.exec("BEGIN; SAVEPOINT s; DELETE FROM p WHERE id = 2; RELEASE s; SELECT 1; COMMIT");
    let mut sixth = db.connect();
    sixth.exec("COPY t FROM PROGRAM 'seq -f \"%.0f\t1\" 201 230'");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_log WHERE table_name = 'p' AND op = 'DELETE'"),
        "2"
    );
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_log WHERE key::text LIKE '2__'"), "30");
}

#[test]
fn order_holds_between_a_statement_and_what_its_triggers_do() {
    let mut db = db();
    db.exec(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           BEGIN
             UPDATE t SET v = v + 1 WHERE id = NEW.id AND v < 3;
             IF NEW.w = 'undo' THEN RAISE EXCEPTION 'undo'; END IF;
           EXCEPTION WHEN raise_exception THEN NULL;
           END;
           RETURN NULL; END $$;
         CREATE TRIGGER again AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again();
         INSERT INTO t VALUES (1, 1, 'keep'), (2, 1, 'undo')",
    );
    assert_eq!(
        db.lines("SELECT op, key, new->>'v' FROM dbguard.audit_log ORDER BY at, id"),
        ["INSERT | 1 | 1", "INSERT | 2 | 1", "UPDATE | 1 | 2", "UPDATE | 1 | 3"]
    );
    assert_eq!(db.value("SELECT string_agg(v::text, ' ' ORDER BY id) FROM t"), "3 1");
}

#[test]
fn two_sessions_changing_a_row_in_turn_are_logged_in_turn() {
    let mut db = db();
    let mut other = db.connect();
    db.exec("INSERT INTO t VALUES (1, 0)");
    for i in 0..20 {
        let (a, b) = if i % 2 == 0 { (&mut db, &mut other) } else { (&mut other, &mut db) };
        a.exec("BEGIN");
        b.exec("BEGIN");
        a.exec("UPDATE t SET v = v + 1");
        a.exec("COMMIT");
        b.exec("UPDATE t SET v = v + 1; COMMIT");
    }
    let values = db.lines("SELECT new->>'v' FROM dbguard.audit_log ORDER BY id");
    let expected: Vec<String> = (0..=40).map(|v: i32| v.to_string()).collect();
    assert_eq!(values, expected);
    assert_eq!(db.value("SELECT bool_and(at >= before) FROM (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM dbguard.audit_log) x"), "t");
}

#[test]
fn an_error_of_the_log_fails_the_statement_and_spoils_nothing() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1, 1)");
    // the log cannot take another row: as when its disk is full
    db.exec("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file'; END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON dbguard.audit_change FOR EACH ROW EXECUTE FUNCTION full_disk()");
    for statement in
        ["UPDATE t SET v = 2", "INSERT INTO t SELECT i FROM generate_series(10, 2000) i", "DELETE FROM t"]
    {
        assert_eq!(db.error(statement).code, "53100", "{statement}");
    }
    db.exec("DO $$ BEGIN UPDATE t SET v = 3; EXCEPTION WHEN disk_full THEN NULL; END $$");
    db.exec("DROP TRIGGER full_disk ON dbguard.audit_change; UPDATE t SET v = 4");
    assert_eq!(db.lines("SELECT key, new->>'v' FROM dbguard.audit_log ORDER BY id"), ["1 | 1", "1 | 4"]);
    db.exec("SET statement_timeout = '30ms'");
    let error = db.error("INSERT INTO t SELECT i FROM generate_series(10, 1000000) i");
    assert_eq!(error.code, "57014");
    db.exec("RESET statement_timeout; UPDATE t SET v = 5");
    assert_eq!(db.value("SELECT string_agg(new->>'v', ' ' ORDER BY id) FROM dbguard.audit_log"), "1 4 5");
}

#[test]
fn a_truncate_stands_where_it_happened() {
    let mut db = db();
    db.exec("INSERT INTO t VALUES (1); TRUNCATE t; INSERT INTO t VALUES (2)");
    assert_eq!(
        db.lines("SELECT op, key FROM dbguard.audit_log ORDER BY id"),
        ["INSERT | 1", "TRUNCATE | <null>", "INSERT | 2"]
    );
}

#[test]
fn packs_hold_what_rows_would() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE r (id bigint PRIMARY KEY, v int, big text); CREATE TABLE p (LIKE r INCLUDING ALL);
         SELECT dbguard.audit_enable('r'); SELECT dbguard.audit_enable('p', bulk => 'pack')",
    );
    for table in ["r", "p"] {
        db.exec(&format!(
            "INSERT INTO {table} SELECT i, i, repeat(md5(i::text), CASE WHEN i % 500 = 0 THEN 300 ELSE 1 END) FROM generate_series(1, 3000) i;
             UPDATE {table} SET v = v + 1; UPDATE {table} SET id = id + 100000 WHERE id % 2 = 0; UPDATE {table} SET v = 0 WHERE id < 10;
             DELETE FROM {table} WHERE id > 1000"
        ));
    }
    let content = |table: &str| {
        format!("SELECT count(*) || ' ' || md5(string_agg(concat_ws('|', op, key, old_key, old, new), E'\\n' ORDER BY id)) FROM dbguard.audit_log WHERE table_name = '{table}'")
    };
    let (rows, packs) = (db.value(&content("r")), db.value(&content("p")));
    assert_eq!(packs, rows);
    assert_eq!(db.lines(&content("p")), db.lines(&content("r")));
    let sizes = db.lines(
        "SELECT (SELECT count(*) FROM dbguard.audit_change c JOIN dbguard.audit_relation r ON r.id = c.relation WHERE table_name = 'p') < 20,
                (SELECT count(*) > 50 AND bool_and(pg_column_size(data) < 8000) FROM dbguard.audit_pack)",
    );
    assert_eq!(sizes, ["t | t"]);
    // a damaged pack is said, the rest is readable
    let before: i64 =
        db.value("SELECT count(*) FROM dbguard.audit_log WHERE table_name = 'p'").parse().unwrap();
    db.exec("SET session_replication_role = replica; UPDATE dbguard.audit_pack SET data = set_byte(data, 100, get_byte(data, 100) # 255) WHERE id = (SELECT min(id) FROM dbguard.audit_pack)");
    let after = db.lines("SELECT count(*) FILTER (WHERE op = 'UNREADABLE'), count(*) FROM dbguard.audit_log WHERE table_name = 'p'");
    let lost: i64 = db.value("SELECT changes FROM dbguard.audit_pack ORDER BY id LIMIT 1").parse().unwrap();
    assert_eq!(after, [format!("1 | {}", before - lost + 1)]);
    assert_eq!(db.value("SELECT key ~ '^b1 to ' FROM dbguard.audit_log WHERE op = 'UNREADABLE'"), "t");
}

#[test]
fn a_month_of_the_log_may_lie_on_another_server() {
    let mut db = db();
    if !db.offers(&["postgres_fdw"]) {
        return;
    }
    let leaf = leaf(&mut db);
    let bound = db.value(&format!(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = '{leaf}'::regclass"
    ));
    let (host, name) = (db.cluster().dir().display().to_string(), db.name.clone());
    db.exec(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', dbname '{name}');
         CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
         CREATE TABLE far (LIKE dbguard.audit_change); INSERT INTO t VALUES (700, 7); ALTER TABLE dbguard.audit_change DETACH PARTITION {leaf};
         CREATE FOREIGN TABLE dbguard.here PARTITION OF dbguard.audit_change {bound} SERVER far OPTIONS (schema_name 'public', table_name 'far')"
    ));
    db.exec("INSERT INTO t SELECT i, i FROM generate_series(1, 40) i; UPDATE t SET v = 9 WHERE id = 2");
    db.exec("BEGIN; DELETE FROM t; ROLLBACK");
    assert_eq!(
        db.lines("SELECT op, count(*) FROM dbguard.audit_log GROUP BY 1 ORDER BY 1"),
        ["INSERT | 40", "UPDATE | 1"]
    );
    assert_eq!(db.value("SELECT count(*) FROM far"), "41");
}
