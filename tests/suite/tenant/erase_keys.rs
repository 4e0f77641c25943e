//! tenant_erase and tenant_export with foreign keys of every make: no other tenant's row is ever touched.

use dbguard_tests::Db;

const ROWS: &str = "SELECT \"table\", action, rows FROM ";

#[test]
fn a_key_about_a_part_of_a_table() {
    let cases = [
        // to one partition
        (
            "CREATE TABLE o (id int, tenant_id int NOT NULL) PARTITION BY LIST (tenant_id);
             CREATE TABLE o7 PARTITION OF o FOR VALUES IN (7); CREATE TABLE o8 PARTITION OF o FOR VALUES IN (8);
             ALTER TABLE o7 ADD PRIMARY KEY (id); ALTER TABLE o8 ADD PRIMARY KEY (id);
             CREATE TABLE c (oid int REFERENCES o8 (id), v text); CREATE TABLE d (oid int REFERENCES o7 (id), v text);
             INSERT INTO o VALUES (1, 7), (1, 8); INSERT INTO c VALUES (1, 'of tenant 8'); INSERT INTO d VALUES (1, 'of tenant 7')",
            &["c | delete | 0", "d | delete | 1", "o | delete | 1"][..],
            "SELECT v FROM c UNION ALL SELECT v FROM d",
            &["of tenant 8"][..],
        ),
        // of some partitions, one of which has partitions
        (
            "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL);
             CREATE TABLE c (oid int, v text, k int) PARTITION BY LIST (k); CREATE TABLE \"C 1\" PARTITION OF c FOR VALUES IN (1);
             CREATE TABLE c2 PARTITION OF c FOR VALUES IN (2); CREATE TABLE c3 PARTITION OF c FOR VALUES IN (3) PARTITION BY LIST (oid); CREATE TABLE c3a PARTITION OF c3 DEFAULT;
             ALTER TABLE \"C 1\" ADD FOREIGN KEY (oid) REFERENCES o; ALTER TABLE c3 ADD FOREIGN KEY (oid) REFERENCES o;
             INSERT INTO o VALUES (1, 7), (2, 8); INSERT INTO c VALUES (1, 'of tenant 7', 1), (2, 'of tenant 8', 1), (1, 'nobody''s', 2), (1, 'of 7, too', 3), (2, 'of 8, too', 3)",
            &["c | delete | 2", "o | delete | 1"],
            "SELECT v FROM c ORDER BY 1",
            &["nobody's", "of 8, too", "of tenant 8"],
        ),
        // of a guarded table's partition: what others have there counts, and nothing else
        (
            "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL);
             CREATE TABLE c (tenant_id int, oid int, v text) PARTITION BY LIST (tenant_id); CREATE TABLE c7 PARTITION OF c FOR VALUES IN (7); CREATE TABLE c8 PARTITION OF c FOR VALUES IN (8);
             ALTER TABLE c7 ADD FOREIGN KEY (oid) REFERENCES o; SELECT dbguard.tenant_enable('c');
             INSERT INTO o VALUES (1, 7), (2, 8); INSERT INTO c VALUES (7, 1, 'of tenant 7'), (8, 1, 'of tenant 8, by no key')",
            &["c | delete | 1", "o | delete | 1"],
            "SELECT v FROM c",
            &["of tenant 8, by no key"],
        ),
    ];
    for (setup, steps, left, rows) in cases {
        let mut db = Db::new();
        db.exec(&format!("{setup}; SELECT dbguard.tenant_enable('o')"));
        assert_eq!(
            db.value("SELECT count(*) FROM dbguard.tenant_export('7')"),
            db.value("SELECT sum(rows) FROM dbguard.tenant_erase_plan('7')")
        );
        assert_eq!(db.lines(&format!("{ROWS} dbguard.tenant_erase('7')")), steps, "{setup}");
        assert_eq!(db.lines(left), rows, "{setup}");
    }
}

#[test]
fn a_key_about_a_part_of_a_table_is_refused() {
    let cases = [
        // to a table that inherits
        "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL); CREATE TABLE o_more (PRIMARY KEY (id)) INHERITS (o);
         CREATE TABLE c (oid int CONSTRAINT part REFERENCES o_more ON DELETE CASCADE, v text);
         INSERT INTO o_more VALUES (1, 7); INSERT INTO c VALUES (1, 'of tenant 7')",
        // of a partition, to its own table
        "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL);
         CREATE TABLE c (id int, up int, oid int REFERENCES o, PRIMARY KEY (id, oid)) PARTITION BY LIST (oid); CREATE TABLE c1 PARTITION OF c DEFAULT;
         ALTER TABLE c1 ADD UNIQUE (id); ALTER TABLE c1 ADD CONSTRAINT part FOREIGN KEY (up) REFERENCES c1 (id)",
    ];
    for setup in cases {
        let mut db = Db::new();
        db.exec(&format!("{setup}; SELECT dbguard.tenant_enable('o')"));
        for call in ["tenant_erase('7')", "tenant_export('7')", "tenant_erase_plan('7')"] {
            let e = db.error(&format!("SELECT * FROM dbguard.{call}"));
            assert_eq!(
                (e.code.as_str(), e.message.as_str()),
                ("0A000", "foreign key \"part\" is about a part of a table only"),
                "{setup}"
            );
        }
    }
}

