-- columns of the view $1, and their types
SELECT a.attname::text, a.atttypid
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
