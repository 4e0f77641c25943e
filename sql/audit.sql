-- Audit: functions and triggers. The log itself is made at the first audit_enable (src/audit/log.sql).

CREATE FUNCTION dbguard.audit_row() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'audit_row_wrapper';
COMMENT ON FUNCTION dbguard.audit_row() IS 'The audit trigger of a table''s rows; audit_enable attaches it';
-- Whoever could attach it could write evidence about a table of his own making.
REVOKE ALL ON FUNCTION dbguard.audit_row() FROM PUBLIC;

CREATE FUNCTION dbguard.audit_truncate() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'audit_truncate_wrapper';
COMMENT ON FUNCTION dbguard.audit_truncate() IS 'The audit trigger of TRUNCATE; audit_enable attaches it';
REVOKE ALL ON FUNCTION dbguard.audit_truncate() FROM PUBLIC;

CREATE OPERATOR CLASS dbguard.xid8_minmax_ops FOR TYPE pg_catalog.xid8 USING brin AS
  OPERATOR 1 pg_catalog.< (pg_catalog.xid8, pg_catalog.xid8),
  OPERATOR 2 pg_catalog.<= (pg_catalog.xid8, pg_catalog.xid8),
  OPERATOR 3 pg_catalog.= (pg_catalog.xid8, pg_catalog.xid8),
  OPERATOR 4 pg_catalog.>= (pg_catalog.xid8, pg_catalog.xid8),
  OPERATOR 5 pg_catalog.> (pg_catalog.xid8, pg_catalog.xid8),
  FUNCTION 1 pg_catalog.brin_minmax_opcinfo(internal),
  FUNCTION 2 pg_catalog.brin_minmax_add_value(internal, internal, internal, internal),
  FUNCTION 3 pg_catalog.brin_minmax_consistent(internal, internal, internal),
  FUNCTION 4 pg_catalog.brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS dbguard.xid8_minmax_ops USING brin IS 'Lets a BRIN index of the log find a transaction';
COMMENT ON OPERATOR FAMILY dbguard.xid8_minmax_ops USING brin IS 'Lets a BRIN index of the log find a transaction';

CREATE FUNCTION dbguard._audit_unpack(data bytea, changes integer, lowest_key text, highest_key text)
  RETURNS TABLE (number integer, op "char", key text, old_key text, old jsonb, new jsonb)
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 100
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_unpack_wrapper';
COMMENT ON FUNCTION dbguard._audit_unpack(bytea, integer, text, text) IS
  'The changes in a pack of the log; one of op X when the pack is damaged';