/// A key to a table says nothing of what inherits from it.
#[test]
fn a_table_that_is_inherited_from() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL); CREATE TABLE o_more () INHERITS (o);
         CREATE TABLE c (oid int REFERENCES o, v text); SELECT dbguard.tenant_enable('o');
         INSERT INTO o VALUES (5, 8), (6, 7); INSERT INTO o_more VALUES (5, 7); INSERT INTO c VALUES (5, 'of tenant 8'), (6, 'of tenant 7')",
    );
    assert_eq!(db.lines(&format!("{ROWS} dbguard.tenant_erase('7')")), ["c | delete | 1", "o | delete | 2"]);
    assert_eq!(db.lines("SELECT v FROM c"), ["of tenant 8"]);
    assert_eq!(db.lines("SELECT id, tenant_id FROM o"), ["5 | 8"]);
}

#[test]
fn keys_that_let_go() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (tenant_id int NOT NULL, id int, PRIMARY KEY (tenant_id, id), UNIQUE (id));
         CREATE TABLE b (tenant_id int NOT NULL, a int, n int, FOREIGN KEY (tenant_id, a) REFERENCES a ON DELETE SET NULL);
         CREATE TABLE c (tenant_id int NOT NULL, a int CONSTRAINT loose REFERENCES a (id) ON DELETE SET NULL);
         SELECT dbguard.tenant_enable('a'), dbguard.tenant_enable('b'), dbguard.tenant_enable('c');
         INSERT INTO a VALUES (7, 1), (8, 2); INSERT INTO b VALUES (7, 1, 1), (8, 2, 2); INSERT INTO c VALUES (7, 1), (8, 1)",
    );
    let e = db.error("SELECT dbguard.tenant_erase('7')");
    assert_eq!(e.message, "rows of other tenants refer to the tenant's rows in table \"a\"");
    assert_eq!(e.detail, "Table \"c\" has 1 of them, by foreign key \"loose\".");
    db.exec("UPDATE c SET a = 2 WHERE tenant_id = 8");
    assert_eq!(
        db.lines(&format!("{ROWS} dbguard.tenant_erase('7')")),
        ["b | delete | 1", "c | delete | 1", "a | delete | 1"]
    );
    assert_eq!(
        db.lines("SELECT tenant_id, a FROM b UNION ALL SELECT tenant_id, a FROM c"),
        ["8 | 2", "8 | 2"]
    );
}

#[test]
fn a_circle_of_keys_with_the_tenant_in_them() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (tenant_id int, id int, b int, UNIQUE (tenant_id, id)); CREATE TABLE b (tenant_id int, id int, a int, UNIQUE (tenant_id, id));
         ALTER TABLE a ADD FOREIGN KEY (tenant_id, b) REFERENCES b (tenant_id, id); ALTER TABLE b ADD FOREIGN KEY (tenant_id, a) REFERENCES a (tenant_id, id);
         SELECT dbguard.tenant_enable('a'), dbguard.tenant_enable('b');
         INSERT INTO a VALUES (7, 1, NULL), (8, 1, NULL); INSERT INTO b VALUES (7, 1, 1), (8, 1, 1); UPDATE a SET b = 1",
    );
    db.exec("SELECT dbguard.tenant_erase('7')");
    assert_eq!(
        db.lines("SELECT tenant_id, id, b FROM a UNION ALL SELECT tenant_id, id, a FROM b"),
        ["8 | 1 | 1", "8 | 1 | 1"]
    );
}

#[test]
fn a_column_with_the_name_of_a_row() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE x (id int PRIMARY KEY, tenant_id int NOT NULL, t text, secret text); SELECT dbguard.tenant_enable('x'); INSERT INTO x VALUES (1, 7, 'tt', 's')",
    );
    assert_eq!(
        db.lines("SELECT \"row\" FROM dbguard.tenant_export('7')"),
        ["{\"t\": \"tt\", \"id\": 1, \"secret\": \"s\", \"tenant_id\": 7}"]
    );
}

