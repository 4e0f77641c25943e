//! standard_columns: what it makes, by what steps, and that the rows stay where they are.

use dbguard_tests::Db;

const PLAN: &str = "SELECT \"column\", action, statement FROM dbguard.standard_columns_plan";

/// Runs what is left as psql's \gexec would: each statement on its own.
fn run_left(db: &mut Db, call: &str) {
    for sql in db.lines(&format!(
        "SELECT statement FROM dbguard.standard_columns_plan({call}) WHERE action = 'left' ORDER BY step"
    )) {
        db.exec(&sql);
    }
}

fn columns(db: &mut Db, table: &str) -> Vec<String> {
    db.lines(&format!(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity <> '', pg_get_expr(adbin, adrelid)
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    ))
}

fn node(db: &mut Db, table: &str) -> String {
    db.value(&format!("SELECT pg_relation_filenode('{table}')"))
}

#[test]
fn an_empty_table_gets_all_at_once() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (v text)");
    let args = "'t', '{id,created_at,updated_at,deleted_at,tenant_id}', tenant_type => 'text'";
    let planned = db.lines(&format!("{PLAN}({args})"));
    assert_eq!(
        db.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"),
        "1"
    );
    let done =
        db.lines(&format!("SELECT \"column\", action, statement FROM dbguard.standard_columns({args})"));
    assert_eq!(planned, done.iter().map(|row| row.replace(" | done | ", " | do | ")).collect::<Vec<_>>());
    assert_eq!(
        done,
        [
            "id | done | ALTER TABLE public.t ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "tenant_id | done | ALTER TABLE public.t ADD COLUMN tenant_id text NOT NULL",
            "tenant_id | done | CREATE INDEX ON public.t (tenant_id)",
            "created_at | done | ALTER TABLE public.t ADD COLUMN created_at timestamptz NOT NULL DEFAULT now()",
            "updated_at | done | ALTER TABLE public.t ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now()",
            "deleted_at | done | ALTER TABLE public.t ADD COLUMN deleted_at timestamptz",
            "created_at | done | SELECT * FROM dbguard.touch_enable('public.t', what => 'created_at')",
            "updated_at | done | SELECT * FROM dbguard.touch_enable('public.t', what => 'updated_at')",
        ]
    );
    assert_eq!(db.lines(&format!("{PLAN}({args})")), Vec::<String>::new());
    let (mut listening, heard) = db.connect_listening();
    listening.exec(&format!("SELECT dbguard.standard_columns({args})"));
    assert_eq!(heard.lines(), ["NOTICE | table \"t\" is up to standard, nothing to do |  | "]);
    db.exec("INSERT INTO t (v, tenant_id) VALUES ('a', 'x')");
    db.exec("UPDATE t SET v = 'b'");
    assert_eq!(db.value("SELECT id = 1 AND created_at < updated_at AND deleted_at IS NULL FROM t"), "t");
}

#[test]
fn a_filled_table_is_never_rewritten() {
    for (id_type, unset, kept) in [
        ("bigint", "0", "id | bigint | t | t | <null>"),
        ("uuid", "00000000-0000-0000-0000-000000000000", "id | uuid | t | f | gen_random_uuid()"),
    ] {
        let mut db = Db::new();
        db.exec(
            r#"CREATE SCHEMA "S.s"; CREATE TABLE "S.s"."T $dbguard0$" (gone int, v text, g text GENERATED ALWAYS AS (v || '!') STORED);
               ALTER TABLE "S.s"."T $dbguard0$" DROP COLUMN gone;
               INSERT INTO "S.s"."T $dbguard0$" SELECT repeat('x', 100) || i FROM generate_series(1, 20000) i"#,
        );
        let table = "\"S.s\".\"T $dbguard0$\"";
        let before = node(&mut db, table);
        let args = format!("'{table}', id_type => '{id_type}'");
        let planned = db.lines(&format!("{PLAN}({args})"));
        let done =
            db.lines(&format!("SELECT \"column\", action, statement FROM dbguard.standard_columns({args})"));
        assert_eq!(planned, done.iter().map(|row| row.replace(" | done | ", " | do | ")).collect::<Vec<_>>());
        assert_eq!(
            db.value(&format!(
                "SELECT count(*) FROM {table} WHERE id = '{unset}' AND created_at = updated_at"
            )),
            "20000"
        );
        assert_eq!(db.value("SELECT count(*) FROM dbguard.touch_status()"), "0");
        // rows that come before the rest is done
        db.exec(&format!("INSERT INTO {table} (v) VALUES ('new')"));
        run_left(&mut db, &args);
        assert_eq!(node(&mut db, table), before);
        assert_eq!(
            db.lines(&format!("SELECT count(*), count(DISTINCT id), count(DISTINCT updated_at) FROM {table} WHERE id <> '{unset}'")),
            ["20001 | 20001 | 2"]
        );
        assert_eq!(db.lines(&format!("{PLAN}({args})")), Vec::<String>::new());
        assert_eq!(columns(&mut db, table)[2], kept);
        assert_eq!(
            db.value("SELECT string_agg(pg_get_constraintdef(oid), ', ') FROM pg_constraint WHERE contype IN ('p', 'c')  AND connamespace = '\"S.s\"'::regnamespace"),
            "PRIMARY KEY (id)"
        );
        assert_eq!(db.value("SELECT count(*) FROM dbguard.touch_status() WHERE problem IS NULL"), "2");
    }
}

