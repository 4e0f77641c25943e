SELECT (extract(epoch FROM greatest(s.stats_reset, pg_catalog.pg_postmaster_start_time(),
          -- a crash throws all counters away, and says so here
          (SELECT a.stats_reset FROM pg_catalog.pg_stat_archiver a))) * 1000000)::int8,
       pg_catalog.pg_is_in_recovery(),
       -- a slot without a sender is a standby that is away
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders() w
        WHERE coalesce(w.state, '') <> 'backup'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots l WHERE l.active_pid = w.pid))
       + (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots l
          WHERE l.slot_type = 'physical' AND NOT l.temporary),
       s.blks_read, s.blks_hit, s.temp_files, s.temp_bytes, s.deadlocks,
       pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8,
       pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8,
       pg_catalog.current_setting('autovacuum_vacuum_insert_threshold')::float8,
       pg_catalog.current_setting('autovacuum_vacuum_insert_scale_factor')::float8,
       pg_catalog.current_setting('autovacuum_analyze_threshold')::float8,
       pg_catalog.current_setting('autovacuum_analyze_scale_factor')::float8
FROM pg_catalog.pg_stat_database s
WHERE s.datname = pg_catalog.current_database()
