//! Any statements, undone transaction by transaction.

use super::{all, revert, transaction};
use dbguard_tests::Db;

/// A small generator of our own: a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

fn statement(dice: &mut Dice) -> String {
    let id = dice.roll(12);
    let other = dice.roll(12);
    let v = dice.roll(5);
    match dice.roll(10) {
        0 | 1 => format!("INSERT INTO p VALUES ({id}, 'u{other}', {v}) ON CONFLICT DO NOTHING"),
        2 | 3 => format!("INSERT INTO c SELECT {id}, (SELECT id FROM p WHERE id >= {other} ORDER BY id LIMIT 1), {v} ON CONFLICT DO NOTHING"),
        4 => format!("UPDATE p SET v = {v}, u = u || '' WHERE id >= {id}"),
        5 => format!("UPDATE p SET u = 'w' || u WHERE id = {id} AND length(u) < 20 AND NOT EXISTS (SELECT FROM p q WHERE q.u = 'w' || p.u)"),
        6 => format!("UPDATE p SET id = {other} WHERE id = {id} AND NOT EXISTS (SELECT FROM p q WHERE q.id = {other})"),
        7 => format!("UPDATE c SET p = (SELECT id FROM p WHERE id >= {other} ORDER BY id LIMIT 1), v = {v} WHERE id >= {id}"),
        8 => format!("DELETE FROM p WHERE id = {id}"),
        _ => format!("DELETE FROM c WHERE id = {id}; UPDATE c SET id = id + 100 WHERE id = {other} AND NOT EXISTS (SELECT FROM c q WHERE q.id = {other} + 100)"),
    }
}

#[test]
fn every_transaction_can_be_undone_newest_first() {
    for (action, seed) in
        [("CASCADE", 1), ("CASCADE", 2), ("SET NULL", 3), ("SET NULL", 4), ("CASCADE", 5), ("SET NULL", 6)]
    {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE p (id int PRIMARY KEY, u text UNIQUE, v int);
             CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE {action} ON UPDATE CASCADE, v int);
             SELECT dbguard.audit_enable('p'); SELECT dbguard.audit_enable('c')"
        ));
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut past = vec![];
        for _ in 0..40 {
            let before = (all(&mut db, "p"), all(&mut db, "c"));
            let statements: Vec<String> = (0..1 + dice.roll(8)).map(|_| statement(&mut dice)).collect();
            let sql = statements.join("; ");
            let x = transaction(&mut db, &sql);
            past.push((x, before, sql));
        }
        let mut undone = 0;
        for (x, before, sql) in past.into_iter().rev() {
            undone += revert(&mut db, &format!("xact => '{x}'"));
            let now = (all(&mut db, "p"), all(&mut db, "c"));
            assert_eq!(now, before, "seed {seed}, {action}: {sql}");
        }
        assert!(undone > 60, "seed {seed} did too little: {undone}");
    }
}
