SELECT k.conrelid, k.oid, k.conname::text, k.contype::text, k.conkey, k.confrelid, k.confkey,
       k.conindid, k.convalidated, {conenforced}, k.conparentid <> 0 OR k.coninhcount > 0,
       -- not pg_get_expr: that waits for a lock on the table
       CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_constraintdef(k.oid) END,
       k.confdeltype::text, k.confupdtype::text, k.confdelsetcols, k.conparentid
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE k.conrelid <> 0
  -- 18 has a row for every NOT NULL: only those not yet validated say anything new
  AND (k.contype IN ('p', 'u', 'f', 'c', 'x') OR (k.contype = 'n' AND NOT k.convalidated))
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY k.conrelid, k.conname
