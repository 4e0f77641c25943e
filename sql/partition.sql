-- partition: time ranges planned and made.

CREATE TABLE dbguard.partition_set (
  schema_name name NOT NULL,
  table_name name NOT NULL,
  parent oid NOT NULL,
  home text NOT NULL,
  every interval NOT NULL,
  ahead int NOT NULL,
  zone text NOT NULL,
  anchor timestamp CHECK (pg_catalog.isfinite(anchor)),
  key_unit text,
  retain interval,
  retain_bytes bigint,
  retain_at_least int NOT NULL DEFAULT 0,
  retire text NOT NULL DEFAULT 'detach',
  retire_schema name,
  grace interval,
  archive_schema name,
  archive_name name,
  storage_options text[] NOT NULL DEFAULT '{}',
  unique_on text[] NOT NULL DEFAULT '{}',
  policies boolean NOT NULL DEFAULT false,
  sub_by text,
  sub_count int,
  -- deferred: two tables may swap their names
  PRIMARY KEY (schema_name, table_name) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON TABLE dbguard.partition_set IS 'The partitioned tables dbguard makes partitions of; change it with dbguard.partition_enable and partition_disable';
COMMENT ON COLUMN dbguard.partition_set.schema_name IS 'Schema of the table; follows a rename at the next run';
COMMENT ON COLUMN dbguard.partition_set.table_name IS 'Name of the table; follows a rename at the next run';
COMMENT ON COLUMN dbguard.partition_set.parent IS 'OID of the table in the database named by home';
COMMENT ON COLUMN dbguard.partition_set.home IS 'The database the OID is of; elsewhere, after a restore, the name counts';
COMMENT ON COLUMN dbguard.partition_set.every IS 'Width of a partition';
COMMENT ON COLUMN dbguard.partition_set.ahead IS 'How many partitions to keep beyond the one that holds now';
COMMENT ON COLUMN dbguard.partition_set.zone IS 'Time zone in which days, weeks and months begin';
COMMENT ON COLUMN dbguard.partition_set.anchor IS 'What the clock of the zone reads where some partition begins; null: the calendar decides';
COMMENT ON COLUMN dbguard.partition_set.key_unit IS 'What a key of type bigint counts since 1970: s, ms, us or ns';
COMMENT ON COLUMN dbguard.partition_set.retain IS 'How long partitions are kept; NULL for ever';
COMMENT ON COLUMN dbguard.partition_set.retain_bytes IS 'How large all partitions together may be before the oldest go; NULL without limit';
COMMENT ON COLUMN dbguard.partition_set.retain_at_least IS 'How many partitions of the past stay in any case';
COMMENT ON COLUMN dbguard.partition_set.retire IS 'What becomes of a partition then: detach, drop or move';
COMMENT ON COLUMN dbguard.partition_set.retire_schema IS 'Where it is moved to';
COMMENT ON COLUMN dbguard.partition_set.grace IS 'How long a detached partition waits to be dropped or moved';
COMMENT ON COLUMN dbguard.partition_set.archive_schema IS 'Schema of the function that is called first';
COMMENT ON COLUMN dbguard.partition_set.archive_name IS 'Name of the function that is called first, with the rights of the table''s owner';
COMMENT ON COLUMN dbguard.partition_set.storage_options IS 'Storage options of each partition, as name=value';
COMMENT ON COLUMN dbguard.partition_set.unique_on IS 'Lists of columns on which each partition has a unique index of its own';
COMMENT ON COLUMN dbguard.partition_set.policies IS 'Whether partitions get row-level security and the policies of the table';
COMMENT ON COLUMN dbguard.partition_set.sub_by IS 'The columns by whose hash each partition is split; NULL: it is not';
COMMENT ON COLUMN dbguard.partition_set.sub_count IS 'Into how many parts each partition is split';
GRANT SELECT ON dbguard.partition_set TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.partition_set', '');

CREATE TABLE dbguard.partition_retired (
  parent oid NOT NULL,
  partition_schema name NOT NULL,
  partition_name name NOT NULL,
  relation oid NOT NULL,
  home text NOT NULL,
  lower timestamp,
  upper timestamp NOT NULL,
  retire text NOT NULL,
  retire_schema name,
  grace interval,
  pid int,
  backend_start timestamptz,
  left_at timestamptz,
  due timestamptz,
  PRIMARY KEY (relation, home)
);
COMMENT ON TABLE dbguard.partition_retired IS 'Partitions that are leaving their table, and detached ones that wait to be dropped or moved';
COMMENT ON COLUMN dbguard.partition_retired.parent IS 'OID of the partitioned table in the database named by home';
COMMENT ON COLUMN dbguard.partition_retired.partition_schema IS 'Schema of the partition';
COMMENT ON COLUMN dbguard.partition_retired.partition_name IS 'Name of the partition';
COMMENT ON COLUMN dbguard.partition_retired.relation IS 'OID of the partition in the database named by home';
COMMENT ON COLUMN dbguard.partition_retired.home IS 'The database the OIDs are of; in another one, after a restore or in a copy, nothing waits';
COMMENT ON COLUMN dbguard.partition_retired.lower IS 'Its lower bound, by the clock of the key; NULL: MINVALUE';
COMMENT ON COLUMN dbguard.partition_retired.upper IS 'Its upper bound, by the clock of the key';
COMMENT ON COLUMN dbguard.partition_retired.retire IS 'What becomes of it: detach, drop or move';
COMMENT ON COLUMN dbguard.partition_retired.retire_schema IS 'Where it is moved to';
COMMENT ON COLUMN dbguard.partition_retired.grace IS 'How long it waits once it is detached';
COMMENT ON COLUMN dbguard.partition_retired.pid IS 'The session that began';
COMMENT ON COLUMN dbguard.partition_retired.backend_start IS 'When that session began';
COMMENT ON COLUMN dbguard.partition_retired.left_at IS 'When it was detached';
COMMENT ON COLUMN dbguard.partition_retired.due IS 'When it is to be dropped or moved';
GRANT SELECT ON dbguard.partition_retired TO PUBLIC;

CREATE SEQUENCE dbguard.partition_run_number;
COMMENT ON SEQUENCE dbguard.partition_run_number IS 'Numbers the runs in dbguard.partition_run';

CREATE TABLE dbguard.partition_run (
  run bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  action text NOT NULL,
  state text NOT NULL,
  schema_name name,
  table_name name,
  partition_name name,
  lower text,
  upper text,
  sqlstate text,
  message text,
  hint text,
  tries int,
  blockers text
);
CREATE INDEX partition_run_at ON dbguard.partition_run (at);
COMMENT ON TABLE dbguard.partition_run IS 'What was done for partitions, and what could not be; kept for 30 days';
COMMENT ON INDEX dbguard.partition_run_at IS 'Finds rows that are 30 days old';
COMMENT ON COLUMN dbguard.partition_run.run IS 'Number of the run';
COMMENT ON COLUMN dbguard.partition_run.at IS 'When';
COMMENT ON COLUMN dbguard.partition_run.action IS 'make a partition; archive, detach, finalize, drop or move one; convert or unconvert a table; forget a set whose table is gone, or a detached partition that goes by another name now; retire a set that had to be left; or run: the summary that ends a run';
COMMENT ON COLUMN dbguard.partition_run.state IS 'done, failed, or skipped';
COMMENT ON COLUMN dbguard.partition_run.schema_name IS 'Schema of the partitioned table and of the partition';
COMMENT ON COLUMN dbguard.partition_run.table_name IS 'Name of the partitioned table';
COMMENT ON COLUMN dbguard.partition_run.partition_name IS 'Name of the partition';
COMMENT ON COLUMN dbguard.partition_run.lower IS 'Lower bound, inclusive';
COMMENT ON COLUMN dbguard.partition_run.upper IS 'Upper bound, exclusive';
COMMENT ON COLUMN dbguard.partition_run.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN dbguard.partition_run.message IS 'The error, or a note';
COMMENT ON COLUMN dbguard.partition_run.hint IS 'What to do about the error';
COMMENT ON COLUMN dbguard.partition_run.tries IS 'How often locks were tried for';
COMMENT ON COLUMN dbguard.partition_run.blockers IS 'Who was in the way when a lock was last not to be had, one a line';
GRANT SELECT ON dbguard.partition_run TO PUBLIC;

CREATE FUNCTION dbguard.partition_enable(parent regclass, every interval DEFAULT NULL, ahead int DEFAULT NULL,
  zone text DEFAULT NULL,
  anchor text DEFAULT NULL,
  behind int DEFAULT 0,
  key_unit text DEFAULT NULL,
  dry_run boolean DEFAULT false,
  storage_options text[] DEFAULT NULL,
  unique_on text[] DEFAULT NULL,
  policies boolean DEFAULT NULL,
  sub_by text DEFAULT NULL,
  sub_count int DEFAULT NULL)
  RETURNS TABLE (partition text, lower text, upper text, state text, message text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_enable_wrapper';
COMMENT ON FUNCTION dbguard.partition_enable(regclass, interval, int, text, text, int, text, boolean, text[], text[], boolean, text, int) IS
  'Keeps partitions of the given width ready: makes what is missing now (and with behind some before now) and lets dbguard.partition_maintain do so from now on; what is not given stays as it is, for a new table it is the default; returns what it made, or with dry_run what it would make';

CREATE FUNCTION dbguard.partition_disable(parent regclass) RETURNS boolean
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_disable_wrapper';
COMMENT ON FUNCTION dbguard.partition_disable(regclass) IS
  'Stops making partitions of a table; those there are stay. False when it was not enabled';

CREATE FUNCTION dbguard.partition_retain(
  parent regclass,
  retain interval DEFAULT NULL,
  retire text DEFAULT 'detach',
  schema text DEFAULT NULL,
  max_bytes bigint DEFAULT NULL,
  at_least int DEFAULT 0,
  grace interval DEFAULT NULL,
  archive regprocedure DEFAULT NULL,
  dry_run boolean DEFAULT false)
  RETURNS TABLE (partition text, lower text, upper text, bytes bigint, action text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_retain_wrapper';
COMMENT ON FUNCTION dbguard.partition_retain(regclass, interval, text, text, bigint, int, interval, regprocedure, boolean) IS
  'Says how long partitions of a table are kept and what becomes of them then; returns those whose time is over. dbguard.partition_maintain retires them';

CREATE FUNCTION dbguard.partition_status()
  RETURNS TABLE (parent_table regclass, schema_name text, table_name text, every interval, ahead int, zone text,
                 state text, partitions int, missing int, covered_until text, message text)
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_status_wrapper';
COMMENT ON FUNCTION dbguard.partition_status() IS
  'One row a table: ok, due (partitions are missing), broken (message says why), or gone';

CREATE FUNCTION dbguard.partition_health()
  RETURNS TABLE (parent_table regclass, schema_name text, table_name text, severity text, problem text, message text,
                 fix text)
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_health_wrapper';
COMMENT ON FUNCTION dbguard.partition_health() IS
  'One row a trouble, worst first (severity is error, warning or info), with what to do about it; no row when all is well';

CREATE FUNCTION dbguard.partition_plan(parent regclass DEFAULT NULL)
  RETURNS TABLE (parent_table regclass, action text, partition text, lower text, upper text, sql text,
                 message text)
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_plan_wrapper';
COMMENT ON FUNCTION dbguard.partition_plan(regclass) IS
  'What dbguard.partition_maintain would make and retire now, for one table or all; changes nothing. A set of all that cannot be worked on now has the action blocked, and message says why';

-- No SET clause: a procedure that has one cannot commit. It pins the path itself.
CREATE PROCEDURE dbguard.partition_maintain()
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_maintain_wrapper';
COMMENT ON PROCEDURE dbguard.partition_maintain() IS
  'Makes what is missing in all sets and retires what is over, in short transactions; see dbguard.partition_run';
REVOKE EXECUTE ON PROCEDURE dbguard.partition_maintain() FROM PUBLIC;
