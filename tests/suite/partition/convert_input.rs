//! What partition_convert and its kin refuse, and how.

use dbguard_tests::Db;

fn plain(db: &mut Db) {
    db.exec(
        "CREATE TABLE t (id int, at timestamptz NOT NULL, other int); INSERT INTO t VALUES (1, now(), 1)",
    );
}

#[test]
fn arguments() {
    let mut db = Db::new();
    plain(&mut db);
    db.exec("CREATE VIEW v AS SELECT 1 AS at; CREATE TABLE p (at date) PARTITION BY RANGE (at);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); CREATE TABLE l (at text)");
    let with = |what: &str| {
        [
            format!("CALL dbguard.partition_convert({what})"),
            format!("SELECT * FROM dbguard.partition_convert_plan({what})"),
        ]
    };
    for (what, code) in [
        ("NULL, 'at', '1 day'", "22004"),
        ("'t', NULL, '1 day'", "22004"),
        ("'t', 'at', NULL", "22004"),
        ("'t', 'at', '1 day', NULL", "22004"),
        ("'t', 'at', '1 day', zone => NULL", "22004"),
        ("'t', 'at', '1 day', extend_keys => NULL", "22004"),
        ("'t', 'at', '1 day', storage_options => NULL", "22004"),
        ("'t', 'at', '1 day', unique_on => '{NULL}'", "22004"),
        ("'t', 'at', '1 day', policies => NULL", "22004"),
        ("'t', 'none', '1 day'", "42703"),
        ("'t', 'ctid', '1 day'", "42703"),
        ("'t', 'other', '1 day'", "0A000"),
        ("'l', 'at', '1 day'", "0A000"),
        ("'t', 'at', '1 day', key_unit => 's'", "22023"),
        ("'t', 'at', '0 days'", "22023"),
        ("'t', 'at', '1 day', ahead => 0", "22023"),
        ("'t', 'at', '1 day', zone => 'Nowhere'", "22023"),
        ("'t', 'at', '1 day', anchor => 'x'", "22023"),
        ("'t', 'at', '1 day', unique_on => '{\"a b\"}'", "22023"),
        ("'v', 'at', '1 day'", "42809"),
        ("'p', 'at', '1 day'", "42809"),
        ("'p1', 'at', '1 day'", "42809"),
        ("'pg_class', 'at', '1 day'", "42809"),
        ("0, 'at', '1 day'", "42P01"),
    ] {
        for call in with(what) {
            assert_eq!(db.error(&call).code, code, "{call}");
        }
    }
    for call in ["CALL dbguard.partition_unconvert(NULL)", "SELECT dbguard.partition_convert_cancel(NULL)"] {
        assert_eq!(db.error(call).code, "22004", "{call}");
    }
    assert_eq!(db.error("CALL dbguard.partition_unconvert('t')").code, "55000");
    assert_eq!(db.value("SELECT dbguard.partition_convert_cancel('t')"), "f");
    assert_eq!(db.value("SELECT count(*) FROM dbguard.partition_job"), "0");
}

#[test]
fn who_and_where() {
    let mut db = Db::new();
    plain(&mut db);
    let mut other = db.connect_as("conv_other");
    let calls = [
        "CALL dbguard.partition_convert('t', 'at', '1 day')",
        "SELECT * FROM dbguard.partition_convert_plan('t', 'at', '1 day')",
        "CALL dbguard.partition_unconvert('t')",
        "SELECT dbguard.partition_convert_cancel('t')",
    ];
    for call in calls {
        assert_eq!(other.error(call).code, "42501", "{call}");
    }
    for call in calls.iter().filter(|call| call.starts_with("CALL")) {
        db.exec("BEGIN");
        assert_eq!(db.error(call).code, "25001", "{call}");
        db.exec("ROLLBACK");
        db.exec("SET default_transaction_read_only = on");
        assert_eq!(db.error(call).code, "25006", "{call}");
        db.exec("SET default_transaction_read_only = off");
    }
    for table in ["partition_conversion", "partition_job"] {
        assert_eq!(other.error(&format!("DELETE FROM dbguard.{table}")).code, "42501");
    }
    // a function may call it where no index is to be built
    db.exec("DO $$ BEGIN CALL dbguard.partition_convert('t', 'at', '1 day'); END $$");
    assert_eq!(db.value("SELECT relkind FROM pg_class WHERE relname = 't'"), "p");
}

