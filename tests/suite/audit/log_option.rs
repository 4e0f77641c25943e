//! The log's own options, and what is done for it from time to time.

use dbguard_tests::Db;

const SET: &str = "SELECT setting, value, changed FROM dbguard.audit_log_set";
const INDEXES: &str = "SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('dbguard.audit_change'::regclass, 'dbguard.audit_pack'::regclass) ORDER BY indexrelid::regclass::text";

fn used() -> Db<'static> {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT dbguard.audit_enable('t'); INSERT INTO t VALUES (1, 1)");
    db
}

/// A month that is over, with a change of then and who made it.
fn old_month(db: &mut Db, from: &str, to: &str) {
    for table in ["context", "change", "pack"] {
        db.exec(&format!("CREATE TABLE dbguard.old_{table}_{} PARTITION OF dbguard.audit_{table} FOR VALUES FROM ('{from}') TO ('{to}')", &from[..7].replace('-', "")));
    }
    db.exec(&format!(
        "INSERT INTO dbguard.audit_context (id, at, session_user_name, current_user_name) VALUES (-1, '{from} 10:00+00', 'then', 'then');
         INSERT INTO dbguard.audit_change (at, xact, context, relation, op, key)
         SELECT '{from} 10:30+00', '1', -1, max(id), 'D', '9' FROM dbguard.audit_relation"
    ));
}

#[test]
fn indexes_come_and_go() {
    let mut db = used();
    assert_eq!(
        db.lines(&format!("{SET}()")),
        [
            "index | key | f",
            "tenant_index | off | f",
            "transaction_index | off | f",
            "retain | <null> | f",
            "every | 1 mon | f"
        ]
    );
    assert_eq!(
        db.lines(&format!("{SET}('none', true, true, '2 years') WHERE changed")),
        ["index | none | t", "tenant_index | on | t", "transaction_index | on | t", "retain | 2 years | t"]
    );
    assert_eq!(
        db.lines(INDEXES),
        [
            "dbguard.audit_change_tenant_idx",
            "dbguard.audit_change_time_idx",
            "dbguard.audit_change_xact_idx",
            "dbguard.audit_pack_tenant_idx",
            "dbguard.audit_pack_time_idx",
            "dbguard.audit_pack_xact_idx"
        ]
    );
    db.exec("SET dbguard.tenant = 'x'; UPDATE t SET v = 2");
    assert_eq!(
        db.value("SELECT count(*) FROM dbguard.audit_log WHERE tenant = 'x' AND xact IS NOT NULL"),
        "1"
    );
    assert_eq!(
        db.lines(&format!("{SET}('key', false, false, '0') WHERE changed")),
        ["index | key | t", "tenant_index | off | t", "transaction_index | off | t", "retain | <null> | t"]
    );
    assert_eq!(
        db.lines(INDEXES),
        [
            "dbguard.audit_change_key_idx",
            "dbguard.audit_change_old_key_idx",
            "dbguard.audit_change_time_idx",
            "dbguard.audit_pack_key_idx",
            "dbguard.audit_pack_time_idx"
        ]
    );
    assert_eq!(db.value(&format!("SELECT count(*) FROM ({SET}('key', false)) x WHERE changed")), "0");
}

#[test]
fn keys_of_closed_months_only() {
    let mut db = used();
    old_month(&mut db, "2020-01-01", "2020-02-01");
    db.exec(&format!("{SET}('closed')"));
    let plan = "SELECT action, object, message FROM dbguard.audit_maintain(true)";
    let planned = [
        "index | dbguard.old_change_202001 | CREATE INDEX ON dbguard.old_change_202001 (relation, key)",
        "index | dbguard.old_change_202001 | CREATE INDEX ON dbguard.old_change_202001 (relation, old_key) WHERE old_key IS NOT NULL",
        "index | dbguard.old_pack_202001 | CREATE INDEX ON dbguard.old_pack_202001 (relation, lowest_key, highest_key)",
    ];
    assert_eq!(db.lines(plan), planned);
    assert_eq!(db.lines(plan), planned);
    assert_eq!(
        db.lines("SELECT action, object, message FROM dbguard.audit_maintain() WHERE action <> 'summarize'"),
        planned
    );
    assert_eq!(db.lines(plan), Vec::<String>::new());
    assert_eq!(db.value("SELECT count(*) FROM pg_indexes WHERE indexdef ~ 'relation, key'"), "1");
    // and back: what is there is taken over, not made twice
    db.exec(&format!("{SET}('key')"));
    assert_eq!(db.value("SELECT count(*) FROM pg_indexes WHERE tablename = 'old_change_202001' AND indexdef ~ 'relation, key'"), "1");
    assert_eq!(db.value("SELECT count(*) FROM pg_index WHERE indrelid = 'dbguard.old_change_202001'::regclass AND NOT indisvalid"), "0");
    assert_eq!(db.lines(plan), Vec::<String>::new());
}

