SELECT s.seqrelid, n.nspname::text, c.relname::text, s.seqmax, s.seqincrement, s.seqcycle,
       CASE WHEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE')
              THEN 'permission denied for sequence ' || c.relname
            WHEN c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()
              THEN 'an unlogged sequence has no value on a standby' END,
       c.relpersistence = 'u'
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
