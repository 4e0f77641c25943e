//! What a partition takes over that is seen in the catalogs only.

use dbguard_tests::Db;

#[test]
fn comments_of_policies() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (at date) PARTITION BY RANGE (at);
         ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON t; COMMENT ON POLICY mine ON t IS 'it''s mine'; CREATE POLICY plain ON t;
         SELECT dbguard.partition_enable('t', '1 day', 1, policies => true)",
    );
    assert_eq!(
        db.lines(
            "SELECT DISTINCT polname, obj_description(p.oid, 'pg_policy') FROM pg_policy p
             WHERE polrelid <> 't'::regclass ORDER BY 1"
        ),
        ["mine | it's mine", "plain | <null>"]
    );
}

/// From version 18 on there are no unlogged partitioned tables.
#[test]
fn an_unlogged_parent_has_unlogged_partitions() {
    let mut db = Db::new();
    if db.major() >= 18 {
        return;
    }
    db.exec(
        "CREATE UNLOGGED TABLE t (at date, id int) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('t', '1 day', 1);
         CREATE UNLOGGED TABLE h (at date, id int) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('h', '1 day', 1, sub_by => 'id', sub_count => 2);
         CREATE TABLE p (at date, id int) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('p', '1 day', 1)",
    );
    assert_eq!(
        db.lines(
            "SELECT r, string_agg(c.relpersistence::text, '') FROM unnest('{t,h,p}'::regclass[]) r, pg_partition_tree(r) t
             JOIN pg_class c ON c.oid = t.relid WHERE isleaf GROUP BY r ORDER BY r::text"
        ),
        ["h | uuuu", "p | pp", "t | uu"]
    );
}
