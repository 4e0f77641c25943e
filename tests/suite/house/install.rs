//! The extension installs, and every object in it is as the house wants it.

use dbguard_tests::{Cluster, Db};

const MEMBERS: &str = "
    SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS what
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    WHERE e.extname = 'dbguard' AND d.deptype = 'e'";

#[test]
fn the_extension_installs() {
    let mut db = Db::new();
    let version = db.value("SELECT extversion FROM pg_extension WHERE extname = 'dbguard'");
    assert_eq!(db.value("SELECT dbguard.version()"), version);
}

#[test]
fn every_object_has_a_comment() {
    let mut db = Db::new();
    db.exec("CREATE TABLE t (id int PRIMARY KEY); SELECT dbguard.audit_enable('t')");
    let bare = db.lines(&format!(
        "WITH member AS ({MEMBERS})
         SELECT what FROM member
         WHERE obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL
           AND classid <> 'pg_type'::regclass AND what !~ '^(rule|function of access method|index|default value)'
         ORDER BY 1"
    ));
    assert_eq!(bare, Vec::<String>::new());
    let bare = db.lines(
        "SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'dbguard'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
           AND obj_description(c.oid, 'pg_class') IS NULL",
    );
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn functions_are_pinned_or_run_no_sql_and_none_is_security_definer() {
    let mut db = Db::new();
    let definers = "SELECT proname FROM pg_proc WHERE pronamespace = 'dbguard'::regnamespace AND prosecdef";
    assert_eq!(db.lines(definers), Vec::<String>::new());
    // pinned by SET; or one of those that pin the path inside or run no SQL of names
    let unpinned = db.lines(
        "SELECT proname FROM pg_proc
         WHERE pronamespace = 'dbguard'::regnamespace
           AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)
         ORDER BY 1",
    );
    let known = [
        "_audit_digest",
        // runs within audit_as_of only, which is pinned
        "_audit_populated",
        "audit_revert",
        "audit_row",
        "audit_truncate",
        "bump_version",
        "partition_convert",
        "partition_drain",
        "partition_maintain",
        "partition_regrain",
        "partition_unconvert",
        "protect_created_at",
        "set_created_by",
        "set_updated_at",
        "set_updated_by",
        "soft_delete",
        "soft_delete_children",
        "soft_delete_live",
        "soft_delete_purge",
        "soft_delete_restore",
        "tenant_bigint",
        "tenant_int",
        "tenant_text",
        "tenant_uuid",
        "version",
    ];
    for name in unpinned {
        assert!(known.contains(&name.as_str()), "{name} has no SET search_path");
    }
}

#[test]
fn public_may_not_create_in_the_schema_nor_attach_the_audit_trigger() {
    let mut db = Db::new();
    db.connect_as("install_nobody");
    assert_eq!(
        db.lines(
            "SELECT has_schema_privilege('install_nobody', 'dbguard', 'USAGE'),
                    has_schema_privilege('install_nobody', 'dbguard', 'CREATE'),
                    has_function_privilege('install_nobody', 'dbguard.audit_row()', 'EXECUTE'),
                    has_function_privilege('install_nobody', 'dbguard.audit_truncate()', 'EXECUTE')"
        ),
        ["t | f | f | f"]
    );
    let writable = db.lines(
        "SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'dbguard'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
           AND has_table_privilege('install_nobody', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')",
    );
    assert_eq!(writable, Vec::<String>::new());
}

#[test]
fn only_a_superuser_installs_it() {
    let mut db = Db::empty_in(Cluster::shared());
    let mut nobody = db.connect_as("install_nobody");
    assert_eq!(nobody.error("CREATE EXTENSION dbguard").code, "42501");
    assert_eq!(db.value("SELECT superuser AND NOT trusted AND NOT relocatable AND schema IS NULL FROM pg_available_extension_versions WHERE name = 'dbguard'"), "t");
}

#[test]
fn names_are_quoted_as_the_server_quotes_them() {
    let mut db = Db::new();
    for word in db.rows("SELECT word FROM pg_get_keywords() UNION ALL SELECT unnest(ARRAY['a b', 'A', 'ä', '1a', 'a1', '_', 'a$', '\"', ''])") {
        let server = db.value(&format!("SELECT quote_ident('{}')", word[0]));
        let ours = dbguard_core::quote::ident(&word[0]);
        // ours also quotes the keywords of the other versions
        assert!(ours == server || ours == format!("\"{}\"", word[0]), "{ours} {server}");
        assert_eq!(db.rows(&format!("SELECT 1 AS {}", if word[0].is_empty() { "x" } else { &ours })).len(), 1);
    }
    for text in ["it's", "back\\slash", "E'", "\n", "é"] {
        let ours = dbguard_core::quote::literal(text);
        for strings in ["on", "off"] {
            db.exec(&format!("SET standard_conforming_strings = {strings}; SET escape_string_warning = off"));
            assert_eq!(db.value(&format!("SELECT {ours}")), text);
        }
    }
}

#[test]
fn it_refuses_a_database_of_another_encoding() {
    let mut admin = Db::new();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", admin.value("SELECT current_database()"), encoding.to_lowercase());
        admin.exec(&format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"));
        let mut db = Db::existing_in(admin.cluster(), &name);
        let error = db.error("CREATE EXTENSION dbguard");
        assert_eq!(
            (error.code.as_str(), error.message.as_str(), error.detail.as_str()),
            ("0A000", "dbguard needs a database with encoding UTF8", &*format!("This one has {encoding}."))
        );
        assert_eq!(db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'dbguard'"), "0");
        drop(db);
        admin.exec(&format!("DROP DATABASE {name}"));
    }
}
