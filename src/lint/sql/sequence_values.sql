SELECT s.oid, pg_catalog.pg_sequence_last_value(s.oid) FROM pg_catalog.unnest($1) s(oid)
