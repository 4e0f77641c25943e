-- Touch: lifecycle columns.

-- These are for anybody: they only set a column of the row that is being written.
CREATE FUNCTION dbguard.set_updated_at() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'set_updated_at_wrapper';
COMMENT ON FUNCTION dbguard.set_updated_at() IS
  'BEFORE UPDATE ROW trigger: sets a column (first argument; updated_at by default) to now() when another column really changed. Options: clock=now|clock_timestamp, given=overwrite|keep, ignore=column';

CREATE FUNCTION dbguard.protect_created_at() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'protect_created_at_wrapper';
COMMENT ON FUNCTION dbguard.protect_created_at() IS
  'BEFORE INSERT OR UPDATE ROW trigger: sets a column (first argument; created_at by default) to now() when a row is made without, and keeps it ever after. Options: change=undo|error, given=keep|overwrite, clock=now|clock_timestamp';

CREATE FUNCTION dbguard.set_updated_by() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'set_updated_by_wrapper';
COMMENT ON FUNCTION dbguard.set_updated_by() IS
  'BEFORE INSERT OR UPDATE ROW trigger: sets a column (first argument; updated_by by default) to dbguard.actor when another column really changed. Options: missing=null|user|error, invalid=error|null, given=overwrite|keep, ignore=column';

CREATE FUNCTION dbguard.set_created_by() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'set_created_by_wrapper';
COMMENT ON FUNCTION dbguard.set_created_by() IS
  'BEFORE INSERT OR UPDATE ROW trigger: sets a column (first argument; created_by by default) to dbguard.actor when a row is made, and keeps it ever after. Options: missing=null|user|error, invalid=error|null, given=overwrite|keep, change=undo|error';

CREATE FUNCTION dbguard.bump_version() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'bump_version_wrapper';
COMMENT ON FUNCTION dbguard.bump_version() IS
  'BEFORE INSERT OR UPDATE ROW trigger: adds 1 to a column (first argument; version by default) when another column really changed, and refuses with 40001 an UPDATE that gives another version than the stored one. Options: next=refuse|accept, ignore=column';

CREATE FUNCTION dbguard.touch_enable(relation regclass, column_name text DEFAULT NULL, what text DEFAULT 'updated_at',
                                     options text[] DEFAULT '{}')
  RETURNS TABLE ("table" regclass, "column" text, action text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_enable_wrapper';
COMMENT ON FUNCTION dbguard.touch_enable(regclass, text, text, text[]) IS
  'Keeps a column right: what is updated_at, created_at, updated_by, created_by or version, and the column is called so unless column_name says otherwise; options are those of the trigger function';

CREATE FUNCTION dbguard.touch_disable(relation regclass, what text DEFAULT NULL) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_disable_wrapper';
COMMENT ON FUNCTION dbguard.touch_disable(regclass, text) IS
  'Stops doing so, for all that is kept or for what is named. True if anything was';

CREATE FUNCTION dbguard.touch_status()
  RETURNS TABLE ("table" regclass, "column" text, what text, trigger_name text, state text, problem text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_status_wrapper';
COMMENT ON FUNCTION dbguard.touch_status() IS
  'Triggers that keep columns, made by touch_enable or by hand, and what is wrong with them';
