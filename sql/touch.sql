-- Touch: lifecycle columns.

-- For anybody: it only sets a column of the row that is being written.
CREATE FUNCTION dbguard.set_updated_at() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'set_updated_at_wrapper';
COMMENT ON FUNCTION dbguard.set_updated_at() IS
  'BEFORE UPDATE ROW trigger: sets a column (argument; updated_at by default) to now() when another column really changed';

CREATE FUNCTION dbguard.touch_enable(relation regclass, column_name text DEFAULT 'updated_at')
  RETURNS TABLE ("table" regclass, "column" text, action text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_enable_wrapper';
COMMENT ON FUNCTION dbguard.touch_enable(regclass, text) IS
  'Keeps a timestamptz, timestamp or date column right: set to now() at every UPDATE that changes something';

CREATE FUNCTION dbguard.touch_disable(relation regclass) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_disable_wrapper';
COMMENT ON FUNCTION dbguard.touch_disable(regclass) IS 'Stops doing so. True if it was enabled';

CREATE FUNCTION dbguard.touch_status()
  RETURNS TABLE ("table" regclass, "column" text, trigger_name text, state text, problem text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_status_wrapper';
COMMENT ON FUNCTION dbguard.touch_status() IS
  'Tables with a set_updated_at trigger, made by touch_enable or by hand, and what is wrong with it';
