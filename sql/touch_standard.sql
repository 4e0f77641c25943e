-- Touch: the columns every table of the house has.

CREATE FUNCTION dbguard.standard_columns_plan(relation regclass,
  columns text[] DEFAULT '{id,created_at,updated_at,deleted_at}',
  id_type text DEFAULT 'bigint',
  tenant_type text DEFAULT 'uuid',
  existing text DEFAULT 'now')
  RETURNS TABLE (step int, "table" regclass, "column" text, action text, statement text, lock text, rewrites boolean, why text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'standard_columns_plan_wrapper';
COMMENT ON FUNCTION dbguard.standard_columns_plan(regclass, text[], text, text, text) IS
  'What dbguard.standard_columns would do with these arguments (do), what is left for you to run, each statement in a transaction of its own (left), and what is not done unasked (advice); changes nothing';

CREATE FUNCTION dbguard.standard_columns(relation regclass,
  columns text[] DEFAULT '{id,created_at,updated_at,deleted_at}',
  id_type text DEFAULT 'bigint',
  tenant_type text DEFAULT 'uuid',
  existing text DEFAULT 'now')
  RETURNS TABLE (step int, "table" regclass, "column" text, action text, statement text, lock text, rewrites boolean, why text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'standard_columns_wrapper';
COMMENT ON FUNCTION dbguard.standard_columns(regclass, text[], text, text, text) IS
  'Brings a table to the standard: id (bigint, uuid), tenant_id (if asked for), created_at, updated_at, deleted_at, and the triggers that keep them. Does what is quick without a rewrite, waits a second at most for a lock, and tells what is left; existing => null: rows that are there get no time';
