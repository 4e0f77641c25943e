SELECT coalesce(s.application_name, ''), coalesce(s.state, ''), extract(epoch FROM s.replay_lag)::float8,
       pg_catalog.pg_wal_lsn_diff(
         CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
              ELSE pg_catalog.pg_current_wal_lsn() END, s.replay_lsn)::int8,
       pg_catalog.age(s.backend_xmin)::int8
FROM pg_catalog.pg_stat_replication s
ORDER BY 1, s.pid
