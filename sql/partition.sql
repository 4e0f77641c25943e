-- partition: time ranges planned and made.

CREATE TABLE dbguard.partition_set (
  schema_name name NOT NULL,
  table_name name NOT NULL,
  parent oid NOT NULL,
  home text NOT NULL,
  every interval NOT NULL,
  ahead int NOT NULL,
  zone text NOT NULL,
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
COMMENT ON COLUMN dbguard.partition_set.storage_options IS 'Storage options of each partition, as name=value';
COMMENT ON COLUMN dbguard.partition_set.unique_on IS 'Lists of columns on which each partition has a unique index of its own';
COMMENT ON COLUMN dbguard.partition_set.policies IS 'Whether partitions get row-level security and the policies of the table';
COMMENT ON COLUMN dbguard.partition_set.sub_by IS 'The columns by whose hash each partition is split; NULL: it is not';
COMMENT ON COLUMN dbguard.partition_set.sub_count IS 'Into how many parts each partition is split';
GRANT SELECT ON dbguard.partition_set TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.partition_set', '');

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
COMMENT ON COLUMN dbguard.partition_run.action IS 'make a partition, forget a set whose table is gone, or run: the summary that ends a run';
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

CREATE FUNCTION dbguard.partition_enable(parent regclass, every interval, ahead int DEFAULT 4, zone text DEFAULT 'UTC',
  dry_run boolean DEFAULT false,
  storage_options text[] DEFAULT '{}',
  unique_on text[] DEFAULT '{}',
  policies boolean DEFAULT false,
  sub_by text DEFAULT NULL,
  sub_count int DEFAULT NULL)
  RETURNS TABLE (partition text, lower text, upper text, state text, message text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_enable_wrapper';
COMMENT ON FUNCTION dbguard.partition_enable(regclass, interval, int, text, boolean, text[], text[], boolean, text, int) IS
  'Keeps partitions of the given width ready: makes what is missing now and lets dbguard.partition_maintain do so from now on; returns what it made, or with dry_run what it would make';

CREATE FUNCTION dbguard.partition_disable(parent regclass) RETURNS boolean
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_disable_wrapper';
COMMENT ON FUNCTION dbguard.partition_disable(regclass) IS
  'Stops making partitions of a table; those there are stay. False when it was not enabled';

CREATE FUNCTION dbguard.partition_status()
  RETURNS TABLE (parent_table regclass, schema_name text, table_name text, every interval, ahead int, zone text,
                 state text, partitions int, missing int, covered_until text, message text)
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_status_wrapper';
COMMENT ON FUNCTION dbguard.partition_status() IS
  'One row a table: ok, due (partitions are missing), broken (message says why), or gone';

CREATE FUNCTION dbguard.partition_plan(parent regclass DEFAULT NULL)
  RETURNS TABLE (parent_table regclass, partition text, lower text, upper text, sql text)
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_plan_wrapper';
COMMENT ON FUNCTION dbguard.partition_plan(regclass) IS
  'What dbguard.partition_maintain would make now, for one table or all; changes nothing';

-- No SET clause: a procedure that has one cannot commit. It pins the path itself.
CREATE PROCEDURE dbguard.partition_maintain()
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_maintain_wrapper';
COMMENT ON PROCEDURE dbguard.partition_maintain() IS
  'Makes what is missing in all sets, each partition in a transaction of its own; see dbguard.partition_run';
REVOKE EXECUTE ON PROCEDURE dbguard.partition_maintain() FROM PUBLIC;
