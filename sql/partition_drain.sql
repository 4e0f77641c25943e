-- partition: rows moved out of a DEFAULT partition, or of one wider than the grid; and fences, which need none.

CREATE TABLE dbguard.partition_move (
  parent oid NOT NULL,
  relation oid NOT NULL,
  role text NOT NULL,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  PRIMARY KEY (parent, relation, role)
);
COMMENT ON TABLE dbguard.partition_move IS 'What a move of rows that is under way has made; removed with it, or by dbguard.partition_drain_cancel';
COMMENT ON COLUMN dbguard.partition_move.parent IS 'OID of the partitioned table';
COMMENT ON COLUMN dbguard.partition_move.relation IS 'OID of the table';
COMMENT ON COLUMN dbguard.partition_move.role IS 'source: it has the trigger that notes changes; keys: where they are noted; piece: a partition to be; work: goes with the move; wide: a partition that is still to be divided';
COMMENT ON COLUMN dbguard.partition_move.schema_name IS 'Schema of the table';
COMMENT ON COLUMN dbguard.partition_move.table_name IS 'Name of the table';
GRANT SELECT ON dbguard.partition_move TO PUBLIC;

-- For anybody: it writes with the rights of the owner of the table that changes.
CREATE FUNCTION dbguard.partition_capture() RETURNS trigger
  LANGUAGE c SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_capture_wrapper';
COMMENT ON FUNCTION dbguard.partition_capture() IS
  'AFTER ROW trigger on a partition whose rows are being copied: notes the keys of rows that change';

-- No SET clause: a procedure that has one cannot commit. They pin the path themselves.
CREATE PROCEDURE dbguard.partition_drain(parent regclass, most int DEFAULT 1000, drop_old boolean DEFAULT false)
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_drain_wrapper';
COMMENT ON PROCEDURE dbguard.partition_drain(regclass, int, boolean) IS
  'Moves rows from the DEFAULT partition to partitions of their own, which it makes, as far as maintenance would make them; readers see every row once at any moment';

CREATE PROCEDURE dbguard.partition_regrain(parent regclass, partition regclass, most int DEFAULT 1000,
  drop_old boolean DEFAULT false)
  LANGUAGE c AS 'MODULE_PATHNAME', 'partition_regrain_wrapper';
COMMENT ON PROCEDURE dbguard.partition_regrain(regclass, regclass, int, boolean) IS
  'Replaces a partition by those of the grid within its bounds, with its rows; readers see every row once at any moment';

CREATE FUNCTION dbguard.partition_drain_cancel(parent regclass) RETURNS boolean
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_drain_cancel_wrapper';
COMMENT ON FUNCTION dbguard.partition_drain_cancel(regclass) IS
  'Takes back what a partition_drain or partition_regrain that was cancelled or killed has left. False when there was nothing';

CREATE FUNCTION dbguard.partition_drain_plan(parent regclass, most int DEFAULT 1000)
  RETURNS TABLE (partition text, lower text, upper text, rows bigint, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_drain_plan_wrapper';
COMMENT ON FUNCTION dbguard.partition_drain_plan(regclass, int) IS
  'The partitions that dbguard.partition_drain would make now, with the rows they would get; changes nothing';

CREATE FUNCTION dbguard.partition_regrain_plan(parent regclass, partition regclass, most int DEFAULT 1000)
  RETURNS TABLE (partition_name text, lower text, upper text, rows bigint, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_regrain_plan_wrapper';
COMMENT ON FUNCTION dbguard.partition_regrain_plan(regclass, regclass, int) IS
  'The partitions that dbguard.partition_regrain would make now, with the rows they would get; changes nothing';

CREATE FUNCTION dbguard.partition_fence(parent regclass, far interval DEFAULT '100 years', dry_run boolean DEFAULT false)
  RETURNS TABLE (partition text, lower text, upper text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_fence_wrapper';
COMMENT ON FUNCTION dbguard.partition_fence(regclass, interval, boolean) IS
  'Makes two partitions, one without a lower bound before the first and one without an upper bound from far ahead on, which take what no other does; with dry_run only tells them';
