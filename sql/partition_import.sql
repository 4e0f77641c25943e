-- partition_import: sets of pg_partman taken over.

CREATE FUNCTION dbguard.partition_import_partman(parent regclass DEFAULT NULL, dry_run boolean DEFAULT false,
  zone text DEFAULT NULL)
  RETURNS TABLE (parent_table regclass, schema_name text, table_name text, state text, message text, sql text)
  LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'partition_import_partman_wrapper';
COMMENT ON FUNCTION dbguard.partition_import_partman(regclass, boolean, text) IS
  'Takes over one set of pg_partman, or all of this database: registers it with the same width, partitions ahead, zone and retention, adopts its partitions as they are, and has pg_partman leave it alone. One row a set, with the calls that are equal to it; with dry_run it changes nothing';
