SELECT pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       (SELECT pg_catalog.sum(c.relpages::int8)::int8 * pg_catalog.current_setting('block_size')::int8
        FROM pg_catalog.pg_class c),
       CASE WHEN pg_catalog.pg_is_in_recovery()
                 AND pg_catalog.pg_last_wal_receive_lsn() <> pg_catalog.pg_last_wal_replay_lsn()
            THEN extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8 END,
       a.failed_count, (extract(epoch FROM a.last_archived_time) * 1000000)::int8,
       (extract(epoch FROM a.last_failed_time) * 1000000)::int8, a.last_failed_wal
FROM pg_catalog.pg_stat_archiver a
