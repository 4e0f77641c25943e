-- partition: an ordinary table becomes a partitioned one.

CREATE TABLE dbguard.partition_conversion (
  relation oid NOT NULL,
  home text NOT NULL,
  original oid NOT NULL,
  bound text NOT NULL,
  extended oid[] NOT NULL,
  made_not_null boolean NOT NULL,
  to_validate oid[] NOT NULL,
  finished boolean NOT NULL DEFAULT false,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (relation, home)
);
COMMENT ON TABLE dbguard.partition_conversion IS 'Tables that dbguard.partition_convert made partitioned ones of, for dbguard.partition_unconvert; not dumped';
COMMENT ON COLUMN dbguard.partition_conversion.relation IS 'OID of the table that has the name now';
COMMENT ON COLUMN dbguard.partition_conversion.home IS 'The database the OIDs are of';
COMMENT ON COLUMN dbguard.partition_conversion.original IS 'OID of the table that has the rows: the first partition';
COMMENT ON COLUMN dbguard.partition_conversion.bound IS 'Where the first partition ends';
COMMENT ON COLUMN dbguard.partition_conversion.extended IS 'OIDs of the indexes of keys that got the key of the partitions as their last column';
COMMENT ON COLUMN dbguard.partition_conversion.made_not_null IS 'Whether the key column was nullable before';
COMMENT ON COLUMN dbguard.partition_conversion.to_validate IS 'Foreign keys of other tables that were made anew and are still to be validated';
COMMENT ON COLUMN dbguard.partition_conversion.finished IS 'Whether all is done; if not, calling the same again does the rest';
COMMENT ON COLUMN dbguard.partition_conversion.at IS 'When';
GRANT SELECT ON dbguard.partition_conversion TO PUBLIC;

CREATE FUNCTION dbguard.partition_convert_plan(relation regclass, key text, every interval, ahead int DEFAULT 4,
  zone text DEFAULT 'UTC',
  anchor text DEFAULT NULL,
  key_unit text DEFAULT NULL,
  extend_keys boolean DEFAULT false,
  storage_options text[] DEFAULT '{}',
  unique_on text[] DEFAULT '{}',
  policies boolean DEFAULT false)
  RETURNS TABLE (step int, kind text, message text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_convert_plan_wrapper';
COMMENT ON FUNCTION dbguard.partition_convert_plan(regclass, text, interval, int, text, text, text, boolean, text[], text[], boolean) IS
  'What dbguard.partition_convert would do with these arguments, step by step, and what keeps it from it (blocked); changes nothing';

-- No SET clause: a procedure that has one cannot commit. They pin the path themselves.
CREATE PROCEDURE dbguard.partition_convert(relation regclass, key text, every interval, ahead int DEFAULT 4,
  zone text DEFAULT 'UTC',
  anchor text DEFAULT NULL,
  key_unit text DEFAULT NULL,
  extend_keys boolean DEFAULT false,
  storage_options text[] DEFAULT '{}',
  unique_on text[] DEFAULT '{}',
  policies boolean DEFAULT false)
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_convert_wrapper';
COMMENT ON PROCEDURE dbguard.partition_convert(regclass, text, interval, int, text, text, text, boolean, text[], text[], boolean) IS
  'Makes a partitioned table of an ordinary one while it is in use: the table becomes its first partition, no row is moved. See dbguard.partition_convert_plan';

CREATE PROCEDURE dbguard.partition_unconvert(relation regclass)
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_unconvert_wrapper';
COMMENT ON PROCEDURE dbguard.partition_unconvert(regclass) IS
  'Makes the ordinary table again that dbguard.partition_convert made a partitioned one of, while no row lies beyond it';

CREATE FUNCTION dbguard.partition_convert_cancel(relation regclass) RETURNS boolean
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_convert_cancel_wrapper';
COMMENT ON FUNCTION dbguard.partition_convert_cancel(regclass) IS
  'Takes back what a conversion that was killed before its cut-over left on a table. False when nothing was left';
