-- Audit: evidence. Seals, their check, redaction, and the guard of the log's tables.

CREATE FUNCTION dbguard._audit_guard() RETURNS trigger
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_guard_wrapper';
COMMENT ON FUNCTION dbguard._audit_guard() IS 'The trigger that keeps what is in the audit log from being changed';

-- No SET clause: called for every record, and runs no SQL.
CREATE FUNCTION dbguard._audit_digest(VARIADIC fields text[]) RETURNS bytea
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'audit_digest_wrapper';
COMMENT ON FUNCTION dbguard._audit_digest(text[]) IS 'The digest of a record with these fields: the first 16 bytes of their SHA-256';

CREATE FUNCTION dbguard._audit_redacted(image jsonb, columns text[]) RETURNS jsonb
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(
      jsonb_object_agg(e.key, CASE WHEN e.key = ANY (columns) AND e.value <> 'null' THEN '"[redacted]"' ELSE e.value END),
      '{}')
    FROM jsonb_each(image) e;
  END;
COMMENT ON FUNCTION dbguard._audit_redacted(jsonb, text[]) IS 'A row''s image with the values of these columns erased';

CREATE FUNCTION dbguard._audit_redactable(old jsonb, new jsonb, columns text[]) RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT e.key ORDER BY e.key), '{}')
    FROM (SELECT o.key, o.value FROM jsonb_each(old) o UNION ALL SELECT n.key, n.value FROM jsonb_each(new) n) e
    WHERE e.key = ANY (columns) AND e.value NOT IN ('null', '"[redacted]"');
  END;
COMMENT ON FUNCTION dbguard._audit_redactable(jsonb, jsonb, text[]) IS 'Which of these columns have a value in a change that can be erased';

CREATE FUNCTION dbguard.audit_seal()
  RETURNS TABLE (seal bigint, changes bigint, sealed_at timestamptz, hash text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'audit_seal_wrapper';
COMMENT ON FUNCTION dbguard.audit_seal() IS
  'Seals what ended transactions wrote into the log since the last seal; no row when there is nothing new';
REVOKE EXECUTE ON FUNCTION dbguard.audit_seal() FROM PUBLIC;

CREATE FUNCTION dbguard.audit_seal_export() RETURNS jsonb
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'audit_seal_export_wrapper';
COMMENT ON FUNCTION dbguard.audit_seal_export() IS
  'The last seal, to be kept outside and given to dbguard.audit_verify later; NULL before the first';

CREATE FUNCTION dbguard.audit_verify(since_seal bigint DEFAULT NULL, head jsonb DEFAULT NULL)
  RETURNS TABLE (seal bigint, state text, changes bigint, problem text, id bigint, "table" text, key text, at timestamptz)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'audit_verify_wrapper';
COMMENT ON FUNCTION dbguard.audit_verify(bigint, jsonb) IS
  'Compares the log with its seals: a row a seal, a row of state problem for everything that is not as it was sealed, and one for what is not sealed yet. head: what audit_seal_export gave';

CREATE FUNCTION dbguard.audit_redact(relation regclass, key text, columns text[], reason text, dry_run boolean DEFAULT false)
  RETURNS TABLE (id bigint, at timestamptz, op text, "table" text, row_key text, redacted text[])
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  SET row_security = off
  AS 'MODULE_PATHNAME', 'audit_redact_wrapper';
COMMENT ON FUNCTION dbguard.audit_redact(regclass, text, text[], text, boolean) IS
  'Erases the values of columns from the history of one row; returns the changes it rewrote, or with dry_run would';
REVOKE EXECUTE ON FUNCTION dbguard.audit_redact(regclass, text, text[], text, boolean) FROM PUBLIC;
