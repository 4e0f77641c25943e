-- Undoing what the audit log shows.

CREATE FUNCTION dbguard.audit_revert_plan(
  xact xid8 DEFAULT NULL,
  statement timestamptz DEFAULT NULL,
  relation regclass DEFAULT NULL,
  key text DEFAULT NULL,
  actor text DEFAULT NULL,
  tenant text DEFAULT NULL,
  since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL,
  on_conflict text DEFAULT 'error')
  RETURNS TABLE (step integer, schema_name text, table_name text, key text, action text, set_to jsonb,
                 undoes bigint[], conflict text, note text, sql text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_revert_plan_wrapper';
COMMENT ON FUNCTION dbguard.audit_revert_plan(xid8, timestamptz, regclass, text, text, text, timestamptz, timestamptz, text) IS
  'What audit_revert would do with the same arguments, and what stands in its way. Changes nothing';

-- Not pinned from outside: the triggers it fires run under the caller's search_path. It pins its own work.
CREATE FUNCTION dbguard.audit_revert(
  xact xid8 DEFAULT NULL,
  statement timestamptz DEFAULT NULL,
  relation regclass DEFAULT NULL,
  key text DEFAULT NULL,
  actor text DEFAULT NULL,
  tenant text DEFAULT NULL,
  since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL,
  on_conflict text DEFAULT 'error')
  RETURNS TABLE (step integer, schema_name text, table_name text, key text, action text, set_to jsonb,
                 undoes bigint[], conflict text, note text, sql text)
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'audit_revert_wrapper';
COMMENT ON FUNCTION dbguard.audit_revert(xid8, timestamptz, regclass, text, text, text, timestamptz, timestamptz, text) IS
  'Undoes audited changes: of a transaction or one statement of it (xact, statement), a row (relation, key), an actor, a tenant, a time. on_conflict: error (default: all or nothing), skip (leave conflicting rows alone), force (set the old values anyway)';