CREATE FUNCTION dbguard._audit_key_order(key text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_key_order_wrapper';
COMMENT ON FUNCTION dbguard._audit_key_order(text) IS
  'What the bounds of a pack are compared by: whole numbers sort by value, other keys by their first bytes';

CREATE FUNCTION dbguard.audit_enable(
  relation regclass,
  capture text DEFAULT NULL,
  exclude text[] DEFAULT NULL,
  redact text[] DEFAULT NULL,
  operations text[] DEFAULT NULL,
  tenant text DEFAULT NULL,
  redact_with text DEFAULT NULL,
  bulk text DEFAULT NULL,
  always boolean DEFAULT NULL)
  RETURNS TABLE ("table" regclass, action text, state text, captures text, statements text[], excludes text[],
                 redacts text[], redacts_with text, tenant_column text, keeps text, key_columns text[])
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_enable_wrapper';
COMMENT ON FUNCTION dbguard.audit_enable(regclass, text, text[], text[], text[], text, text, text, boolean) IS
  'Audits a table from now on. capture: changed (default) or full; exclude: columns never logged; redact: columns whose value is never logged, redact_with: mask (default) or hash; operations: of INSERT, UPDATE, DELETE, TRUNCATE; tenant: the column that says whose row it is; bulk: rows (default) or pack; always: on replicas, too. Called again, changes the options that are given';

CREATE FUNCTION dbguard.audit_disable(relation regclass) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_disable_wrapper';
COMMENT ON FUNCTION dbguard.audit_disable(regclass) IS
  'Audits a table no longer; what is logged stays. True if it was audited';

CREATE FUNCTION dbguard.audit_status()
  RETURNS TABLE ("table" regclass, state text, captures text, statements text[], excludes text[], redacts text[],
                 redacts_with text, tenant_column text, keeps text, key_columns text[], problem text, note text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_status_wrapper';
COMMENT ON FUNCTION dbguard.audit_status() IS
  'Audited tables, how, what is wrong with their audit, and what is worth knowing; tables of the log when something is wrong with it';

CREATE FUNCTION dbguard._audit_key(relation regclass, key text) RETURNS text
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_key_wrapper';
COMMENT ON FUNCTION dbguard._audit_key(regclass, text) IS
  'A row''s key as the log holds it, from the text a user gave; NULL for a table without primary key';

CREATE FUNCTION dbguard._audit_require_row(relation regclass, key text) RETURNS void
  LANGUAGE c STABLE STRICT
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_require_row_wrapper';
COMMENT ON FUNCTION dbguard._audit_require_row(regclass, text) IS
  'Raises an error unless the table has a row with this key';

CREATE FUNCTION dbguard.audit_history(relation regclass, key text)
  RETURNS TABLE (id bigint, at timestamptz, op text, actor text, user_name text, old jsonb, new jsonb,
                 xact xid8, tenant text, application_name text, client_addr inet, context jsonb)
  LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  wanted text COLLATE "C" := dbguard._audit_key(audit_history.relation, audit_history.key);
  schema_of name;
  name_of name;
BEGIN
  IF to_regclass('dbguard.audit_log') IS NULL THEN
    RAISE EXCEPTION 'there is no audit log yet'
      USING ERRCODE = '55000', HINT = 'Enable audit on a table first: SELECT dbguard.audit_enable(''...'').';
  END IF;
  SELECT n.nspname, c.relname INTO schema_of, name_of
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = audit_history.relation;

  IF wanted IS NULL THEN
    -- no primary key: the changes whose row, before or after, holds the given values
    RETURN QUERY
      SELECT l.id, l.at, l.op, l.actor, l.current_user_name, l.old, l.new,
             l.xact, l.tenant, l.application_name, l.client_addr, l.context
      FROM dbguard.audit_log l
      WHERE l.schema_name = schema_of AND l.table_name = name_of
        AND (l.old @> audit_history.key::jsonb OR l.new @> audit_history.key::jsonb)
      ORDER BY l.id;
    RETURN;
  END IF;

  RETURN QUERY
    -- the key, and before each change of key the one it had until then
    WITH RECURSIVE names(name, until) AS (
      SELECT wanted COLLATE "C", 9223372036854775807
      UNION ALL
      SELECT earlier.old_key, earlier.id
      FROM names CROSS JOIN LATERAL (
        SELECT l.old_key, l.id
        FROM dbguard.audit_log l
        WHERE l.schema_name = schema_of AND l.table_name = name_of
          AND l.key = names.name AND l.id < names.until AND l.old_key IS NOT NULL
        ORDER BY l.id DESC LIMIT 1) earlier
    ), found AS (
      SELECT l.id
      FROM names JOIN dbguard.audit_log l ON l.key = names.name AND l.id < names.until
      WHERE l.schema_name = schema_of AND l.table_name = name_of
      UNION
      SELECT l.id
      FROM dbguard.audit_log l
      WHERE l.schema_name = schema_of AND l.table_name = name_of AND l.old_key = wanted
    )
    SELECT l.id, l.at, l.op, l.actor, l.current_user_name, l.old, l.new,
           l.xact, l.tenant, l.application_name, l.client_addr, l.context
    FROM found JOIN dbguard.audit_log l USING (id)
    ORDER BY l.id;
  IF NOT FOUND THEN
    PERFORM dbguard._audit_require_row(audit_history.relation, audit_history.key);
  END IF;
END
$$;
COMMENT ON FUNCTION dbguard.audit_history(regclass, text) IS
  'The life of one row, newest last. key: the primary key as text, or a JSON object when it has several columns';

CREATE FUNCTION dbguard._audit_follow_columns() RETURNS event_trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_follow_columns_wrapper';
COMMENT ON FUNCTION dbguard._audit_follow_columns() IS
  'Keeps a table''s excluded and redacted columns right when they are renamed or dropped, and its history when it is';

CREATE EVENT TRIGGER dbguard_audit_follow_columns ON ddl_command_end
  WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER TYPE', 'ALTER SCHEMA', 'CREATE TRIGGER',
               'DROP DOMAIN', 'DROP TYPE', 'DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
  EXECUTE FUNCTION dbguard._audit_follow_columns();
-- under session_replication_role = replica, too
ALTER EVENT TRIGGER dbguard_audit_follow_columns ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER dbguard_audit_follow_columns IS
  'dbguard: a redacted column stays redacted under its new name, a table keeps its history';