#[test]
fn what_is_there_is_mended_where_that_is_quick() {
    let mut db = Db::new();
    db.exec(
        "CREATE DOMAIN moment AS timestamptz;
         CREATE TABLE t (id text, created_at moment, updated_at timestamp, deleted_at timestamptz NOT NULL, tenant_id int);
         INSERT INTO t VALUES ('a', now(), now(), now(), 1)",
    );
    let args = "'t', '{id,created_at,updated_at,deleted_at,tenant_id}', tenant_type => 'int'";
    let rows = db.lines(&format!("{PLAN}({args})"));
    let expected = [
        "id | left | ALTER TABLE public.t ADD CONSTRAINT t_id_not_null CHECK (id IS NOT NULL) NOT VALID",
        "id | left | ALTER TABLE public.t VALIDATE CONSTRAINT t_id_not_null",
        "id | left | ALTER TABLE public.t ALTER COLUMN id SET NOT NULL",
        "id | left | ALTER TABLE public.t DROP CONSTRAINT t_id_not_null",
        "id | left | CREATE UNIQUE INDEX CONCURRENTLY t_pkey ON public.t (id)",
        "id | left | ALTER TABLE public.t ADD PRIMARY KEY USING INDEX t_pkey",
        "tenant_id | left | ALTER TABLE public.t ADD CONSTRAINT t_tenant_id_not_null CHECK (tenant_id IS NOT NULL) NOT VALID",
        "tenant_id | left | ALTER TABLE public.t VALIDATE CONSTRAINT t_tenant_id_not_null",
        "tenant_id | left | ALTER TABLE public.t ALTER COLUMN tenant_id SET NOT NULL",
        "tenant_id | left | ALTER TABLE public.t DROP CONSTRAINT t_tenant_id_not_null",
        "tenant_id | left | CREATE INDEX CONCURRENTLY ON public.t (tenant_id)",
        "created_at | do | ALTER TABLE public.t ALTER COLUMN created_at SET DEFAULT now()",
        "created_at | left | ALTER TABLE public.t ADD CONSTRAINT t_created_at_not_null CHECK (created_at IS NOT NULL) NOT VALID",
        "created_at | left | ALTER TABLE public.t VALIDATE CONSTRAINT t_created_at_not_null",
        "created_at | left | ALTER TABLE public.t ALTER COLUMN created_at SET NOT NULL",
        "created_at | left | ALTER TABLE public.t DROP CONSTRAINT t_created_at_not_null",
        "updated_at | advice | <null>",
        "deleted_at | advice | <null>",
        "created_at | do | SELECT * FROM dbguard.touch_enable('public.t', what => 'created_at')",
        "updated_at | do | SELECT * FROM dbguard.touch_enable('public.t', what => 'updated_at')",
    ];
    assert_eq!(rows, expected);
    assert_eq!(
        db.lines(&format!("SELECT rewrites, why FROM dbguard.standard_columns_plan({args}) WHERE action = 'advice'")),
        [
            "t | is timestamp without time zone, not timestamp with time zone; what would mend it: ALTER TABLE public.t ALTER COLUMN updated_at TYPE timestamp with time zone USING updated_at AT TIME ZONE 'UTC'",
            "f | is NOT NULL, so that no row can be one that is not deleted",
        ]
    );
    let before = node(&mut db, "t");
    // half of it, and the rest another day
    db.exec(&format!("SELECT dbguard.standard_columns({args})"));
    for sql in [expected[0], expected[1], expected[4], expected[6], expected[12], expected[13], expected[14]]
    {
        db.exec(sql.split(" | ").nth(2).unwrap());
    }
    run_left(&mut db, args);
    db.exec(&format!("SELECT dbguard.standard_columns({args})"));
    assert_eq!(db.lines(&format!("{PLAN}({args}) WHERE action <> 'advice'")), Vec::<String>::new());
    assert_eq!(node(&mut db, "t"), before);
    assert_eq!(
        db.lines(
            "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass AND contype IN ('c', 'p')"
        ),
        ["t_pkey"]
    );
    assert_eq!(
        db.lines(
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND attnotnull"
        ),
        ["id", "created_at", "deleted_at", "tenant_id"]
    );
}

