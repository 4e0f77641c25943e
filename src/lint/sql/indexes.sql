SELECT i.indrelid, i.indexrelid, n.nspname::text, c.relname::text, m.amname::text,
       i.indkey::int2[], i.indnkeyatts, i.indclass::oid[], i.indcollation::oid[], i.indoption::int2[],
       CASE WHEN i.indexprs IS NOT NULL THEN
         ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k, false)
               FROM pg_catalog.generate_series(1, i.indnkeyatts) k) END,
       -- not pg_get_expr: that waits for a lock on the table
       CASE WHEN i.indpred IS NOT NULL THEN pg_catalog.pg_get_indexdef(i.indexrelid) END, i.indisunique, i.indisprimary,
       i.indnullsnotdistinct, i.indisvalid, i.indisready AND i.indislive, i.indisclustered,
       i.indisreplident, o.options, c.reloptions IS NOT NULL OR c.reltablespace <> 0,
       CASE WHEN NOT i.indisvalid THEN
         -- a build shows in the progress view to its owner and monitors, its lock to all
         EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
         OR EXISTS (SELECT FROM pg_catalog.pg_locks l
                    WHERE l.locktype = 'relation' AND l.relation = i.indrelid AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                        WHERE d.datname = pg_catalog.current_database())
                      AND l.mode = 'ShareUpdateExclusiveLock')
       ELSE false END,
       c.relispartition, c.relpages::int8, pg_catalog.pg_stat_get_numscans(i.indexrelid), NOT i.indimmediate,
       -- for the undo of dropping it
       CASE WHEN pg_catalog.count(*) OVER (PARTITION BY i.indrelid, i.indkey[0]) > 1 AND NOT i.indisprimary
            THEN pg_catalog.pg_get_indexdef(i.indexrelid) END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = c.relam
-- columns of tables have options too: only indexes are of interest
LEFT JOIN (SELECT a.attrelid, pg_catalog.string_agg(a.attnum || ' ' || a.attoptions::text, ',' ORDER BY a.attnum) AS options
           FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_index x ON x.indexrelid = a.attrelid
           WHERE a.attoptions IS NOT NULL GROUP BY a.attrelid
          ) o ON o.attrelid = i.indexrelid
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY i.indrelid, c.relname
