-- the few texts that look as if a secret could be in them; the rule looks closer
SELECT d.objoid, d.objsubid::int2, ''::text, d.description
FROM pg_catalog.pg_description d
WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid >= 16384
  AND d.description ~* '://|password|AKIA|PRIVATE KEY|_live_|ghp_|xox'
UNION ALL
SELECT 0::oid, 0::int2, s.srvname::text, pg_catalog.array_to_string(s.srvoptions, ' ')
FROM pg_catalog.pg_foreign_server s
WHERE s.srvoptions::text ~* 'password|secret|://|AKIA'
ORDER BY 1, 2, 3