#[test]
fn rows_without_a_value_are_told_and_not_made_up() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int, created_at timestamptz, tenant_id uuid); INSERT INTO t DEFAULT VALUES");
    let rows = db.lines(&format!("{PLAN}('t', '{{id,created_at,tenant_id}}') WHERE action <> 'do'"));
    assert_eq!(
        rows,
        [
            "id | advice | <null>",
            "tenant_id | advice | <null>",
            "tenant_id | left | CREATE INDEX CONCURRENTLY ON public.t (tenant_id)",
            "created_at | advice | <null>",
        ]
    );
    // old rows stay without a time
    db.exec("SELECT dbguard.standard_columns('t', '{created_at,updated_at}', existing => 'null'); INSERT INTO t DEFAULT VALUES");
    assert_eq!(
        db.lines("SELECT created_at IS NULL, updated_at IS NULL FROM t ORDER BY 1 DESC"),
        ["t | t", "f | f"]
    );
    assert_eq!(
        db.lines(&format!("{PLAN}('t', '{{created_at,updated_at}}', existing => 'null')")),
        Vec::<String>::new()
    );
}

#[test]
fn partitions_follow_and_children_too() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE p (k int, v text) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         CREATE TABLE p2 (v text, gone int, k int); ALTER TABLE p2 DROP COLUMN gone; ALTER TABLE p ATTACH PARTITION p2 DEFAULT;
         CREATE TABLE base (k int); CREATE TABLE child (v text) INHERITS (base);
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 'a')",
    );
    let nodes = "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relname IN ('p1', 'p2', 'child') ORDER BY 1";
    let before = db.lines(nodes);
    for table in ["p", "base"] {
        let rows = db.lines(&format!("SELECT \"column\", action FROM dbguard.standard_columns('{table}', '{{id,created_at,updated_at,tenant_id}}')"));
        assert_eq!(
            rows,
            [
                "id | advice",
                "tenant_id | done",
                "tenant_id | advice",
                "created_at | done",
                "updated_at | done",
                "created_at | done",
                "updated_at | done"
            ]
        );
    }
    assert_eq!(db.lines(nodes), before);
    db.exec("UPDATE p SET v = 'c'");
    assert_eq!(db.value("SELECT bool_and(updated_at > created_at) FROM p"), "t");
    assert_eq!(db.value("SELECT created_at = updated_at FROM child"), "t");
    let e = db.error("SELECT dbguard.standard_columns('p1')");
    assert_eq!((e.code.as_str(), e.message.as_str()), ("42809", "\"p1\" is a partition"));
}

/// A column of somebody's own is not taken for one that was begun, whatever rows have in it.
#[test]
fn an_id_of_ones_own_is_left_alone() {
    for definition in ["int NOT NULL DEFAULT 0", "text NOT NULL DEFAULT '0'", "bigint NOT NULL DEFAULT 0"] {
        let mut db = Db::new();
        db.exec(&format!(
            "CREATE TABLE k (v text); INSERT INTO k VALUES ('a'), ('b'); ALTER TABLE k ADD id {definition}"
        ));
        let left = "SELECT count(*) FROM dbguard.standard_columns('k', '{id}') WHERE statement ~ 'UPDATE'";
        assert_eq!(db.value(left), "0", "{definition}");
        assert_eq!(db.value("SELECT string_agg(id::text, ',') FROM k"), "0,0");
    }
}

/// Rows that a policy hides are no rows without an id: it is an error, not silence.
#[test]
fn rows_that_a_policy_hides() {
    let mut db = Db::new();
    let mut owner = db.connect_as("standard_owner");
    db.exec("CREATE SCHEMA s AUTHORIZATION standard_owner");
    owner.exec(
        "CREATE TABLE s.t (tenant_id int); INSERT INTO s.t VALUES (1), (2); SELECT dbguard.tenant_enable('s.t');
         SELECT dbguard.standard_columns('s.t', '{id}')",
    );
    let fill = owner.value(
        "SELECT statement FROM dbguard.standard_columns_plan('s.t', '{id}') WHERE statement ~ 'UPDATE'",
    );
    assert_eq!(
        owner.error(&fill).message,
        "query would be affected by row-level security policy for table \"t\""
    );
    db.exec(&fill);
    assert_eq!(db.value("SELECT count(DISTINCT id) FROM s.t WHERE id > 0"), "2");
    db.exec("DROP SCHEMA s CASCADE; DROP OWNED BY standard_owner");
}

/// A trigger that does not let go of what rows have ends the batches with an error, not never.
#[test]
fn a_trigger_that_gives_ids_back() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE t (v int); INSERT INTO t SELECT generate_series(1, 500); SELECT dbguard.standard_columns('t', '{id}');
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := OLD.id; RETURN NEW; END';
         CREATE TRIGGER keep BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let left = "SELECT statement FROM dbguard.standard_columns_plan('t', '{id}') WHERE action = 'left' ORDER BY step LIMIT 1";
    let batches = db.value(left);
    let e = db.error(&batches);
    assert_eq!((e.code.as_str(), e.message.as_str()), ("55000", "500 rows do not take an id of their own"));
    db.exec("DROP TRIGGER keep ON t");
    run_left(&mut db, "'t', '{id}'");
    assert_eq!(db.value("SELECT count(DISTINCT id) FROM t"), "500");
}