#[test]
fn what_is_not_kept_goes_and_who_made_it_one_partition_later() {
    let mut db = used();
    for (from, to) in
        [("2020-01-01", "2020-02-01"), ("2020-02-01", "2020-03-01"), ("2020-03-01", "2020-04-01")]
    {
        old_month(&mut db, from, to);
    }
    let plan = "SELECT object FROM dbguard.audit_maintain(true) WHERE action = 'drop'";
    assert_eq!(db.lines(plan), Vec::<String>::new());
    // kept from the middle of March 2020
    db.exec("SELECT dbguard.audit_log_set(retain => now() - '2020-03-15')");
    let planned = [
        "dbguard.old_change_202001",
        "dbguard.old_change_202002",
        "dbguard.old_pack_202001",
        "dbguard.old_pack_202002",
        "dbguard.old_context_202001",
    ];
    assert_eq!(db.lines(plan), planned);
    // somebody reads: it is reported, and nothing waits for long
    let mut reader = db.connect();
    reader.exec("BEGIN; SELECT count(*) FROM dbguard.old_change_202001");
    assert_eq!(
        db.lines("SELECT object, message FROM dbguard.audit_maintain() WHERE action = 'failed'"),
        ["dbguard.old_change_202001 | canceling statement due to lock timeout"]
    );
    reader.exec("COMMIT");
    assert_eq!(
        db.lines("SELECT object FROM dbguard.audit_maintain() WHERE action = 'drop'"),
        ["dbguard.old_change_202001"]
    );
    assert_eq!(db.lines(plan), Vec::<String>::new());
    assert_eq!(
        db.lines("SELECT key, current_user_name FROM dbguard.audit_log ORDER BY at"),
        ["9 | then", "1 | postgres"]
    );
    db.exec("SELECT dbguard.audit_log_set(retain => '1 year'); SELECT dbguard.audit_maintain()");
    assert_eq!(
        db.value("SELECT count(*) FROM pg_class WHERE relname ~ '^old_(change|pack)' AND relkind = 'r'"),
        "0"
    );
    assert_eq!(db.lines("SELECT key FROM dbguard.audit_log"), ["1"]);
}

#[test]
fn brin_indexes_learn_of_new_pages() {
    let mut db = used();
    db.exec("INSERT INTO t SELECT i, i FROM generate_series(2, 30000) i");
    let done =
        db.lines("SELECT action, object, message ~ '^[0-9]+ ranges of pages$' FROM dbguard.audit_maintain()");
    assert_eq!(done.len(), 1, "{done:?}");
    assert!(
        done[0].starts_with("summarize | dbguard.audit_change_") && done[0].ends_with(" | t"),
        "{done:?}"
    );
    assert_eq!(db.lines("SELECT * FROM dbguard.audit_maintain()"), Vec::<String>::new());
}

#[test]
fn narrower_partitions_from_where_the_present_ones_end() {
    let mut db = used();
    let bounds = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'dbguard.audit_change'::regclass";
    let before: i32 = db.value(bounds).parse().unwrap();
    assert_eq!(db.lines(&format!("{SET}(every => '1 week') WHERE changed")), ["every | 7 days | t"]);
    let after: i32 = db.value(bounds).parse().unwrap();
    assert!(after >= before, "{after}");
    assert_eq!(db.lines("SELECT DISTINCT state FROM dbguard.partition_status()"), ["ok"]);
    assert_eq!(db.error("SELECT dbguard.audit_log_set(every => '0')").code, "22023");
    db.exec("INSERT INTO t VALUES (5, 5)");
}

#[test]
fn for_the_owner_of_the_log_only() {
    let mut db = Db::new();
    for call in ["audit_log_set()", "audit_maintain()"] {
        let error = db.error(&format!("SELECT dbguard.{call}"));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("55000", "there is no audit log yet"),
            "{call}"
        );
        assert_ne!(error.hint, "");
    }
    db.exec("CREATE TABLE t (id int); SELECT dbguard.audit_enable('t')");
    let mut nobody = db.connect_as("log_nobody");
    for call in ["audit_log_set()", "audit_maintain()", "audit_log_set('none')"] {
        assert_eq!(nobody.error(&format!("SELECT dbguard.{call}")).code, "42501", "{call}");
    }
    assert_eq!(nobody.error("UPDATE dbguard.audit_log_option SET retain = '1 day'").code, "42501");
    let error = db.error("SELECT dbguard.audit_log_set('some')");
    assert_eq!(
        (error.code.as_str(), error.detail.as_str()),
        ("22023", "Valid values are \"key\", \"closed\" and \"none\".")
    );
    assert_eq!(db.error("SELECT dbguard.audit_log_set(retain => '-1 day')").code, "22023");
}

#[test]
fn status_tells_of_trouble_with_the_log() {
    let mut db = used();
    let trouble = "SELECT \"table\", state, problem FROM dbguard.audit_status() WHERE state = 'log'";
    assert_eq!(db.lines(trouble), Vec::<String>::new());
    db.exec("INSERT INTO dbguard.audit_change (at, xact, context, relation, op) VALUES ('2010-01-01', '1', 0, 1, 'D')");
    let lines = db.lines(trouble);
    assert!(
        lines.len() == 1
            && lines[0].starts_with("dbguard.audit_change | log | the default partition holds rows"),
        "{lines:?}"
    );
    // anybody may ask
    let mut nobody = db.connect_as("log_nobody");
    assert_eq!(nobody.lines(trouble), lines);
    db.unguard();
    db.exec("TRUNCATE dbguard.audit_change_default");
    db.exec("DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE dbguard.%I', max(c.relname)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'dbguard.audit_context'::regclass AND c.relname !~ 'default'); END $$");
    assert_eq!(
        db.lines(trouble),
        ["dbguard.audit_context | log | 1 partitions are missing: CALL dbguard.partition_maintain()"]
    );
}

#[test]
fn a_key_that_is_gone_is_noted() {
    let mut db = used();
    let note = "SELECT note FROM dbguard.audit_status() WHERE state <> 'log'";
    assert_eq!(db.value(note), "<null>");
    db.exec("ALTER TABLE t DROP CONSTRAINT t_pkey");
    assert_eq!(
        db.value(note),
        "there is no primary key any more, it was (id): the log cannot name a row by it"
    );
    db.exec("INSERT INTO t VALUES (2, 2)");
    assert_eq!(
        db.value(note),
        "there is no primary key any more, it was (id): the log cannot name a row by it"
    );
    db.exec("ALTER TABLE t ADD PRIMARY KEY (id, v)");
    assert_eq!(db.value(note), "<null>");
}
