SELECT s.slot_name::text, s.slot_type = 'logical', s.active,
       s.database IS NOT NULL AND s.database <> pg_catalog.current_database(), coalesce(s.wal_status, ''),
       pg_catalog.pg_wal_lsn_diff(
         CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
              ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn)::int8,
       pg_catalog.age(s.xmin)::int8, pg_catalog.age(s.catalog_xmin)::int8
FROM pg_catalog.pg_replication_slots s
WHERE NOT s.temporary
ORDER BY 1
