//! Tables that Django and Rails make are nobody's to change; one that only has such a name is.

use dbguard_tests::Db;

const TABLES: &str = r#"
CREATE TABLE django_content_type (id serial PRIMARY KEY, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL);
CREATE TABLE auth_permission (id serial PRIMARY KEY, name varchar(255) NOT NULL, content_type_id int NOT NULL REFERENCES django_content_type, codename varchar(100) NOT NULL);
CREATE TABLE auth_group (id serial PRIMARY KEY, name varchar(150) NOT NULL UNIQUE);
CREATE TABLE auth_group_permissions (id bigserial PRIMARY KEY, group_id int NOT NULL REFERENCES auth_group, permission_id int NOT NULL REFERENCES auth_permission);
CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamp, is_superuser bool NOT NULL, username varchar(150) NOT NULL,
  first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined timestamp NOT NULL);
CREATE TABLE django_session (session_key varchar(40), session_data text NOT NULL, expire_date timestamp NOT NULL);
CREATE TABLE django_migrations (id serial, app varchar(255), name varchar(255), applied timestamp);
CREATE TABLE schema_migrations (version varchar);
CREATE TABLE ar_internal_metadata (key varchar, value varchar, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
CREATE TABLE active_storage_blobs (id serial, key varchar, filename varchar, content_type varchar, metadata text, service_name varchar, byte_size bigint, checksum varchar, created_at timestamp(6));
CREATE TABLE active_storage_attachments (id serial, name varchar, record_type varchar, record_id bigint, blob_id bigint, created_at timestamp(6));
CREATE TABLE active_storage_variant_records (id serial, blob_id bigint, variation_digest varchar);
"#;

const SEEN: &str = "SELECT code, object FROM dbguard.lint(profile => 'strict')
                    WHERE status = 'open' AND object_type NOT IN ('setting', 'database')";

#[test]
fn what_a_framework_made_is_left_alone() {
    let mut db = Db::new();
    db.exec(TABLES);
    let seen: Vec<String> = db.lines(SEEN).into_iter().filter(|l| !l.ends_with("| public")).collect();
    assert_eq!(seen, Vec::<String>::new());
}

#[test]
fn a_table_of_such_a_name_with_other_columns_is_linted() {
    let mut db = Db::new();
    db.exec(
        "CREATE TABLE schema_migrations (version text, at timestamp);
         CREATE TABLE auth_group (id int, name text, tenant int, made timestamp)",
    );
    let seen = db.lines("SELECT object FROM dbguard.lint(rules => '{TYP001}') ORDER BY 1");
    assert_eq!(seen, ["public.auth_group.made", "public.schema_migrations.at"]);
}
