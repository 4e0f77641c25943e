-- Audit: many tables at once, new tables, partitions, pauses, and the log's own options.

CREATE FUNCTION dbguard.audit_enable_all(
  schema text,
  capture text DEFAULT NULL,
  exclude text[] DEFAULT NULL,
  redact text[] DEFAULT NULL,
  operations text[] DEFAULT NULL,
  tenant text DEFAULT NULL,
  redact_with text DEFAULT NULL,
  bulk text DEFAULT NULL,
  always boolean DEFAULT NULL,
  skip text[] DEFAULT '{}',
  dry_run boolean DEFAULT false)
  RETURNS TABLE ("table" regclass, action text, message text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_enable_all_wrapper';
COMMENT ON FUNCTION dbguard.audit_enable_all(text, text, text[], text[], text[], text, text, text, boolean, text[], boolean) IS
  'Audits all tables of a schema that are not audited yet, but those to skip, with the options of audit_enable; a column counts for the tables that have it. With dry_run tells what it would do';

CREATE TABLE dbguard.audit_auto (
  schema_name name,
  schema oid,
  home text NOT NULL,
  capture text,
  exclude text[],
  redact text[],
  operations text[],
  tenant text,
  redact_with text,
  bulk text,
  always boolean
);
CREATE UNIQUE INDEX audit_auto_schema_name_idx ON dbguard.audit_auto (schema_name) NULLS NOT DISTINCT;
COMMENT ON INDEX dbguard.audit_auto_schema_name_idx IS 'One row a schema, and one for all';
COMMENT ON TABLE dbguard.audit_auto IS 'Schemas whose new tables are audited; change it with dbguard.audit_auto_enable and audit_auto_disable';
COMMENT ON COLUMN dbguard.audit_auto.schema_name IS 'NULL: all schemas, with these options where there is no row for the schema itself';
COMMENT ON COLUMN dbguard.audit_auto.schema IS 'OID of the schema in the database named by home: by it a rename is followed';
COMMENT ON COLUMN dbguard.audit_auto.home IS 'The database the OID is of';
COMMENT ON COLUMN dbguard.audit_auto.capture IS 'This and the following: the arguments of dbguard.audit_enable for a new table';
GRANT SELECT ON dbguard.audit_auto TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.audit_auto', '');

CREATE FUNCTION dbguard.audit_auto_enable(
  schema text,
  capture text DEFAULT NULL,
  exclude text[] DEFAULT NULL,
  redact text[] DEFAULT NULL,
  operations text[] DEFAULT NULL,
  tenant text DEFAULT NULL,
  redact_with text DEFAULT NULL,
  bulk text DEFAULT NULL,
  always boolean DEFAULT NULL)
  RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_auto_enable_wrapper';
COMMENT ON FUNCTION dbguard.audit_auto_enable(text, text, text[], text[], text[], text, text, text, boolean) IS
  'Audits tables that are made in a schema or moved into it from now on; NULL: in all schemas. True if that was not so; called again, changes the options that are given';

CREATE FUNCTION dbguard.audit_auto_disable(schema text) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_auto_disable_wrapper';
COMMENT ON FUNCTION dbguard.audit_auto_disable(text) IS
  'Audits new tables of a schema no longer; those that are audited stay so. True if it was so';

CREATE FUNCTION dbguard._audit_auto() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_auto_wrapper';
COMMENT ON FUNCTION dbguard._audit_auto() IS
  'Audits new tables of the schemas in dbguard.audit_auto';

CREATE EVENT TRIGGER dbguard_audit_auto ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER SCHEMA')
  EXECUTE FUNCTION dbguard._audit_auto();
-- under session_replication_role = replica, too
ALTER EVENT TRIGGER dbguard_audit_auto ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER dbguard_audit_auto IS 'dbguard: new tables of some schemas are audited';

CREATE FUNCTION dbguard._audit_follow_partitions() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_follow_partitions_wrapper';
COMMENT ON FUNCTION dbguard._audit_follow_partitions() IS
  'Gives new partitions of an audited table their trigger of TRUNCATE, and refuses one that is audited on its own';

CREATE EVENT TRIGGER dbguard_audit_follow_partitions ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
  EXECUTE FUNCTION dbguard._audit_follow_partitions();
ALTER EVENT TRIGGER dbguard_audit_follow_partitions ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER dbguard_audit_follow_partitions IS 'dbguard: TRUNCATE of new partitions is audited';

CREATE FUNCTION dbguard.audit_pause(relation regclass, reason text) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_pause_wrapper';
COMMENT ON FUNCTION dbguard.audit_pause(regclass, text) IS
  'Stops auditing a table until audit_resume, and says so in the log, with the reason. False if it was paused already';

CREATE FUNCTION dbguard.audit_resume(relation regclass) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_resume_wrapper';
COMMENT ON FUNCTION dbguard.audit_resume(regclass) IS
  'Audits a paused table again, and says so in the log. False if it was not paused';

CREATE FUNCTION dbguard.audit_coverage(schema text DEFAULT NULL)
  RETURNS TABLE ("table" regclass, covered boolean, audited_by regclass, reason text)
  LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp
  AS $$
  WITH ours AS (
    SELECT t.tgrelid, t.tgparentid <> 0 AS is_clone, f.proname = 'audit_row' AS of_rows, t.tgenabled,
           encode(t.tgargs, 'escape') AS args
    FROM pg_trigger t
    JOIN pg_proc f ON f.oid = t.tgfoid AND f.proname IN ('audit_row', 'audit_truncate')
    JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname = 'dbguard'
  ), asked AS (
    -- the options are in the arguments of whichever trigger a table has of its own
    SELECT DISTINCT ON (tgrelid) tgrelid, args,
           args !~ '(^|\\000)operations=' OR args ~ '(^|\\000)operations=[A-Z,]*(INSERT|UPDATE|DELETE)' AS rows,
           args !~ '(^|\\000)operations=' OR args ~ '(^|\\000)operations=[A-Z,]*TRUNCATE' AS truncates
    FROM ours
    WHERE NOT is_clone AND args <> 'partition\000'
    ORDER BY tgrelid, of_rows DESC
  ), present AS (
    SELECT tgrelid,
           max(tgenabled::text) FILTER (WHERE of_rows) AS rows,
           max(tgenabled::text) FILTER (WHERE NOT of_rows) AS truncate
    FROM ours
    GROUP BY tgrelid
  ), tables AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition,
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END::oid AS root
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dbguard')
      AND (audit_coverage.schema IS NULL OR n.nspname = audit_coverage.schema)
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ), judged AS (
    SELECT t.*, a.tgrelid AS audited_by,
           CASE
             WHEN a.tgrelid IS NULL AND t.relkind = 'f' THEN 'a foreign table cannot be audited here'
             WHEN a.tgrelid IS NULL AND t.relispartition THEN 'the table it is a partition of is not audited'
             WHEN a.tgrelid IS NULL THEN 'audit is not enabled'
             WHEN a.args ~ '(^|\\000)paused=' THEN 'audit is paused'
             WHEN a.rows AND p.rows IS NULL THEN 'its trigger is missing'
             WHEN a.rows AND p.rows = 'D' THEN 'its trigger is disabled'
             WHEN a.rows AND p.rows = 'R' THEN 'its trigger fires on replicas only'
             WHEN a.truncates AND p.truncate IS NULL AND (t.relkind = 'r' OR a.tgrelid = t.oid)
               THEN 'its trigger of TRUNCATE is missing'
             WHEN a.truncates AND p.truncate IN ('D', 'R') THEN 'its trigger of TRUNCATE is disabled'
           END AS reason
    FROM tables t
    LEFT JOIN present p ON p.tgrelid = t.oid
    LEFT JOIN asked own ON own.tgrelid = t.oid
    LEFT JOIN asked a ON a.tgrelid = CASE WHEN own.tgrelid IS NULL THEN t.root ELSE t.oid END
  )
  SELECT j.oid::regclass, j.reason IS NULL, j.audited_by::regclass, j.reason
  FROM judged j
  ORDER BY j.nspname, j.relname
  $$;
