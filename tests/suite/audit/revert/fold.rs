//! What comes back, whatever happened to a row.

use super::{all, plan, revert, transaction};
use dbguard_tests::Db;

fn orders() -> Db<'static> {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric(10,2));
         INSERT INTO orders VALUES (1, 'new', 10), (2, 'new', 20), (3, 'new', 30.50);
         SELECT dbguard.audit_enable('orders')",
    );
    db
}

#[test]
fn a_transaction_is_undone() {
    let mut db = orders();
    let before = all(&mut db, "orders");
    let x = transaction(
        &mut db,
        "UPDATE orders SET status = 'it''s paid' WHERE id = 1; DELETE FROM orders WHERE id = 3;
         INSERT INTO orders VALUES (4, 'new', -4)",
    );
    let after = all(&mut db, "orders");
    assert_eq!(
        db.lines(&format!(
            "SELECT step, schema_name, table_name, key, action, set_to, array_length(undoes, 1), conflict, note, sql
             FROM dbguard.audit_revert_plan(xact => '{x}')"
        )),
        [
            "1 | public | orders | 4 | DELETE | <null> | 1 | <null> | <null> | DELETE FROM ONLY public.orders WHERE id = 4;",
            "2 | public | orders | 1 | UPDATE | {\"status\": \"new\"} | 1 | <null> | <null> | UPDATE ONLY public.orders SET status = 'new' WHERE id = 1;",
            "3 | public | orders | 3 | INSERT | {\"id\": 3, \"total\": 30.50, \"status\": \"new\"} | 1 | <null> | <null> | INSERT INTO public.orders (id, status, total) VALUES (3, 'new', 30.50);",
        ]
    );
    assert_eq!(all(&mut db, "orders"), after, "a plan changes nothing");
    let done = format!("SELECT sql FROM dbguard.audit_revert_plan(xact => '{x}')");
    let script = db.lines(&done).join("\n");
    assert_eq!(revert(&mut db, &format!("xact => '{x}'")), 3);
    assert_eq!(all(&mut db, "orders"), before);
    // the statements it shows do the same
    db.exec(
        "TRUNCATE orders; INSERT INTO orders VALUES (1, 'it''s paid', 10), (2, 'new', 20), (4, 'new', -4)",
    );
    db.exec(&script);
    assert_eq!(all(&mut db, "orders"), before);
}

#[test]
fn a_plan_needs_no_right_to_write() {
    let mut db = orders();
    let x = transaction(&mut db, "DELETE FROM orders");
    db.exec("BEGIN TRANSACTION READ ONLY");
    assert_eq!(plan(&mut db, &format!("xact => '{x}'")).len(), 3);
    db.exec("COMMIT");
    assert_eq!(db.value("SELECT provolatile FROM pg_proc WHERE proname = 'audit_revert_plan'"), "s");
}

#[test]
fn changes_of_one_row_become_one() {
    let mut db = orders();
    let before = all(&mut db, "orders");
    let x = transaction(
        &mut db,
        "UPDATE orders SET status = 'a' WHERE id = 1; UPDATE orders SET status = 'b', total = 11 WHERE id = 1;
         INSERT INTO orders VALUES (5, 'x', 5); UPDATE orders SET status = 'y' WHERE id = 5; DELETE FROM orders WHERE id = 5;
         DELETE FROM orders WHERE id = 2; INSERT INTO orders VALUES (2, 'again', 20);
         INSERT INTO orders VALUES (6, 'x', 6); UPDATE orders SET status = 'y' WHERE id = 6;
         UPDATE orders SET total = 31 WHERE id = 3; DELETE FROM orders WHERE id = 3",
    );
    assert_eq!(
        plan(&mut db, &format!("xact => '{x}'")),
        [
            "DELETE | orders | 6",
            "UPDATE | orders | 2 | {\"status\": \"new\"}",
            "UPDATE | orders | 1 | {\"total\": 10.00, \"status\": \"new\"}",
            "INSERT | orders | 3 | {\"id\": 3, \"total\": 30.50, \"status\": \"new\"}",
        ]
    );
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(all(&mut db, "orders"), before);
}

#[test]
fn whole_rows_in_the_log_do_no_harm() {
    let mut db = orders();
    db.exec("SELECT dbguard.audit_enable('orders', capture => 'full')");
    let before = all(&mut db, "orders");
    let x = transaction(&mut db, "UPDATE orders SET status = 'a' WHERE id = 1");
    // another column, by somebody else, afterwards
    db.exec("UPDATE orders SET total = 99 WHERE id = 1");
    assert_eq!(plan(&mut db, &format!("xact => '{x}'")), ["UPDATE | orders | 1 | {\"status\": \"new\"}"]);
    revert(&mut db, &format!("xact => '{x}'"));
    db.exec("UPDATE orders SET total = 10 WHERE id = 1");
    assert_eq!(all(&mut db, "orders"), before);
}

#[test]
fn keys_that_changed() {
    let mut db = orders();
    let before = all(&mut db, "orders");
    // 1 becomes 11, 2 becomes 1, a new row becomes 2
    let x = transaction(
        &mut db,
        "UPDATE orders SET id = 11 WHERE id = 1; UPDATE orders SET id = 1, status = 'x' WHERE id = 2; INSERT INTO orders VALUES (2, 'new', 0)",
    );
    let steps = plan(&mut db, &format!("xact => '{x}'"));
    assert_eq!(
        steps,
        [
            "DELETE | orders | 2",
            "UPDATE | orders | 1 | {\"id\": 2, \"status\": \"new\"}",
            "UPDATE | orders | 11 | {\"id\": 1}",
        ]
    );
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(all(&mut db, "orders"), before);
    // two rows change places, by way of a third key
    let x = transaction(
        &mut db,
        "UPDATE orders SET id = 9 WHERE id = 1; UPDATE orders SET id = 1 WHERE id = 2; UPDATE orders SET id = 2 WHERE id = 9",
    );
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(all(&mut db, "orders"), before);
}

#[test]
fn undone_and_undone_again() {
    let mut db = orders();
    let before = all(&mut db, "orders");
    let x = transaction(
        &mut db,
        "UPDATE orders SET id = 7 WHERE id = 1; DELETE FROM orders WHERE id = 2; INSERT INTO orders VALUES (9, 'n', 1)",
    );
    let after = all(&mut db, "orders");
    let y = transaction(&mut db, &format!("SELECT FROM dbguard.audit_revert(xact => '{x}')"));
    assert_eq!(all(&mut db, "orders"), before);
    let z = transaction(&mut db, &format!("SELECT FROM dbguard.audit_revert(xact => '{y}')"));
    assert_eq!(all(&mut db, "orders"), after);
    revert(&mut db, &format!("xact => '{z}'"));
    assert_eq!(all(&mut db, "orders"), before);
}

#[test]
fn many_rows_at_once() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE big (id int PRIMARY KEY, a int, b text, c timestamptz); SELECT dbguard.audit_enable('big');
         INSERT INTO big SELECT i, i, 'row ' || i, '2026-01-01' FROM generate_series(1, 5000) i",
    );
    let before = db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM big t");
    let x = transaction(
        &mut db,
        "UPDATE big SET a = -a WHERE id <= 3000; UPDATE big SET b = NULL, c = now() WHERE id BETWEEN 2000 AND 4000;
         DELETE FROM big WHERE id % 7 = 0; INSERT INTO big SELECT i FROM generate_series(6000, 7000) i",
    );
    revert(&mut db, &format!("xact => '{x}'"));
    assert_eq!(db.value("SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM big t"), before);
}
