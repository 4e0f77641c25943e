//! tenant_export: whose rows, in which order.

use dbguard_tests::Db;

/// Orders of two tenants; lines hang on orders, notes on lines and on notes; a catalog of goods is everybody's.
pub const SHOP: &str = r#"
    CREATE SCHEMA "S.s"; SET search_path = "S.s";
    CREATE TABLE goods (id int PRIMARY KEY, last_order int);
    CREATE TABLE "Orders" (id int PRIMARY KEY, "Tenant" int NOT NULL, v text, up text GENERATED ALWAYS AS (upper(v)) STORED);
    ALTER TABLE goods ADD FOREIGN KEY (last_order) REFERENCES "Orders" ON DELETE SET NULL;
    CREATE TABLE lines (order_id int REFERENCES "Orders", n int, good int REFERENCES goods, PRIMARY KEY (order_id, n));
    CREATE TABLE notes (id int PRIMARY KEY, order_id int, n int, of int REFERENCES notes, FOREIGN KEY (order_id, n) REFERENCES lines);
    CREATE TABLE parts (id int, "Tenant" int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE parts1 PARTITION OF parts DEFAULT;
    CREATE TABLE seen (k int, id int, FOREIGN KEY (id, k) REFERENCES parts ON DELETE CASCADE);
    INSERT INTO "Orders" VALUES (1, 7, 'a'), (2, 7, 'b'), (3, 8, 'c'); INSERT INTO goods VALUES (1, 1), (2, 3), (3, NULL);
    INSERT INTO lines VALUES (1, 1, 1), (1, 2, 2), (3, 1, 1); INSERT INTO notes VALUES (1, 1, 1, NULL), (2, NULL, NULL, 1), (3, NULL, NULL, 2), (4, 3, 1, NULL), (5, NULL, NULL, 4), (6, NULL, NULL, NULL);
    INSERT INTO parts VALUES (1, 7, 1), (2, 8, 1); INSERT INTO seen VALUES (1, 1), (1, 2), (1, 2);
    RESET search_path;
    SELECT dbguard.tenant_enable('"S.s"."Orders"', 'Tenant'), dbguard.tenant_enable('"S.s".parts', 'Tenant')"#;

#[test]
fn rows_of_the_tenant_and_what_hangs_on_them() {
    let mut db = Db::new();
    db.exec(SHOP);
    let plan = "SELECT \"table\", rows FROM dbguard.tenant_export_plan('7', 'S.s')";
    assert_eq!(
        db.lines(plan),
        [
            "\"S.s\".\"Orders\" | 2",
            "\"S.s\".lines | 2",
            "\"S.s\".notes | 3",
            "\"S.s\".parts | 1",
            "\"S.s\".seen | 1"
        ]
    );
    assert_eq!(
        db.lines("SELECT \"table\", \"row\" FROM dbguard.tenant_export('8', 'S.s')"),
        [
            "\"S.s\".\"Orders\" | {\"v\": \"c\", \"id\": 3, \"up\": \"C\", \"Tenant\": 8}",
            "\"S.s\".lines | {\"n\": 1, \"good\": 1, \"order_id\": 3}",
            "\"S.s\".notes | {\"n\": 1, \"id\": 4, \"of\": null, \"order_id\": 3}",
            "\"S.s\".notes | {\"n\": null, \"id\": 5, \"of\": 4, \"order_id\": null}",
            "\"S.s\".parts | {\"k\": 1, \"id\": 2, \"Tenant\": 8}",
            "\"S.s\".seen | {\"k\": 1, \"id\": 2}",
            "\"S.s\".seen | {\"k\": 1, \"id\": 2}",
        ]
    );
    // what psql would be told to run
    let orders = "SELECT statement FROM dbguard.tenant_export_plan('7') WHERE \"table\" = '\"S.s\".\"Orders\"'::regclass";
    let copy = db.value(orders);
    assert_eq!(copy, "COPY (SELECT t.id, t.\"Tenant\", t.v FROM \"S.s\".\"Orders\" t WHERE t.\"Tenant\" = '7'::integer) TO STDOUT");
    for row in db.rows("SELECT statement, rows FROM dbguard.tenant_export_plan('7')") {
        let mut out = String::new();
        std::io::Read::read_to_string(&mut db.client().copy_out(row[0].as_str()).unwrap(), &mut out).unwrap();
        assert_eq!(out.lines().count().to_string(), row[1], "{}", row[0]);
    }
}

#[test]
fn bad_input() {
    let mut db = Db::new();
    db.exec(SHOP);
    for call in ["tenant_export", "tenant_export_plan", "tenant_erase_plan", "tenant_erase"] {
        for (args, code, message) in [
            ("NULL", "22004", "argument \"tenant\" must not be null"),
            ("'x'", "22023", "\"x\" is no tenant of table \"Orders\""),
            ("'7', 'nope'", "3F000", "schema \"nope\" does not exist"),
            ("'7', 'public'", "55000", "no table is guarded"),
        ] {
            let e = db.error(&format!("SELECT dbguard.{call}({args})"));
            assert_eq!((e.code.as_str(), e.message.as_str()), (code, message), "{call} {args}");
        }
        let mut other = db.connect_as("tenant_data_other");
        assert_eq!(other.error(&format!("SELECT dbguard.{call}('7')")).code, "42501");
    }
    assert_eq!(db.error("SELECT dbguard.tenant_erase('7', audit => 'x')").code, "22023");
    assert_eq!(db.error("SELECT dbguard.tenant_erase('7', audit => 'erase')").code, "0A000");
}

#[test]
fn whose_rows_cannot_be_told() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE g (id int PRIMARY KEY, tenant_id int); SELECT dbguard.tenant_enable('g');
         CREATE TABLE a (id int PRIMARY KEY, g int REFERENCES g); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
         ALTER TABLE a ADD b int REFERENCES b",
    );
    let e = db.error("SELECT dbguard.tenant_export('1')");
    assert_eq!((e.code.as_str(), e.message.starts_with("tables ")), ("0A000", true), "{}", e.message);
    db.exec("DROP TABLE a CASCADE; DROP TABLE b; CREATE TABLE c (id int PRIMARY KEY, g int REFERENCES g, up int REFERENCES c, top int REFERENCES c)");
    let e = db.error("SELECT dbguard.tenant_export('1')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("0A000", "table \"c\" refers to itself in two ways"));
}
