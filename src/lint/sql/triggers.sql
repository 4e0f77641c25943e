SELECT t.tgrelid, t.oid, t.tgname::text, t.tgtype, t.tgenabled IN ('O', 'A'), t.tgfoid, t.tgargs, t.tgparentid <> 0,
       t.tgenabled = 'D'
FROM pg_catalog.pg_trigger t
WHERE NOT t.tgisinternal
ORDER BY t.tgrelid, t.tgname
