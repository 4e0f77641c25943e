-- lint: rules of the user's own. Whoever may write this table decides what lint asks; everybody may read it.

CREATE TABLE dbguard.lint_registered (
  code text PRIMARY KEY CHECK (code ~ '^[A-Z][A-Z0-9_]{2,31}$'),
  schema_name name NOT NULL,
  view_name name NOT NULL,
  title text NOT NULL CHECK (title <> ''),
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
  category text NOT NULL,
  why text NOT NULL,
  remedy text NOT NULL,
  author name NOT NULL DEFAULT SESSION_USER,
  registered_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  UNIQUE (view_name)
);
COMMENT ON TABLE dbguard.lint_registered IS 'Rules of your own: views whose rows are findings; change it with dbguard.lint_register';
COMMENT ON COLUMN dbguard.lint_registered.code IS 'For example ACME001';
COMMENT ON COLUMN dbguard.lint_registered.schema_name IS 'Where the view is';
COMMENT ON COLUMN dbguard.lint_registered.view_name IS 'The view, and the name of the rule';
COMMENT ON COLUMN dbguard.lint_registered.title IS 'What is wrong, in a line';
COMMENT ON COLUMN dbguard.lint_registered.severity IS 'Of its findings, unless the view says one';
COMMENT ON COLUMN dbguard.lint_registered.category IS 'One of dbguard''s, or own';
COMMENT ON COLUMN dbguard.lint_registered.why IS 'What it leads to';
COMMENT ON COLUMN dbguard.lint_registered.remedy IS 'How to mend it';
COMMENT ON COLUMN dbguard.lint_registered.author IS 'Who registered it';
COMMENT ON COLUMN dbguard.lint_registered.registered_at IS 'When';
GRANT SELECT ON dbguard.lint_registered TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.lint_registered', '');

CREATE FUNCTION dbguard.lint_register(code text, view regclass, title text DEFAULT NULL, severity text DEFAULT 'warning',
                                      category text DEFAULT 'own', why text DEFAULT '', remedy text DEFAULT '')
  RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_register_wrapper';
COMMENT ON FUNCTION dbguard.lint_register(text, regclass, text, text, text, text, text) IS
  'Makes a view a rule: its columns relation (regclass), attribute, function (regprocedure), message, severity, fix_sql, key and confidence, each if it has it, are findings. Returns how many there are now';

CREATE FUNCTION dbguard.lint_unregister(code text) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_unregister_wrapper';
COMMENT ON FUNCTION dbguard.lint_unregister(text) IS
  'Takes back a rule that dbguard.lint_register made; the view stays. Returns whether there was one';
