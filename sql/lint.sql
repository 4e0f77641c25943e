-- Lint: what is wrong with a schema.
-- The settings are those that pg_get_expr and format_type follow, so that what rules read looks
-- the same whoever asks.

CREATE FUNCTION dbguard.lint(schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL, profile text DEFAULT NULL,
                             min_severity text DEFAULT 'info', baseline text DEFAULT NULL,
                             include_ignored boolean DEFAULT false, max_seconds real DEFAULT 30)
  RETURNS TABLE (severity text, code text, rule text, category text, object text, object_type text,
                 message text, fix_sql text, confidence float8, status text, fingerprint text,
                 objid oid, details jsonb)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100 COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_wrapper';
COMMENT ON FUNCTION dbguard.lint(text[], text[], text, text, text, boolean, real) IS
  'Findings about the schemas (all of yours by default) by the rules chosen: codes, names, categories, globs, a leading - leaves out; or by a profile: minimal, recommended, strict, ci, production';

CREATE FUNCTION dbguard.lint_table(relation regclass, rules text[] DEFAULT NULL, profile text DEFAULT NULL)
  RETURNS TABLE (severity text, code text, rule text, category text, object text, object_type text,
                 message text, fix_sql text, confidence float8, status text, fingerprint text,
                 objid oid, details jsonb)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10 COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_table_wrapper';
COMMENT ON FUNCTION dbguard.lint_table(regclass, text[], text) IS
  'Findings about one table or view and what is part of it; of a partition those of its parent too';

CREATE FUNCTION dbguard.lint_summary(group_by text DEFAULT 'rule', schemas text[] DEFAULT NULL,
                                     rules text[] DEFAULT NULL, profile text DEFAULT NULL)
  RETURNS TABLE (grouped text, errors bigint, warnings bigint, infos bigint, ignored bigint, skipped bigint,
                 objects bigint, with_fix bigint, title text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 30 COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_summary_wrapper';
COMMENT ON FUNCTION dbguard.lint_summary(text, text[], text[], text) IS
  'Findings counted by rule, category, schema, severity or object_type, the worst first';

CREATE FUNCTION dbguard.lint_score(schemas text[] DEFAULT NULL, profile text DEFAULT NULL)
  RETURNS TABLE (category text, score float8, grade text, errors integer, warnings integer,
                 infos integer, gain_rule text, gain float8)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10 COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_score_wrapper';
COMMENT ON FUNCTION dbguard.lint_score(text[], text) IS
  'The schema in numbers, 0 to 100, overall and by category, and the rule whose findings cost most';

CREATE FUNCTION dbguard.lint_explain(code text) RETURNS text
  LANGUAGE c STABLE PARALLEL RESTRICTED
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_explain_wrapper';
COMMENT ON FUNCTION dbguard.lint_explain(text) IS
  'A lint rule in words: what, why, a bad and a good example, how to mend it, how to silence it';

CREATE FUNCTION dbguard._lint_rules()
  RETURNS TABLE (code text, rule text, category text, severity text, title text, remedy text,
                 reads text[], recommended boolean, profiles text[], params jsonb, peers text, last_ms float8)
  LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 140
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'lint_list_rules_wrapper';
COMMENT ON FUNCTION dbguard._lint_rules() IS 'What the view dbguard.lint_rules shows';

CREATE VIEW dbguard.lint_rules AS SELECT * FROM dbguard._lint_rules();
COMMENT ON VIEW dbguard.lint_rules IS 'The lint rules this version has, and those registered';
GRANT SELECT ON dbguard.lint_rules TO PUBLIC;
