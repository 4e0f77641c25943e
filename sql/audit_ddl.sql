-- Audit of commands (DDL). Its event triggers are made by audit_ddl_enable, the log by whatever is
-- the first to need it (src/audit/command.sql).

CREATE FUNCTION dbguard.audit_ddl_enable(command_text boolean DEFAULT false, schemas text[] DEFAULT NULL)
  RETURNS TABLE (action text, logs_command_text boolean, logs_schemas text[])
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_enable_wrapper';
COMMENT ON FUNCTION dbguard.audit_ddl_enable(boolean, text[]) IS
  'Logs commands that make, change or drop objects (DDL) from now on. command_text: what the client sent as well; schemas: only what lies in these schemas or in none. Called again, sets both';
REVOKE ALL ON FUNCTION dbguard.audit_ddl_enable(boolean, text[]) FROM PUBLIC;

CREATE FUNCTION dbguard.audit_ddl_disable() RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_disable_wrapper';
COMMENT ON FUNCTION dbguard.audit_ddl_disable() IS
  'Logs commands no longer; what is logged stays. True if they were logged';
REVOKE ALL ON FUNCTION dbguard.audit_ddl_disable() FROM PUBLIC;

CREATE FUNCTION dbguard.audit_ddl_status()
  RETURNS TABLE (state text, logs_command_text boolean, logs_schemas text[], problem text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_status_wrapper';
COMMENT ON FUNCTION dbguard.audit_ddl_status() IS
  'Whether commands are logged, how, and what is wrong with it';

CREATE FUNCTION dbguard._audit_ddl_start() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_start_wrapper';
COMMENT ON FUNCTION dbguard._audit_ddl_start() IS
  'Event trigger: remembers what belongs to extensions before one may be dropped';
REVOKE ALL ON FUNCTION dbguard._audit_ddl_start() FROM PUBLIC;

CREATE FUNCTION dbguard._audit_ddl_drop() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_drop_wrapper';
COMMENT ON FUNCTION dbguard._audit_ddl_drop() IS 'Event trigger: logs what a command dropped';
REVOKE ALL ON FUNCTION dbguard._audit_ddl_drop() FROM PUBLIC;

CREATE FUNCTION dbguard._audit_ddl_end() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_ddl_end_wrapper';
COMMENT ON FUNCTION dbguard._audit_ddl_end() IS 'Event trigger: logs what a command made or changed';
REVOKE ALL ON FUNCTION dbguard._audit_ddl_end() FROM PUBLIC;
