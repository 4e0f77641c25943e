-- of columns that may hold uuids as text, a status, or json; values only where they tell something
SELECT a.attrelid, a.attnum,
       CASE WHEN NOT a.readable THEN 'permission denied for its statistics'
            WHEN a.hidden THEN 'row-level security hides its statistics' END,
       coalesce(s.inherited, false), s.null_frac, s.avg_width, s.n_distinct,
       CASE WHEN (a.short AND s.avg_width BETWEEN 32 AND 40) OR s.n_distinct BETWEEN 1 AND 50
                 -- of a small table ANALYZE gives the share of its rows
                 OR (a.status AND pg_catalog.cardinality(s.most_common_freqs) <= 50)
         THEN s.most_common_vals::pg_catalog.text::pg_catalog.text[] END,
       CASE WHEN a.short AND s.avg_width BETWEEN 32 AND 40
         THEN s.histogram_bounds::pg_catalog.text::pg_catalog.text[] END,
       s.histogram_bounds IS NOT NULL
FROM (SELECT t.attrelid, t.attnum, t.attname, c.relname, n.nspname,
             t.atttypid IN (25, 1042, 1043) AND t.atttypmod IN (-1, 36, 40, 42, 44) AS short,
             t.attname ~* '(status|state|kind|role|level|estado)$' AS status,
             pg_catalog.has_column_privilege(t.attrelid, t.attnum, 'SELECT') AS readable,
             pg_catalog.row_security_active(t.attrelid) AS hidden
      FROM pg_catalog.pg_attribute t
      JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      -- those below are the server's own
      WHERE t.attrelid >= 16384 AND t.attnum > 0 AND NOT t.attisdropped AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND ((t.atttypid IN (25, 1042, 1043) AND t.atttypmod IN (-1, 36, 40, 42, 44))
             OR t.atttypid IN (114, 3802)
             OR (t.atttypid IN (21, 23, 25, 1042, 1043)
                 AND t.attname ~* '(status|state|kind|role|level|estado)$'))) a
LEFT JOIN pg_catalog.pg_stats s
  ON s.schemaname = a.nspname AND s.tablename = a.relname AND s.attname = a.attname
WHERE NOT a.readable OR a.hidden OR s.attname IS NOT NULL
ORDER BY a.attrelid, a.attnum, s.inherited DESC
