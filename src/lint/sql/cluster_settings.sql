SELECT s.name, s.setting, s.unit, s.source
FROM pg_catalog.pg_settings s
WHERE s.name IN (
  'archive_mode', 'autovacuum', 'autovacuum_freeze_max_age', 'autovacuum_multixact_freeze_max_age',
  'autovacuum_naptime', 'autovacuum_vacuum_cost_delay', 'autovacuum_vacuum_cost_limit',
  'autovacuum_vacuum_scale_factor', 'fsync', 'full_page_writes', 'hash_mem_multiplier',
  'idle_in_transaction_session_timeout', 'lock_timeout', 'max_connections', 'pg_stat_statements.max',
  'pg_stat_statements.track', 'reserved_connections', 'shared_buffers', 'statement_timeout',
  'superuser_reserved_connections', 'synchronous_commit', 'transaction_timeout', 'vacuum_cost_delay',
  'vacuum_cost_limit', 'vacuum_cost_page_dirty', 'wal_level', 'work_mem')
