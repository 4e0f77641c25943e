-- What dbguard does, on the shop. The statements that a user would type are echoed, the rest is there to keep the
-- transcript narrow. Any error ends it, and so does a score that did not rise.
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset null ''
SET client_min_messages = warning;
SET timezone = 'UTC';

CREATE FUNCTION pg_temp.said(op text, old jsonb, new jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT CASE op WHEN 'UPDATE' THEN (SELECT string_agg(format('%s: %s → %s', k, coalesce(old ->> k, '(none)'), new ->> k), ', ')
                                     FROM jsonb_object_keys(new) k WHERE k <> 'updated_at')
    ELSE (SELECT string_agg(format('%s: %s', key, value), ', ') FROM jsonb_each_text(coalesce(new, old))
          WHERE key IN ('order_id', 'method', 'card_number', 'amount')) END $$;

\echo
\echo '== 1. Lint: what is wrong with this schema?'
\echo
SELECT clock_timestamp() AS started \gset
CREATE TEMP TABLE finding AS SELECT * FROM dbguard.lint();
SELECT count(*) AS findings, round(extract(epoch FROM clock_timestamp() - :'started')::numeric * 1000) AS ms,
       count(DISTINCT code) AS rules FROM finding \gset
\echo :findings findings of :rules rules in :ms ms. The errors:
SELECT code, left(replace(message, 'public.', ''), 100) AS message FROM finding WHERE severity = 'error' ORDER BY code, object;
\echo 'Of the warnings, one of each rule:'
SELECT DISTINCT ON (code) code, left(replace(message, 'public.', ''), 100) AS message
FROM finding WHERE severity = 'warning' ORDER BY code, object;
\echo 'The score, which is at most 84 while an error is open, and the rule whose findings cost most:'
\set ECHO queries
SELECT category, score, grade, errors, warnings, infos, gain_rule, gain FROM dbguard.lint_score();
\pset format unaligned
\pset tuples_only on
SELECT dbguard.lint_explain('IDX001');
\pset format aligned
\pset tuples_only off
\set ECHO none
SELECT score AS score_before FROM dbguard.lint_score() WHERE category = 'overall' \gset

\echo '== 2. Touch: updated_at is right from now on'
\echo
\set ECHO queries
SELECT * FROM dbguard.touch_enable('orders');
SELECT id, status, updated_at FROM orders WHERE id = 25;
UPDATE orders SET note = 'ring twice' WHERE id = 25;
SELECT id, note, updated_at, now() - updated_at < '1 minute' AS just_now FROM orders WHERE id = 25;
\set ECHO none
DO $$ BEGIN ASSERT (SELECT now() - updated_at < '1 minute' FROM orders WHERE id = 25), 'updated_at was not touched'; END $$;

\echo '== 3. Audit: who changed what, when, from what to what'
\echo
\set ECHO queries
SELECT "table", action, redacts FROM dbguard.audit_enable('orders');
SELECT "table", action, redacts FROM dbguard.audit_enable('payments', redact => '{card_number}');
BEGIN;
SET LOCAL dbguard.actor = 'ada (checkout)';
UPDATE orders SET status = 'paid' WHERE id = 39990;
INSERT INTO payments (order_id, method, card_number, amount) VALUES (39990, 'card', '4000 0000 1234 5678', 47.50);
COMMIT;
\echo
BEGIN;
SET LOCAL dbguard.actor = 'grace (support)';
UPDATE orders SET total = 42.00, note = 'discount as agreed on the phone' WHERE id = 39990;
DELETE FROM payments WHERE order_id = 39990;
COMMIT;

\echo
\echo '-- and this never happened:'
BEGIN;
DELETE FROM order_items WHERE order_id = 39990;
UPDATE orders SET status = 'cancelled' WHERE id = 39990;
ROLLBACK;
\echo
UPDATE orders SET status = 'shipped' WHERE id BETWEEN 39981 AND 39990;
\set ECHO none
\echo
\echo 'SELECT at, actor, op, old, new FROM dbguard.audit_history(''orders'', ''39990'');'
SELECT to_char(at, 'HH24:MI:SS') AS at, actor, op, pg_temp.said(op, old, new) AS "from → to" FROM dbguard.audit_history('orders', '39990');
\echo 'The payments of that order. The card number never reached the log:'
SELECT to_char(at, 'HH24:MI:SS') AS at, actor, op, key, pg_temp.said(op, old, new) AS "from → to"
FROM dbguard.audit_log WHERE table_name = 'payments' ORDER BY id;
\set ECHO queries
SELECT table_name, op, count(*), count(DISTINCT xact) AS transactions FROM dbguard.audit_log GROUP BY 1, 2 ORDER BY 1, 2;
\set ECHO none
DO $$ BEGIN
  ASSERT (SELECT count(*) FROM dbguard.audit_log) = 14, 'twelve updates, an insert and a delete were made';
  ASSERT NOT EXISTS (SELECT FROM dbguard.audit_log l WHERE l::text LIKE '%1234 5678%'), 'the card number is in the log';
END $$;

\echo '== 4. Partitions: a month of days, made before they are needed'
\echo
\echo 'SELECT * FROM dbguard.partition_enable(''events'', every => ''1 day'', ahead => 30, dry_run => true);'
CREATE TEMP TABLE planned AS
SELECT row_number() OVER () AS n, * FROM dbguard.partition_enable('events', every => '1 day', ahead => 30, dry_run => true);
SELECT count(*) AS planned FROM planned \gset
SELECT partition, lower, upper, state FROM planned WHERE n <= 2 OR n > :planned - 1;
\echo 'That was the plan, of which nothing is there yet. Now for real:'
\echo 'SELECT * FROM dbguard.partition_enable(''events'', every => ''1 day'', ahead => 30);'
CREATE TEMP TABLE made AS SELECT row_number() OVER () AS n, * FROM dbguard.partition_enable('events', every => '1 day', ahead => 30);
SELECT count(*) AS made FROM made \gset
SELECT partition, lower, upper, state FROM made WHERE n <= 2 OR n > :made - 2;
\echo :made days were missing and are there now. A row for a day in three weeks finds its place:
\set ECHO queries
INSERT INTO events (at, tenant_id, kind) VALUES (now() + interval '20 days', 7, 'reminder') RETURNING tableoid::regclass AS "landed in";
\set ECHO none
\echo 'Somebody drops a day by mistake. The plan changes nothing, maintenance (from cron, say) makes what it shows:'
SELECT format('DROP TABLE %I', partition) AS mistake FROM made WHERE n = 15 \gset
\set ECHO queries
:mistake;
SELECT partition, lower, upper FROM dbguard.partition_plan();
CALL dbguard.partition_maintain();
SELECT table_name, every, ahead, state, partitions, missing, covered_until FROM dbguard.partition_status();
\set ECHO none
DO $$ BEGIN
  ASSERT (SELECT count(*) FROM made WHERE state = 'done') >= 30, 'a month of days should have been made';
  ASSERT (SELECT array_agg(sql ORDER BY n) FROM made) = (SELECT array_agg(sql ORDER BY n) FROM planned), 'the plan was another';
  ASSERT NOT EXISTS (SELECT FROM dbguard.partition_plan()), 'partitions are still missing';
END $$;

\echo '== 5. Fixes: what needs no rewrite of a table and no second thought is applied'
\echo
\echo 'SELECT DISTINCT fix_sql FROM dbguard.lint() WHERE details ->> ''fix_safety'' IN (''online'', ''brief_lock'') \\gexec'
CREATE TEMP TABLE fix AS SELECT fix_sql, string_agg(code, ' ' ORDER BY code) AS codes FROM dbguard.lint()
WHERE details ->> 'fix_safety' IN ('online', 'brief_lock') GROUP BY 1;     -- one statement may mend two findings
SELECT codes, left(replace(fix_sql, 'public.', ''), 112) AS fix_sql FROM fix ORDER BY codes, fix_sql;
SELECT fix_sql FROM fix ORDER BY codes, fix_sql \gexec
SELECT score AS score_online FROM dbguard.lint_score() WHERE category = 'overall' \gset

\echo 'In a maintenance window, those that read or write a whole table under a lock:'
\echo
\echo 'SELECT DISTINCT fix_sql FROM dbguard.lint() WHERE details ->> ''fix_safety'' = ''rewrite'' \\gexec'
CREATE TEMP TABLE rewrite AS SELECT fix_sql, string_agg(code, ' ' ORDER BY code) AS codes FROM dbguard.lint()
WHERE details ->> 'fix_safety' = 'rewrite' GROUP BY 1;
SELECT codes, left(replace(split_part(fix_sql, E'\n', 1), 'public.', ''), 112) AS "fix_sql, its first line" FROM rewrite ORDER BY codes, fix_sql;
SELECT fix_sql FROM rewrite ORDER BY codes, fix_sql \gexec
INSERT INTO fix TABLE rewrite;

CREATE TEMP TABLE after AS SELECT * FROM dbguard.lint();
SELECT score AS score_after FROM dbguard.lint_score() WHERE category = 'overall' \gset
\echo 'What is left is for people to decide:'
SELECT CASE WHEN details ->> 'fix_safety' IS NULL THEN 'no statement can know what is meant' ELSE 'the fix changes what the application sees' END AS why,
       count(*) AS findings, string_agg(DISTINCT code, ' ') AS rules
FROM after GROUP BY 1 ORDER BY 1;
\echo 'Before and after:'
SELECT severity, count(*) FILTER (WHERE b) AS before, count(*) FILTER (WHERE NOT b) AS after
FROM (SELECT severity, true AS b FROM finding UNION ALL SELECT severity, false FROM after) s
GROUP BY 1 ORDER BY array_position('{error,warning,info}', severity);
\echo Score :score_before '→' :score_online '→' :score_after
SET demo.before = :'score_before';
SET demo.after = :'score_after';
DO $$ BEGIN
  ASSERT NOT EXISTS (SELECT FROM after JOIN fix USING (fix_sql)), 'a fix was applied and its finding is still there';
  IF current_setting('demo.after')::numeric <= current_setting('demo.before')::numeric THEN
    RAISE EXCEPTION 'the score did not rise: % before, % after', current_setting('demo.before'), current_setting('demo.after');
  END IF;
END $$;
