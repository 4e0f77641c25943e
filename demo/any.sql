-- dbguard on a database it has never seen. Prints what it did; fails if one change is missing in the audit log.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null ''
SET client_min_messages = error;
SET timezone = 'UTC';
SET dbguard.actor = 'ada@example.com';

\echo
\echo '== Lint'
SELECT clock_timestamp() AS started \gset
CREATE TEMP TABLE finding AS SELECT * FROM dbguard.lint();
SELECT count(*) AS findings, round(extract(epoch FROM clock_timestamp() - :'started')::numeric * 1000) AS ms FROM finding \gset
\echo :findings findings in :ms ms
SELECT category, score, grade, errors, warnings, infos, gain_rule AS "costs most", gain AS "by" FROM dbguard.lint_score();
\echo 'The twelve rules that find most, worst first:'
SELECT severity, code, count(*) AS times, left((array_agg(replace(message, 'public.', '') ORDER BY object))[1], 90) AS "the first"
FROM finding WHERE status = 'open' GROUP BY severity, code ORDER BY array_position('{error,warning,info}', severity), 3 DESC, 2 LIMIT 12;

\echo '== Audit: every table, real changes'
CREATE TEMP TABLE tab AS            -- "rel" as an oid, so that the tables made here are not among them
SELECT c.oid AS rel, c.oid::regclass::text AS name, 0::bigint AS rows, NULL::text AS note
FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'dbguard')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
SELECT dbguard.audit_enable(rel::regclass) FROM tab \g /dev/null
SELECT coalesce(max(id), 0) AS before FROM dbguard.audit_log \gset

-- What we try on each table: one statement at a time, until one is accepted. Each tells how many rows it touched,
-- and how many of them are different now: a trigger may put the old value back, and then there is nothing to audit.
CREATE TEMP VIEW col AS
SELECT a.attrelid AS rel, a.attnum, quote_ident(a.attname) AS col, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated,
       format_type(a.atttypid, a.atttypmod) AS type, b.typname AS base, b.typcategory AS cat, b.typtype AS kind,
       CASE WHEN b.typname IN ('varchar', 'bpchar') THEN coalesce(nullif(greatest(a.atttypmod, t.typtypmod), -1) - 4, 1000) ELSE 1000 END AS width,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS in_key,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype IN ('f', 'x') AND a.attnum = ANY (k.conkey)) AS in_fk,
       EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = a.attrelid AND (a.attnum = ANY (p.partattrs) OR 0 = ANY (p.partattrs))) AS in_bounds,
       (SELECT min(pg_get_constraintdef(k.oid)) FROM pg_constraint k
        WHERE k.contype = 'c' AND (k.contypid = a.atttypid OR k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey))) AS chk
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT rel FROM tab);

