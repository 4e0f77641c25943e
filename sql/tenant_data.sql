-- Tenant: all that is one tenant's, to take along or to erase. What a policy would hide is an error, not left out.

CREATE FUNCTION dbguard.tenant_export_plan(tenant text, schema text DEFAULT NULL)
  RETURNS TABLE (step int, "table" regclass, statement text, rows bigint)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'tenant_export_plan_wrapper';
COMMENT ON FUNCTION dbguard.tenant_export_plan(text, text) IS
  'For each table with rows of a tenant a COPY to be run by psql, tables that others refer to first: the guarded tables of a schema or all, and what refers to them';

CREATE FUNCTION dbguard.tenant_export(tenant text, schema text DEFAULT NULL)
  RETURNS TABLE (step int, "table" regclass, "row" jsonb)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'tenant_export_wrapper';
COMMENT ON FUNCTION dbguard.tenant_export(text, text) IS
  'All rows of a tenant, in the same order';

CREATE FUNCTION dbguard.tenant_erase_plan(tenant text, schema text DEFAULT NULL, audit text DEFAULT 'keep')
  RETURNS TABLE (step int, "table" regclass, action text, statement text, rows bigint)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'tenant_erase_plan_wrapper';
COMMENT ON FUNCTION dbguard.tenant_erase_plan(text, text, text) IS
  'What dbguard.tenant_erase would do, and to how many rows; changes nothing';

CREATE FUNCTION dbguard.tenant_erase(tenant text, schema text DEFAULT NULL, audit text DEFAULT 'keep')
  RETURNS TABLE (step int, "table" regclass, action text, statement text, rows bigint)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'tenant_erase_wrapper';
COMMENT ON FUNCTION dbguard.tenant_erase(text, text, text) IS
  'Really deletes all rows of a tenant from the guarded tables of a schema or all, and from what refers to them, and checks that none is left. audit: what becomes of its changes in the audit log, keep or redact. That it was done is an event of the log';
