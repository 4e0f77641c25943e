-- lint: answers for builds and for other programs.

CREATE FUNCTION dbguard._lint_verdict(fail_on text, baseline text, profile text, min_score real,
                                      schemas text[], rules text[])
  RETURNS TABLE (failed boolean, summary text, detail text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1 COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_verdict_wrapper';
COMMENT ON FUNCTION dbguard._lint_verdict(text, text, text, real, text[], text[]) IS
  'What dbguard.lint_check returns or raises';

-- in PL/pgSQL, which can raise an SQLSTATE of our own
CREATE FUNCTION dbguard.lint_check(fail_on text DEFAULT 'error', baseline text DEFAULT NULL,
                                   profile text DEFAULT NULL, min_score real DEFAULT NULL,
                                   schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL)
  RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  v record;
BEGIN
  SELECT * INTO v FROM dbguard._lint_verdict(fail_on, baseline, profile, min_score, schemas, rules);
  IF v.failed THEN
    RAISE EXCEPTION USING ERRCODE = 'DBG01', MESSAGE = 'lint: ' || v.summary, DETAIL = v.detail,
      HINT = 'SELECT * FROM dbguard.lint(); mends are in fix_sql, what is right as it is goes into dbguard.lint_ignore.';
  END IF;
  RETURN v.summary;
END
$$;
COMMENT ON FUNCTION dbguard.lint_check(text, text, text, real, text[], text[]) IS
  'Raises DBG01 if findings at least as severe as fail_on (error, warning, info, never) are open and not in the baseline, or the score is below min_score; else returns the counts. psql -v ON_ERROR_STOP=1 then exits with 3';

CREATE FUNCTION dbguard.lint_report(format text, source_map jsonb DEFAULT NULL, schemas text[] DEFAULT NULL,
                                    rules text[] DEFAULT NULL, profile text DEFAULT NULL,
                                    baseline text DEFAULT NULL)
  RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_report_wrapper';
COMMENT ON FUNCTION dbguard.lint_report(text, jsonb, text[], text[], text, text) IS
  'Findings as json, sarif, junit, tap, markdown, csv, github or gitlab; source_map says in which file and line objects are made';

CREATE FUNCTION dbguard.lint_fix_script(rules text[] DEFAULT NULL, mode text DEFAULT 'online',
                                        schemas text[] DEFAULT NULL, profile text DEFAULT NULL)
  RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  SET datestyle = 'ISO, YMD'
  SET timezone = 'UTC'
  SET quote_all_identifiers = off
  AS 'MODULE_PATHNAME', 'lint_fix_script_wrapper';
COMMENT ON FUNCTION dbguard.lint_fix_script(text[], text, text[], text) IS
  'All fixes as a script for psql, in a safe order and with what takes them back; online leaves out what blocks or changes data, all has everything. Nothing is run';

CREATE FUNCTION dbguard.lint_tap(schemas text[] DEFAULT NULL, rules text[] DEFAULT NULL, profile text DEFAULT NULL,
                                 baseline text DEFAULT NULL)
  RETURNS SETOF text
  LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000
  SET search_path = pg_catalog, pg_temp
  AS $$ SELECT pg_catalog.string_to_table(dbguard.lint_report('tap', NULL, schemas, rules, profile, baseline), E'\n') $$;
COMMENT ON FUNCTION dbguard.lint_tap(text[], text[], text, text) IS
  'The report tap, a row a line, as pgTAP gives its own results';