/// What an attacker puts before the server's own objects is never called.
#[test]
fn a_hostile_search_path() {
    let mut db = Db::new();
    db.exec(
        "CREATE SCHEMA evil; CREATE TABLE evil.called (what text);
         CREATE FUNCTION evil.note(a timestamptz, b timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.called VALUES ('<'); RETURN false; END $$;
         CREATE OPERATOR evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.note);
         CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.called VALUES ('now'); RETURN NULL; END $$;
         CREATE FUNCTION evil.count(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.called VALUES ('count'); RETURN 1; END $$;
         CREATE VIEW evil.pg_class AS SELECT 1 AS oid; CREATE TEMP TABLE pg_index (x int);
         CREATE TABLE public.t (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at)); INSERT INTO t VALUES (1, now());
         CREATE VIEW public.v AS SELECT * FROM t; CREATE TEMP TABLE t (x int);
         SET search_path = evil, pg_temp, pg_catalog",
    );
    db.exec("SELECT * FROM dbguard.partition_convert_plan('public.t', 'at', '1 day'::pg_catalog.interval)");
    db.exec("CALL dbguard.partition_convert('public.t', 'at', '1 day'::pg_catalog.interval)");
    db.exec("CALL dbguard.partition_unconvert('public.t')");
    assert_eq!(db.lines("SELECT what FROM evil.called"), Vec::<String>::new());
    assert_eq!(db.lines("SELECT id FROM public.v"), ["1"]);
}

/// A superuser converts the table of a role that laid traps for him: no code of it runs with his rights.
#[test]
fn a_superusers_run_on_the_table_of_another() {
    let mut db = Db::new();
    let mut owner = db.connect_as("conv_trapper");
    db.exec("CREATE SCHEMA trap AUTHORIZATION conv_trapper; CREATE TABLE public.caught (who text, what text); GRANT INSERT ON public.caught TO PUBLIC");
    owner.exec(
        "CREATE FUNCTION trap.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.caught VALUES (current_user, TG_OP); RETURN NEW; END $$;
         CREATE FUNCTION trap.looks(a int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_user <> 'conv_trapper' THEN INSERT INTO public.caught VALUES (current_user, 'f'); END IF; RETURN true; END $$;
         CREATE TABLE trap.t (id int CHECK (trap.looks(id)), at timestamptz, d boolean DEFAULT trap.looks(1), g boolean GENERATED ALWAYS AS (trap.looks(id)) STORED, PRIMARY KEY (id, at));
         INSERT INTO trap.t SELECT g, now() FROM generate_series(1, 100) g;
         CREATE INDEX ON trap.t (trap.looks(id)) WHERE trap.looks(id);
         CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE ON trap.t FOR EACH ROW EXECUTE FUNCTION trap.fires();
         CREATE POLICY p ON trap.t USING (trap.looks(id)); ALTER TABLE trap.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    );
    db.exec("SELECT * FROM dbguard.partition_convert_plan('trap.t', 'at', '1 day')");
    db.exec("CALL dbguard.partition_convert('trap.t', 'at', '1 day', policies => true)");
    assert_eq!(
        db.lines(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'trap'::regnamespace"
        ),
        ["conv_trapper"]
    );
    db.exec("CALL dbguard.partition_unconvert('trap.t')");
    assert_eq!(db.lines("SELECT who, what FROM public.caught"), Vec::<String>::new());
}
