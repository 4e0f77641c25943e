-- lint: what users chose. Whoever may write these tables may choose; everybody may read them.

CREATE TABLE dbguard.lint_config (
  rule text NOT NULL,
  schemas text NOT NULL,
  enabled boolean,
  severity text CHECK (severity IN ('info', 'warning', 'error')),
  params jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(params) = 'object'),
  author name NOT NULL DEFAULT SESSION_USER,
  changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (rule, schemas)
);
COMMENT ON TABLE dbguard.lint_config IS 'What was chosen about lint rules; change it with dbguard.lint_configure';
COMMENT ON COLUMN dbguard.lint_config.rule IS 'A code, a category, a glob over codes, or score or allow_blanket_ignore';
COMMENT ON COLUMN dbguard.lint_config.schemas IS 'A glob over the names of the schemas it is for; * for all';
COMMENT ON COLUMN dbguard.lint_config.enabled IS 'Whether the rules run; NULL: as the profile says';
COMMENT ON COLUMN dbguard.lint_config.severity IS 'The severity of their findings; NULL: their own';
COMMENT ON COLUMN dbguard.lint_config.params IS 'Numbers of the rules, by name';
COMMENT ON COLUMN dbguard.lint_config.author IS 'Who chose';
COMMENT ON COLUMN dbguard.lint_config.changed_at IS 'When';
GRANT SELECT ON dbguard.lint_config TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.lint_config', '');

CREATE FUNCTION dbguard.lint_configure(rule text, enabled boolean DEFAULT NULL, severity text DEFAULT NULL,
                                       params jsonb DEFAULT NULL, schema_pattern text DEFAULT '*')
  RETURNS TABLE (rule_chosen text, schemas text, enabled_now boolean, severity_now text, params_now jsonb)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_configure_wrapper';
COMMENT ON FUNCTION dbguard.lint_configure(text, boolean, text, jsonb, text) IS
  'Switches rules (code, name, category, glob) on or off, changes their severity or numbers, for all schemas or those that match; what is not given stays; with nothing given the choice is taken back';

CREATE TABLE dbguard.lint_ignored (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule text NOT NULL,
  object_pattern text NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  expires date NOT NULL,
  author name NOT NULL DEFAULT SESSION_USER,
  made_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  ended_at timestamptz,
  ended_by name
);
CREATE UNIQUE INDEX lint_ignored_holding ON dbguard.lint_ignored (rule, object_pattern) WHERE ended_at IS NULL;
COMMENT ON INDEX dbguard.lint_ignored_holding IS 'What is ignored once is not ignored twice';
COMMENT ON TABLE dbguard.lint_ignored IS 'Findings of lint that somebody chose to live with, with all that ever were; change it with dbguard.lint_ignore and lint_unignore';
COMMENT ON COLUMN dbguard.lint_ignored.rule IS 'A code, a category or a glob over codes';
COMMENT ON COLUMN dbguard.lint_ignored.object_pattern IS 'A glob over objects as dbguard.lint() shows them; one that matches a table is for all that is part of it';
COMMENT ON COLUMN dbguard.lint_ignored.reason IS 'Why';
COMMENT ON COLUMN dbguard.lint_ignored.expires IS 'The last day it holds';
COMMENT ON COLUMN dbguard.lint_ignored.author IS 'Who chose so';
COMMENT ON COLUMN dbguard.lint_ignored.made_at IS 'When';
COMMENT ON COLUMN dbguard.lint_ignored.ended_at IS 'When somebody took it back or said it anew; NULL: it holds';
COMMENT ON COLUMN dbguard.lint_ignored.ended_by IS 'Who';
GRANT SELECT ON dbguard.lint_ignored TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.lint_ignored', '');
SELECT pg_catalog.pg_extension_config_dump('dbguard.lint_ignored_id_seq', '');
COMMENT ON SEQUENCE dbguard.lint_ignored_id_seq IS 'Numbers of dbguard.lint_ignored';

CREATE FUNCTION dbguard.lint_ignore(rule text, object_pattern text, reason text, expires date DEFAULT NULL)
  RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_ignore_wrapper';
COMMENT ON FUNCTION dbguard.lint_ignore(text, text, text, date) IS
  'Ignores what a rule says of the objects that match, for a reason and until a day (180 days by default, dbguard.lint_ignore_days; infinity for ever). Returns its number';

CREATE FUNCTION dbguard.lint_unignore(rule text, object_pattern text) RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_unignore_wrapper';
COMMENT ON FUNCTION dbguard.lint_unignore(text, text) IS
  'Takes back what dbguard.lint_ignore was told with the same rule and pattern; the record stays. Returns how many';

CREATE TABLE dbguard.lint_baseline (
  name text PRIMARY KEY,
  findings jsonb NOT NULL,
  author name NOT NULL DEFAULT SESSION_USER,
  saved_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE dbguard.lint_baseline IS 'What lint found at one time, so that only what is new counts; change it with dbguard.lint_baseline_save';
COMMENT ON COLUMN dbguard.lint_baseline.name IS 'For example main';
COMMENT ON COLUMN dbguard.lint_baseline.findings IS 'As dbguard.lint_baseline_export gives it';
COMMENT ON COLUMN dbguard.lint_baseline.author IS 'Who saved it';
COMMENT ON COLUMN dbguard.lint_baseline.saved_at IS 'When';
GRANT SELECT ON dbguard.lint_baseline TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dbguard.lint_baseline', '');

CREATE FUNCTION dbguard.lint_baseline_save(name text DEFAULT 'main', schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL,
                                    profile text DEFAULT NULL)
  RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_baseline_save_wrapper';
COMMENT ON FUNCTION dbguard.lint_baseline_save(text, text[], text[], text) IS
  'Keeps what is open now under a name, in place of what was there. Returns how many findings';

CREATE FUNCTION dbguard.lint_baseline_diff(name text DEFAULT 'main', schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL,
                                    profile text DEFAULT NULL)
  RETURNS TABLE (change text, severity text, code text, object text, message text, fingerprint text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_baseline_diff_wrapper';
COMMENT ON FUNCTION dbguard.lint_baseline_diff(text, text[], text[], text) IS
  'What is new since a baseline was saved, what was fixed, and what was not checked this time';

CREATE FUNCTION dbguard.lint_baseline_prune(name text DEFAULT 'main', schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL,
                                    profile text DEFAULT NULL)
  RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_baseline_prune_wrapper';
COMMENT ON FUNCTION dbguard.lint_baseline_prune(text, text[], text[], text) IS
  'Takes out of a baseline what was fixed since. Returns how many findings';

CREATE FUNCTION dbguard.lint_baseline_export(name text DEFAULT 'main')
  RETURNS jsonb
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_baseline_export_wrapper';
COMMENT ON FUNCTION dbguard.lint_baseline_export(text) IS
  'A baseline as JSON, for a file beside the migrations';

CREATE FUNCTION dbguard.lint_baseline_import(name text, findings jsonb)
  RETURNS integer
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_baseline_import_wrapper';
COMMENT ON FUNCTION dbguard.lint_baseline_import(text, jsonb) IS
  'Keeps an exported baseline under a name. Returns how many findings';
