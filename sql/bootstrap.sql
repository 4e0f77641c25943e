\echo Use "CREATE EXTENSION dbguard" to load this file. \quit

DO $$
BEGIN
  IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8' THEN
    RAISE EXCEPTION 'dbguard needs a database with encoding UTF8'
      USING ERRCODE = 'feature_not_supported',
            DETAIL = pg_catalog.format('This one has %s.', pg_catalog.current_setting('server_encoding')),
            HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
  END IF;
END
$$;

-- Plain CREATE: a schema of this name that is already there, made by somebody else, must stop us.
CREATE SCHEMA dbguard;
COMMENT ON SCHEMA dbguard IS 'dbguard: audit trail, lifecycle columns, tenants, time partitions, lint';
GRANT USAGE ON SCHEMA dbguard TO PUBLIC;

CREATE FUNCTION dbguard.version() RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'version_wrapper';
COMMENT ON FUNCTION dbguard.version() IS 'The version of the dbguard library that is loaded';
