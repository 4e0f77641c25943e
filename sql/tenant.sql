-- Tenant: rows that only their tenant sees.

-- These are called by the policies: for anybody, and never an error because of what the setting holds.
CREATE FUNCTION dbguard.tenant_uuid(setting text) RETURNS uuid
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'tenant_uuid_wrapper';
COMMENT ON FUNCTION dbguard.tenant_uuid(text) IS
  'The tenant a setting names; NULL when it is missing, blank or no uuid';

CREATE FUNCTION dbguard.tenant_bigint(setting text) RETURNS bigint
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'tenant_bigint_wrapper';
COMMENT ON FUNCTION dbguard.tenant_bigint(text) IS
  'The tenant a setting names; NULL when it is missing, blank or no bigint';

CREATE FUNCTION dbguard.tenant_int(setting text) RETURNS integer
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'tenant_int_wrapper';
COMMENT ON FUNCTION dbguard.tenant_int(text) IS
  'The tenant a setting names; NULL when it is missing, blank or no integer';

CREATE FUNCTION dbguard.tenant_text(setting text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'tenant_text_wrapper';
COMMENT ON FUNCTION dbguard.tenant_text(text) IS
  'The tenant a setting names; NULL when it is missing or blank';

CREATE FUNCTION dbguard.tenant_enable(relation regclass, tenant_column text DEFAULT 'tenant_id',
                                      setting text DEFAULT 'app.tenant_id', force boolean DEFAULT true,
                                      tenants regclass DEFAULT NULL)
  RETURNS TABLE ("table" regclass, step text, action text, statement text, lock text, reason text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_enable_wrapper';
COMMENT ON FUNCTION dbguard.tenant_enable(regclass, text, text, boolean, regclass) IS
  'Lets a table''s rows, and those of its partitions and children, be seen and written by their tenant only: the one the setting names. Does what is quick at once, and names what is left to do by hand';

CREATE FUNCTION dbguard.tenant_plan(relation regclass, tenant_column text DEFAULT 'tenant_id',
                                    setting text DEFAULT 'app.tenant_id', force boolean DEFAULT true,
                                    tenants regclass DEFAULT NULL)
  RETURNS TABLE ("table" regclass, step text, action text, statement text, lock text, reason text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_plan_wrapper';
COMMENT ON FUNCTION dbguard.tenant_plan(regclass, text, text, boolean, regclass) IS
  'What tenant_enable would do, and what it would leave to do by hand, with the lock each step takes';

CREATE FUNCTION dbguard.tenant_disable(relation regclass) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_disable_wrapper';
COMMENT ON FUNCTION dbguard.tenant_disable(regclass) IS
  'Takes back what tenant_enable did: the policies, and row-level security where it was off before and no other policy needs it. True if the table was guarded';

CREATE FUNCTION dbguard.tenant_status()
  RETURNS TABLE ("table" regclass, "column" text, type text, setting text, force boolean, index boolean,
                 children bigint, unguarded bigint, problem text, fix_sql text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_status_wrapper';
COMMENT ON FUNCTION dbguard.tenant_status() IS
  'Guarded tables, how many partitions and children they have and how many of those can be read past them, and what is wrong';

CREATE FUNCTION dbguard.tenant_enable_all(schema text, tenant_column text DEFAULT 'tenant_id',
                                          setting text DEFAULT 'app.tenant_id', force boolean DEFAULT true,
                                          skip text[] DEFAULT '{}', dry_run boolean DEFAULT false)
  RETURNS TABLE ("table" regclass, step text, action text, statement text, lock text, reason text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_enable_all_wrapper';
COMMENT ON FUNCTION dbguard.tenant_enable_all(text, text, text, boolean, text[], boolean) IS
  'tenant_enable for all tables of a schema that have the column, but those to skip. With dry_run tells what it would do';

CREATE FUNCTION dbguard._tenant_auto() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_auto_wrapper';
COMMENT ON FUNCTION dbguard._tenant_auto() IS 'Guards new partitions and children of guarded tables';

CREATE EVENT TRIGGER dbguard_tenant_auto ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
  EXECUTE FUNCTION dbguard._tenant_auto();
COMMENT ON EVENT TRIGGER dbguard_tenant_auto IS 'dbguard: partitions and children of guarded tables are guarded, too';

CREATE FUNCTION dbguard.tenant_check(schema text DEFAULT NULL, role regrole DEFAULT NULL)
  RETURNS TABLE ("table" regclass, "check" text, severity text, finding text, fix_sql text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_check_wrapper';
COMMENT ON FUNCTION dbguard.tenant_check(text, regrole) IS
  'Proves that no tenant reads or writes another''s rows, by trying to as a role without privileges (or as role), and looks for what leaks. All it does is taken back';

CREATE FUNCTION dbguard.tenant_usage(schema text DEFAULT NULL, exact boolean DEFAULT false)
  RETURNS TABLE (tenant text, tables bigint, rows bigint, bytes bigint, source text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'tenant_usage_wrapper';
COMMENT ON FUNCTION dbguard.tenant_usage(text, boolean) IS
  'Rows and bytes of each tenant over the guarded tables you own: estimated from statistics, or counted if exact';
