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

CREATE FUNCTION dbguard.touch_enable_all(schema text, what text[] DEFAULT '{updated_at}', options text[] DEFAULT '{}',
                                         skip text[] DEFAULT '{}', dry_run boolean DEFAULT false)
  RETURNS TABLE ("table" regclass, what text, action text, message text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_enable_all_wrapper';
COMMENT ON FUNCTION dbguard.touch_enable_all(text, text[], text[], text[], boolean) IS
  'touch_enable for all tables of a schema that have the columns, but those to skip; an option counts for what has it. With dry_run tells what it would do';

CREATE TABLE dbguard.touch_auto (
  schema_name name,
  schema oid,
  home text NOT NULL,
  what text[] NOT NULL,
  options text[] NOT NULL
);
CREATE UNIQUE INDEX touch_auto_schema_name_idx ON dbguard.touch_auto (schema_name) NULLS NOT DISTINCT;
COMMENT ON INDEX dbguard.touch_auto_schema_name_idx IS 'One row a schema, and one for all';
COMMENT ON TABLE dbguard.touch_auto IS 'Schemas in whose new tables columns are kept; change it with dbguard.touch_auto_enable and touch_auto_disable';
COMMENT ON COLUMN dbguard.touch_auto.schema_name IS 'NULL: all schemas, where there is no row for the schema itself';
COMMENT ON COLUMN dbguard.touch_auto.schema IS 'OID of the schema in the database named by home: by it a rename is followed';
COMMENT ON COLUMN dbguard.touch_auto.home IS 'The database the OID is of';
COMMENT ON COLUMN dbguard.touch_auto.what IS 'What is kept in a new table that has such a column';
COMMENT ON COLUMN dbguard.touch_auto.options IS 'As for dbguard.touch_enable';
GRANT SELECT ON dbguard.touch_auto TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.touch_auto', '');

CREATE FUNCTION dbguard.touch_auto_enable(schema text, what text[] DEFAULT '{updated_at}', options text[] DEFAULT '{}')
  RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_auto_enable_wrapper';
COMMENT ON FUNCTION dbguard.touch_auto_enable(text, text[], text[]) IS
  'Keeps columns of tables that are made in a schema or moved into it from now on; NULL: in all schemas. True if that was not so; called again, changes what and how';

CREATE FUNCTION dbguard.touch_auto_disable(schema text) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_auto_disable_wrapper';
COMMENT ON FUNCTION dbguard.touch_auto_disable(text) IS
  'Does so no longer; what is kept stays so. True if it was so';

CREATE FUNCTION dbguard._touch_auto() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'touch_auto_wrapper';
COMMENT ON FUNCTION dbguard._touch_auto() IS 'Keeps columns of new tables of the schemas in dbguard.touch_auto';

CREATE EVENT TRIGGER dbguard_touch_auto ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER SCHEMA')
  EXECUTE FUNCTION dbguard._touch_auto();
COMMENT ON EVENT TRIGGER dbguard_touch_auto IS 'dbguard: columns of new tables of some schemas are kept';