/// What the log has of rows that carry no tenant, and of nobody else's.
#[test]
fn the_log_of_rows_without_a_tenant() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA s2; CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL); CREATE TABLE lines (id int PRIMARY KEY, o int REFERENCES orders, v text);
         CREATE TABLE s2.inv (id int PRIMARY KEY, tenant_id text NOT NULL, v text);
         SELECT dbguard.tenant_enable('orders'), dbguard.tenant_enable('s2.inv'), dbguard.audit_enable('lines'), dbguard.audit_enable('s2.inv', tenant => 'tenant_id');
         INSERT INTO orders VALUES (1, 7), (2, 8); INSERT INTO lines VALUES (1, 1, 'first7'), (2, 1, 'second7'), (3, 2, 'third8'), (4, 2, 'fourth8');
         INSERT INTO s2.inv VALUES (1, '7', 'inv7'); UPDATE lines SET id = 22 WHERE id = 2",
    );
    let left = "SELECT v FROM (SELECT coalesce(new ->> 'v', old ->> 'v') FROM dbguard.audit_log) x (v) WHERE v <> '[redacted]' ORDER BY 1";
    // who erases says he acts for another tenant, and deleted a row of that one himself
    db.exec("BEGIN; SET LOCAL dbguard.tenant = 'admin'; DELETE FROM lines WHERE id = 3; SELECT dbguard.tenant_erase('7', 'public', 'redact'); COMMIT");
    assert_eq!(db.lines(left), ["fourth8", "inv7", "third8", "third8"]);
    assert_eq!(db.value("SELECT count(*) FROM dbguard.audit_verify() WHERE problem IS NOT NULL"), "0");
    // in all schemas; each type has its spelling
    db.exec("INSERT INTO orders VALUES (1, 7); INSERT INTO lines VALUES (1, 1, 'again7')");
    db.exec("UPDATE s2.inv SET tenant_id = ' 7'; SELECT dbguard.tenant_erase(' 7', audit => 'redact')");
    assert_eq!(db.lines(left), ["fourth8", "third8", "third8"]);
    // without a key nobody can tell
    db.exec("CREATE TABLE loose (o int REFERENCES orders, v text); SELECT dbguard.audit_enable('loose'); INSERT INTO loose VALUES (2, 'x')");
    let e = db.error("SELECT dbguard.tenant_erase('8', 'public', 'redact')");
    assert_eq!(
        (e.code.as_str(), e.message.as_str()),
        ("0A000", "the changes of table \"loose\" cannot be told apart")
    );
    assert_eq!(db.value("SELECT count(*) FROM loose"), "1");
    db.exec("SELECT dbguard.tenant_erase('8', 'public')");
    assert_eq!(db.value("SELECT count(*) FROM loose"), "0");
}

/// A table that inherits from two of the tenant's.
#[test]
fn rows_of_two_tables() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE a (tenant_id int NOT NULL); CREATE TABLE b (tenant_id int NOT NULL); CREATE TABLE c () INHERITS (a, b);
         SELECT dbguard.tenant_enable('a'), dbguard.tenant_enable('b'); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1), (2)",
    );
    assert_eq!(
        db.lines("SELECT tenant, tables, rows FROM dbguard.tenant_usage(exact => true) ORDER BY 1"),
        ["1 | 2 | 3", "2 | 1 | 1"]
    );
    for call in ["tenant_erase('1')", "tenant_export('1')"] {
        let e = db.error(&format!("SELECT dbguard.{call}"));
        assert_eq!(
            (e.code.as_str(), e.message.as_str()),
            ("0A000", "table \"c\" inherits from two tables of the tenant")
        );
    }
    db.exec("ALTER TABLE c NO INHERIT b; SELECT dbguard.tenant_erase('1')");
    assert_eq!(db.value("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)"), "1");
}

/// Each table is asked for the tenant as its type spells it.
#[test]
fn spellings_of_one_tenant() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE u (tenant_id uuid NOT NULL); CREATE TABLE x (tenant_id text NOT NULL); SELECT dbguard.tenant_enable('u'), dbguard.tenant_enable('x');
         INSERT INTO u VALUES ('c4ca4238-a0b9-2382-0dcc-509a6f75849b'); INSERT INTO x VALUES (' {C4CA4238A0B923820DCC509A6F75849B}')",
    );
    assert_eq!(
        db.lines(&format!("{ROWS} dbguard.tenant_erase(' {{C4CA4238A0B923820DCC509A6F75849B}}')")),
        ["u | delete | 1", "x | delete | 1"]
    );
}

/// Who is just beginning to refer to one of the rows is waited for.
#[test]
fn a_row_of_another_tenant_is_made_meanwhile() {
    for action in ["CASCADE", "SET NULL", "NO ACTION"] {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE o (id int PRIMARY KEY, tenant_id int NOT NULL); CREATE TABLE l (tenant_id int NOT NULL, o int CONSTRAINT k REFERENCES o ON DELETE {action});
             SELECT dbguard.tenant_enable('o'), dbguard.tenant_enable('l'); INSERT INTO o VALUES (1, 1), (2, 2); INSERT INTO l VALUES (2, 2)"
        ));
        let mut holder = db.connect();
        holder.exec("BEGIN; INSERT INTO l VALUES (1, 2)");
        let told = db
            .while_it_waits(holder, "SELECT dbguard.tenant_erase('2')", "COMMIT")
            .map_err(|e| (e.code, e.detail));
        let expected = ("55000".to_owned(), "Table \"l\" has 1 of them, by foreign key \"k\".".to_owned());
        assert_eq!(told, Err(expected), "{action}");
        assert_eq!(db.lines("SELECT tenant_id, o FROM l ORDER BY 1"), ["1 | 2", "2 | 2"]);
    }
}
