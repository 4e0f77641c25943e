-- The log elsewhere: replicated, exported; and other tools' logs taken in.

CREATE FUNCTION dbguard.audit_init() RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_init_wrapper';
COMMENT ON FUNCTION dbguard.audit_init() IS
  'Makes the log without auditing anything, for the database that is to receive another''s. True if it was not there';
REVOKE ALL ON FUNCTION dbguard.audit_init() FROM PUBLIC;

CREATE FUNCTION dbguard.audit_publication(name text DEFAULT 'dbguard_audit') RETURNS SETOF text
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_publication_wrapper';
COMMENT ON FUNCTION dbguard.audit_publication(text) IS
  'Publishes the log for logical replication. Answers the statements that the receiving database needs';
REVOKE ALL ON FUNCTION dbguard.audit_publication(text) FROM PUBLIC;

CREATE FUNCTION dbguard.audit_export(
  since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL,
  relation regclass DEFAULT NULL)
  RETURNS SETOF text
  LANGUAGE c STABLE ROWS 100000
  SET search_path = pg_catalog, pg_temp
  SET TimeZone = 'UTC'
  AS 'MODULE_PATHNAME', 'audit_export_wrapper';
COMMENT ON FUNCTION dbguard.audit_export(timestamptz, timestamptz, regclass) IS
  'The log as JSON lines, oldest first: an object a change, with the columns of audit_log. since (inclusive) and until (exclusive) bound the time, relation picks a table';

CREATE FUNCTION dbguard.audit_import(source regclass, dry_run boolean DEFAULT false)
  RETURNS TABLE ("table" text, changes bigint, first timestamptz, last timestamptz, left_out bigint, note text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_import_wrapper';
COMMENT ON FUNCTION dbguard.audit_import(regclass, boolean) IS
  'Takes what supa_audit (record_version) or an audit trigger (logged_actions) has logged into this log. dry_run: only shows what would come of it. Called again, goes on after what was taken';
REVOKE ALL ON FUNCTION dbguard.audit_import(regclass, boolean) FROM PUBLIC;

CREATE FUNCTION dbguard._audit_import_key(relation regclass, key text) RETURNS text
  LANGUAGE c STABLE STRICT
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_import_key_wrapper';
COMMENT ON FUNCTION dbguard._audit_import_key(regclass, text) IS
  'A row''s key as the log holds it, for audit_import';
REVOKE ALL ON FUNCTION dbguard._audit_import_key(regclass, text) FROM PUBLIC;