CREATE FUNCTION pg_temp.updates(r oid) RETURNS TABLE (label text, sql text) LANGUAGE sql AS $$
  SELECT col, format('WITH done AS (UPDATE %1$s dbg SET %2$s = (%3$s)::%4$s
      FROM (SELECT tableoid AS dbg_part, ctid AS dbg_place, dbg_w::text AS dbg_was FROM %1$s dbg_w
            WHERE %2$s IS NOT NULL AND ((%3$s)::%4$s)::text IS DISTINCT FROM %2$s::text LIMIT 3) dbg_w
      WHERE dbg.tableoid = dbg_part AND dbg.ctid = dbg_place RETURNING dbg::text IS DISTINCT FROM dbg_was AS changed)
    SELECT count(*), count(*) FILTER (WHERE changed) FROM done', r::regclass, col, e, type)
  FROM (SELECT *, CASE
      WHEN kind = 'e' THEN format('CASE %1$s WHEN enum_first(%1$s) THEN enum_last(%1$s) ELSE enum_first(%1$s) END', col)
      WHEN base IN ('text', 'varchar', 'bpchar') THEN format(
        'CASE WHEN upper(%1$s) <> %1$s THEN upper(%1$s) WHEN lower(%1$s) <> %1$s THEN lower(%1$s)
              WHEN length(%1$s) < %2$s THEN %1$s || ''x'' ELSE left(%1$s, -1) || ''x'' END', col, width)
      WHEN base = 'money' THEN format('%s + ''1''::money', col)
      WHEN cat = 'N' THEN format('CASE WHEN %1$s > 1 THEN %1$s - 1 ELSE %1$s + 1 END', col)
      WHEN cat = 'B' THEN format('NOT %s', col)
      WHEN base IN ('date', 'timestamp', 'timestamptz', 'interval') THEN format('%s + interval ''1 day''', col)
      WHEN base IN ('time', 'timetz') THEN format('%s + interval ''1 hour''', col)
      WHEN base = 'uuid' THEN 'gen_random_uuid()'
      WHEN base IN ('json', 'jsonb') THEN format('jsonb_build_object(''was'', %s)', col)
      WHEN base = 'bytea' THEN format('%s || ''\x00''', col)
      WHEN cat = 'A' THEN format('%1$s || %1$s', col) END AS e
    FROM col WHERE rel = r) c
  WHERE e IS NOT NULL AND attgenerated = '' AND attidentity = '' AND NOT in_key AND NOT in_fk AND NOT in_bounds
  ORDER BY chk IS NOT NULL, col ~ 'id"?$', array_position('{S,N,E,B,D}', cat::text), attnum $$;

-- The row changed last, deleted and put back in one statement; not where a foreign key forbids it or takes other rows along.
CREATE FUNCTION pg_temp.put_back(r oid) RETURNS text LANGUAGE sql AS $$
  SELECT format('WITH gone AS (DELETE FROM %1$s WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM %1$s ORDER BY age(xmin) LIMIT 1) RETURNING *),
    back AS (INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM gone RETURNING 1)
    SELECT count(*), count(*) FROM back', r::regclass, string_agg(col, ', ' ORDER BY attnum))
  FROM col WHERE rel = r AND attgenerated = ''
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE confrelid = r AND contype = 'f' AND confdeltype <> 'a')
  HAVING count(*) > 0 $$;

-- A made-up row for an empty table: foreign keys from rows that exist, the rest by type, or as a CHECK says.
CREATE FUNCTION pg_temp.made_up(r oid) RETURNS text LANGUAGE sql AS $$
  WITH f AS (SELECT conname, confrelid, conkey, confkey, row_number() OVER (ORDER BY cardinality(conkey) DESC, oid) AS n
             FROM pg_constraint WHERE conrelid = r AND contype = 'f' AND confrelid <> r
               AND EXISTS (SELECT FROM col WHERE rel = r AND attnum = ANY (conkey) AND attnotnull)),
  v AS (SELECT col, attnum, coalesce(
      (SELECT format('f%s.%I', n, attname) FROM f JOIN pg_attribute p ON p.attrelid = confrelid AND p.attnum = confkey[array_position(conkey, col.attnum)]
       ORDER BY n LIMIT 1),
      CASE WHEN kind = 'e' THEN (SELECT quote_literal(min(enumlabel)) FROM pg_enum JOIN pg_type y ON y.oid = enumtypid WHERE y.typname = base)
      WHEN base IN ('text', 'varchar', 'bpchar', 'name') THEN quote_literal(left(coalesce(substring(chk FROM '''([^'']*)'''), 'made up'), width))
      WHEN cat = 'N' THEN '1' WHEN cat = 'B' THEN 'true' WHEN cat = 'A' THEN '''{}''' WHEN base = 'uuid' THEN 'gen_random_uuid()'
      WHEN base IN ('json', 'jsonb') THEN '''{}''' WHEN base = 'xml' THEN '''<a/>''' WHEN base = 'interval' THEN '''1 hour'''
      WHEN base IN ('time', 'timetz') THEN '''10:00''' WHEN cat = 'D' THEN quote_literal(coalesce(substring(chk FROM '\d{4}-\d\d-\d\d'), '2020-01-01'))
      ELSE '''''' END) || '::' || type AS val
    FROM col WHERE rel = r AND attgenerated = '' AND attidentity = '' AND attnotnull AND (NOT atthasdef OR chk IS NOT NULL))
  SELECT format('WITH done AS (INSERT INTO %s %s SELECT %s FROM (SELECT) one %s RETURNING 1) SELECT count(*), count(*) FROM done',
    r::regclass, coalesce('(' || string_agg(col, ', ' ORDER BY attnum) || ')', ''),
    string_agg(val, ', ' ORDER BY attnum),
    (SELECT string_agg(format(', (SELECT * FROM %s LIMIT 1) f%s', confrelid::regclass, n), '' ORDER BY n) FROM f)) FROM v $$;

-- The witness: what the server itself counted as inserted, updated and deleted in this transaction. It knows of rows
-- that cascades and the tables' own triggers change too.
CREATE TEMP VIEW counted AS
SELECT coalesce(pg_partition_root(c.oid), c.oid)::oid AS rel, sum(pg_stat_get_xact_tuples_inserted(c.oid)) AS ins,
       sum(pg_stat_get_xact_tuples_updated(c.oid)) AS upd, sum(pg_stat_get_xact_tuples_deleted(c.oid)) AS del
FROM pg_class c WHERE c.relkind = 'r' AND coalesce(pg_partition_root(c.oid), c.oid) IN (SELECT rel FROM tab) GROUP BY 1;
CREATE TEMP TABLE made AS TABLE counted WITH NO DATA;

-- One attempt; whatever refuses it (a CHECK, a trigger) undoes it and is told.
CREATE FUNCTION pg_temp.attempt(sql text, OUT done bigint, OUT reason text) LANGUAGE plpgsql AS $$
DECLARE changed bigint;
BEGIN
  CREATE TEMP TABLE before AS TABLE counted;
  EXECUTE sql INTO done, changed;
  IF changed < done THEN RAISE EXCEPTION 'a trigger puts the old value back'; END IF;
  SET CONSTRAINTS ALL IMMEDIATE;
  INSERT INTO made SELECT rel, c.ins - b.ins, c.upd - b.upd, c.del - b.del FROM counted c JOIN before b USING (rel);
  DROP TABLE before;
EXCEPTION WHEN OTHERS THEN
  done := 0; reason := SQLERRM;
END $$;

DO $$
DECLARE r record; u record; a record; again boolean := true; why text;
BEGIN
  FOR r IN TABLE tab LOOP
    EXECUTE format('SELECT count(*) FROM %s', r.rel::regclass) INTO a;
    UPDATE tab SET rows = a.count WHERE rel = r.rel;
  END LOOP;
  WHILE again LOOP                    -- rows that others refer to come first, so go round until nothing is added
    again := false;
    FOR r IN SELECT * FROM tab WHERE rows = 0 LOOP
      SELECT * INTO a FROM pg_temp.attempt(pg_temp.made_up(r.rel));
      UPDATE tab SET rows = a.done, note = coalesce(a.reason, CASE a.done WHEN 0 THEN 'refers to an empty table' ELSE 'was empty' END) WHERE rel = r.rel;
      again := again OR a.done > 0;
      COMMIT;
    END LOOP;
  END LOOP;
  FOR r IN SELECT * FROM tab WHERE rows > 0 LOOP
    why := NULL;
    FOR u IN SELECT * FROM pg_temp.updates(r.rel) LOOP
      SELECT * INTO a FROM pg_temp.attempt(u.sql);
      IF a.done > 0 THEN why := u.label; EXIT; END IF;
      why := coalesce(a.reason, why);
    END LOOP;
    COMMIT;
    SELECT * INTO a FROM pg_temp.attempt(pg_temp.put_back(r.rel)) WHERE pg_temp.put_back(r.rel) IS NOT NULL;
    UPDATE tab SET note = concat_ws('; ', note, coalesce(why, 'nothing to update'), a.reason) WHERE rel = r.rel;
    COMMIT;
  END LOOP;
END $$;

CREATE TEMP TABLE outcome AS
SELECT t.rel, t.name, t.rows, coalesce(m.ins, 0) AS ins, coalesce(m.upd, 0) AS upd, coalesce(m.del, 0) AS del, coalesce(l.audited, 0) AS audited, t.note
FROM tab t
LEFT JOIN (SELECT rel, sum(ins) AS ins, sum(upd) AS upd, sum(del) AS del FROM made GROUP BY 1) m USING (rel)
LEFT JOIN (SELECT coalesce(pg_partition_root(o), o)::oid AS rel, count(*) AS audited
           FROM dbguard.audit_log, to_regclass(format('%I.%I', schema_name, table_name)) o WHERE id > :before GROUP BY 1) l USING (rel);
SELECT left(name, 40) AS table, rows, ins, upd, del, audited, left(note, 40) AS "column changed"
FROM outcome WHERE ins + upd + del + audited > 0 ORDER BY rows DESC, name LIMIT 25;
SELECT left(name, 40) AS "not changed", rows, left(note, 70) AS reason
FROM outcome WHERE ins + upd + del + audited = 0 ORDER BY rows DESC, name LIMIT 25;
SELECT count(*) AS tables, count(*) FILTER (WHERE ins + upd + del > 0) AS changed, sum(ins + upd + del) AS "rows changed",
       sum(audited) AS audited, count(*) FILTER (WHERE ins + upd + del <> audited) AS "tables that differ"
FROM outcome;

\echo '== History: one row of each of the eight largest tables'
CREATE FUNCTION pg_temp.said(op text, old jsonb, new jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT left(CASE op WHEN 'UPDATE' THEN (SELECT string_agg(format('%s: %s → %s', k, left(old ->> k, 24), left(new ->> k, 24)), ', ') FROM jsonb_object_keys(new) k)
    ELSE (SELECT string_agg(format('%s: %s', key, left(value, 16)), ', ') FROM jsonb_each_text(coalesce(new, old))) END, 50) $$;
SELECT left(name, 28) AS table, left(k.key, 14) AS key, to_char(h.at, 'HH24:MI:SS') AS at, h.actor AS who, h.op AS what,
       pg_temp.said(h.op, h.old, h.new) AS "from → to"
FROM (SELECT * FROM outcome WHERE audited > 0 ORDER BY rows DESC, name LIMIT 8) o,
-- Without a primary key a row is found by its values: those it had before the first change.
LATERAL (SELECT k.key, (SELECT count(*) FROM dbguard.audit_history(o.rel::regclass, k.key)) AS n
         FROM (SELECT DISTINCT ON (1) coalesce(key, CASE op WHEN 'UPDATE' THEN old - ARRAY(SELECT jsonb_object_keys(new)) ELSE coalesce(new, old) END::text) AS key, id
               FROM dbguard.audit_log WHERE id > :before AND to_regclass(format('%I.%I', schema_name, table_name)) = o.rel ORDER BY 1, id) k
         ORDER BY n DESC, k.id LIMIT 1) k,
LATERAL (SELECT l.*, row_number() OVER () AS n FROM dbguard.audit_history(o.rel::regclass, k.key) l) h
ORDER BY o.rows DESC, o.name, h.n;

\echo '== Partitions: a twin of the largest table with a time column'
SELECT source, key, twin, first FROM (VALUES (1)) always LEFT JOIN (
  SELECT t.name AS source, quote_ident(a.attname) AS key, format('%I.%I', n.nspname, left(c.relname, 40) || '_by_time') AS twin,
         format('%I.%I', n.nspname, left(c.relname, 40) || '_by_time_first') AS first
  FROM tab t JOIN pg_class c ON c.oid = t.rel JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = t.rel
  WHERE a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) AND a.attnum > 0 AND t.rows > 0 AND a.attgenerated = ''
  ORDER BY t.rows DESC, a.attname ~ 'updat|modif|creat', NOT a.attnotnull, a.attnum LIMIT 1) t ON true \gset
\if :{?source}
  -- Width by the time that passed since the oldest row: no more than some 90 partitions.
  SELECT unit, CASE unit WHEN 'quarter' THEN '3 months' ELSE '1 ' || unit END AS every, date_trunc(unit, low) AS start
  FROM (SELECT greatest(coalesce(min(:key)::timestamp, now()), now() - interval '90 years') AS low FROM :source WHERE isfinite(:key)) s,
    LATERAL (SELECT now() - low AS span) a,
    LATERAL (SELECT CASE WHEN span < '3 days' THEN 'hour' WHEN span < '90 days' THEN 'day' WHEN span < '1 year' THEN 'week'
                         WHEN span < '5 years' THEN 'month' WHEN span < '15 years' THEN 'quarter' ELSE 'year' END AS unit) u \gset
  -- The first partition is made by hand, so that the set reaches back to the oldest row; dbguard makes the rest.
  CREATE TABLE :twin (LIKE :source INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (:key);
  SELECT :'start'::timestamptz + :'every'::interval AS stop \gset
  CREATE TABLE :first PARTITION OF :twin FOR VALUES FROM (:'start') TO (:'stop');
  \echo :twin, by :key, every :every, from :start
  CREATE TEMP TABLE made_by_enable AS SELECT row_number() OVER () AS n, * FROM dbguard.partition_enable(:'twin', every => :'every');
  SELECT count(*) AS made FROM made_by_enable \gset
  \echo :made partitions were missing and are there now. The first and the last two:
  SELECT partition, lower, upper, state FROM made_by_enable WHERE n <= 2 OR n > :made - 2 ORDER BY n;
  INSERT INTO :twin SELECT * FROM :source WHERE :key >= :'start' AND :key < now();
  SELECT count(DISTINCT tableoid) AS "partitions with rows", count(*) AS rows, min(:key) AS oldest, max(:key) AS newest FROM :twin;
  \echo 'The last one is dropped by accident; the plan sees it, maintenance makes it again:'
  SELECT format('DROP TABLE %I.%I', c.relnamespace::regnamespace, m.partition) AS accident
  FROM made_by_enable m, pg_class c WHERE n = :made AND c.oid = to_regclass(:'twin') \gset
  :accident;
  SELECT partition, lower, upper FROM dbguard.partition_plan(:'twin');
  CALL dbguard.partition_maintain();
  SELECT table_name, every, ahead, state, partitions, missing, covered_until FROM dbguard.partition_status();
\else
  \echo No table with rows has a column of type date, timestamp or timestamptz.
\endif

DO $$
DECLARE wrong text;
BEGIN
  SELECT string_agg(format('%s (%s changed, %s audited)', name, ins + upd + del, audited), ', ') INTO wrong FROM outcome WHERE ins + upd + del <> audited;
  IF wrong IS NOT NULL THEN RAISE EXCEPTION 'the audit log does not match: %', wrong; END IF;
END $$;
SELECT CASE WHEN sum(ins + upd + del) > 0 THEN format('%s rows were changed, and each change is in the audit log, once.', sum(ins + upd + del))
            ELSE 'No row could be changed: nothing is proven.' END AS verdict FROM outcome \gset
\echo :verdict