COMMENT ON FUNCTION dbguard.audit_coverage(text) IS
  'Every table of a schema (NULL: of all), whether its changes are audited, by the triggers of which table, and if not, why';

CREATE TABLE dbguard.audit_log_option (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  index text NOT NULL,
  retain interval
);
COMMENT ON TABLE dbguard.audit_log_option IS 'What was set for the log and cannot be read off it, in one row; change it with dbguard.audit_log_set';
COMMENT ON COLUMN dbguard.audit_log_option.one IS 'There is one row';
COMMENT ON COLUMN dbguard.audit_log_option.index IS 'Where keys are indexed: key (in all partitions), closed (in those whose time is over) or none';
COMMENT ON COLUMN dbguard.audit_log_option.retain IS 'How long the log is kept; NULL: for ever';
SELECT pg_catalog.pg_extension_config_dump('dbguard.audit_log_option', '');

CREATE FUNCTION dbguard.audit_log_set(
  index text DEFAULT NULL,
  tenant_index boolean DEFAULT NULL,
  transaction_index boolean DEFAULT NULL,
  retain interval DEFAULT NULL,
  every interval DEFAULT NULL)
  RETURNS TABLE (setting text, value text, changed boolean)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_log_set_wrapper';
COMMENT ON FUNCTION dbguard.audit_log_set(text, boolean, boolean, interval, interval) IS
  'Sets what is given of the log''s options and shows all. index: where keys are indexed: key, closed or none; tenant_index, transaction_index: whether there is one; retain: how long the log is kept, 0 for ever; every: width of its new partitions';
REVOKE ALL ON FUNCTION dbguard.audit_log_set(text, boolean, boolean, interval, interval) FROM PUBLIC;

CREATE FUNCTION dbguard.audit_maintain(dry_run boolean DEFAULT false)
  RETURNS TABLE (action text, object text, message text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_maintain_wrapper';
COMMENT ON FUNCTION dbguard.audit_maintain(boolean) IS
  'Looks after the log: indexes keys of partitions whose time is over, summarizes BRIN indexes, drops partitions older than retain. With dry_run tells which it would index and drop';
REVOKE ALL ON FUNCTION dbguard.audit_maintain(boolean) FROM PUBLIC;
