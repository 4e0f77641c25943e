//! Cases 20 and 52: all that a set can have, and a row of 2097, through pg_dump into another cluster.

use super::oracle::clock;
use dbguard_tests::{Cluster, Db};

const SETS: &str = "
    SELECT to_jsonb(s) - 'parent' - 'home' FROM dbguard.partition_set s ORDER BY schema_name, table_name";

const PLAN: &str = "
    SELECT parent_table, action, partition, lower, upper, sql FROM dbguard.partition_plan() ORDER BY 1, 2, 3";

const PARTITIONS: &str = "
    SELECT t.relid::regclass, pg_get_expr(c.relpartbound, c.oid), c.reloptions, c.relowner::regrole, c.relrowsecurity,
           (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid), (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)
    FROM pg_class r, pg_partition_tree(r.oid) t JOIN pg_class c ON c.oid = t.relid
    WHERE r.relkind = 'p' AND NOT r.relispartition AND r.relnamespace <> 'dbguard'::regnamespace
    ORDER BY t.relid::regclass::text";

const NOW: &str = "2026-11-20 12:00Z";
const LATER: &str = "2026-12-20 12:00Z";

fn go_on(db: &mut Db) {
    clock(db, LATER);
    db.exec("CALL dbguard.partition_maintain()");
    let failed =
        "SELECT table_name, partition_name, message FROM dbguard.partition_run WHERE state = 'failed'";
    assert_eq!(db.lines(failed), Vec::<String>::new());
}

#[test]
fn a_restored_set_has_everything_and_is_maintained_at_once() {
    let mut db = Db::new();
    db.connect_as("restore_app");
    db.exec(
        "CREATE SCHEMA \"odd one\" AUTHORIZATION restore_app; CREATE SCHEMA arch AUTHORIZATION restore_app",
    );
    clock(&mut db, NOW);
    db.exec(
        "SET ROLE restore_app;
         CREATE FUNCTION \"odd one\".\"Keep\"(partition regclass, lower text, upper text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE TABLE \"odd one\".\"T\" (tenant int, id int, at timestamptz, PRIMARY KEY (tenant, id, at)) PARTITION BY RANGE (at);
         ALTER TABLE \"odd one\".\"T\" ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON \"odd one\".\"T\" USING (tenant = 1);
         SELECT dbguard.partition_enable('\"odd one\".\"T\"', '1 week', 3, 'Europe/Berlin', anchor => '2026-11-15', behind => 6,
           storage_options => '{fillfactor=70,toast.autovacuum_enabled=false}', unique_on => '{\"id, tenant\"}', policies => true,
           sub_by => 'tenant', sub_count => 2);
         SELECT dbguard.partition_retain('\"odd one\".\"T\"', '3 weeks', retire => 'move', schema => 'arch', at_least => 1,
           grace => '1 day', archive => '\"odd one\".\"Keep\"(regclass, text, text)', dry_run => false);
         CREATE TABLE \"odd one\".n (at bigint) PARTITION BY RANGE (at);
         SELECT dbguard.partition_enable('\"odd one\".n', '1 day', 4, key_unit => 'ms', behind => 10);
         SELECT dbguard.partition_retain('\"odd one\".n', '2 days', retire => 'drop', max_bytes => 1000000000);
         -- case 20
         CREATE TABLE \"odd one\".strays PARTITION OF \"odd one\".n DEFAULT;
         INSERT INTO \"odd one\".n VALUES (extract(epoch FROM timestamptz '2097-01-01') * 1000);
         RESET ROLE",
    );
    let (sets, partitions) = (db.lines(SETS), db.lines(PARTITIONS));
    assert_eq!(sets.len(), 2);
    assert!(
        !sets.iter().any(|set| set.contains("\"archive_name\": null") && set.contains("\"T\"")),
        "{sets:?}"
    );
    let plan = db.lines(PLAN);
    assert_eq!(plan.len(), 11, "{plan:?}");

    let dump = db.cluster().run("pg_dump", &[&db.name]);
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let fresh = Cluster::start(&[]);
    let mut copy = Db::empty_in(&fresh);
    copy.connect_as("restore_app");
    let file = fresh.dir().join("dump.sql");
    std::fs::write(&file, &dump.stdout).unwrap();
    let restored =
        fresh.run("psql", &["-qXv", "ON_ERROR_STOP=1", "-d", &copy.name, "-f", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(copy.lines(SETS), sets);
    assert_eq!(copy.lines(PARTITIONS), partitions);
    clock(&mut copy, NOW);
    assert_eq!(copy.lines(PLAN), plan);

    // both go on, to the same end
    go_on(&mut db);
    go_on(&mut copy);
    let after = copy.lines(PARTITIONS);
    assert_eq!(after, db.lines(PARTITIONS));
    assert_ne!(after, partitions);
    // four weeks ahead of the clock, whatever lies in the default
    assert_eq!(
        copy.lines(
            "SELECT table_name, state, missing, covered_until FROM dbguard.partition_status() ORDER BY 1"
        ),
        ["T | ok | 0 | 2027-01-16 23:00:00+00", "n | ok | 0 | 1798156800000"]
    );
    assert_eq!(copy.value("SELECT tableoid::regclass FROM \"odd one\".n"), "\"odd one\".strays");
}
