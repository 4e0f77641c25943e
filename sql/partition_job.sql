-- partition: long work on one table, and how far it is.

CREATE TABLE dbguard.partition_job (
  schema_name name NOT NULL,
  table_name name NOT NULL,
  relation oid NOT NULL,
  kind text NOT NULL,
  phase text NOT NULL,
  rows_done bigint NOT NULL DEFAULT 0,
  rows_total bigint,
  made name[] NOT NULL DEFAULT '{}',
  pid int,
  backend_start timestamptz,
  started timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  phase_started timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (relation)
);
COMMENT ON TABLE dbguard.partition_job IS 'Long work on one table that is under way; see dbguard.partition_progress';
COMMENT ON COLUMN dbguard.partition_job.schema_name IS 'Schema of the table';
COMMENT ON COLUMN dbguard.partition_job.table_name IS 'Name of the table';
COMMENT ON COLUMN dbguard.partition_job.relation IS 'OID of the table';
COMMENT ON COLUMN dbguard.partition_job.kind IS 'What is done: convert, unconvert, regrain or drain';
COMMENT ON COLUMN dbguard.partition_job.phase IS 'What it is at';
COMMENT ON COLUMN dbguard.partition_job.rows_done IS 'Rows done in this phase';
COMMENT ON COLUMN dbguard.partition_job.rows_total IS 'Rows to do in this phase, estimated; NULL where nothing is counted';
COMMENT ON COLUMN dbguard.partition_job.made IS 'A check and indexes made on the table for the time of the work, to be taken back if it ends early';
COMMENT ON COLUMN dbguard.partition_job.pid IS 'The session that is at it';
COMMENT ON COLUMN dbguard.partition_job.backend_start IS 'When that session began';
COMMENT ON COLUMN dbguard.partition_job.started IS 'When the work began';
COMMENT ON COLUMN dbguard.partition_job.phase_started IS 'When the phase began';
GRANT SELECT ON dbguard.partition_job TO PUBLIC;

CREATE VIEW dbguard.partition_progress AS
SELECT j.pid, j.kind, j.schema_name, j.table_name,
       CASE WHEN a.pid IS NULL THEN 'abandoned' ELSE 'running' END AS state,
       j.phase, j.rows_done, j.rows_total,
       CASE WHEN j.rows_total > 0
            THEN least(100, pg_catalog.round(100.0 * j.rows_done / j.rows_total, 1)) END AS percent,
       j.started,
       CASE WHEN j.rows_done > 0 AND j.rows_total > j.rows_done AND a.pid IS NOT NULL
            THEN j.phase_started + (pg_catalog.clock_timestamp() - j.phase_started)
                                   * (j.rows_total::double precision / j.rows_done) END AS phase_ends
FROM dbguard.partition_job j
-- when a session of another role began is not told to everybody
LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a
       ON a.pid = j.pid AND coalesce(a.backend_start, j.backend_start) = j.backend_start;
COMMENT ON VIEW dbguard.partition_progress IS 'Long work on tables and how far it is: converting, draining, regraining. abandoned: the session is gone; call it again and it goes on';
COMMENT ON COLUMN dbguard.partition_progress.pid IS 'The session that is at it; pg_cancel_backend(pid) cancels it';
COMMENT ON COLUMN dbguard.partition_progress.kind IS 'What is done: convert, unconvert, regrain or drain';
COMMENT ON COLUMN dbguard.partition_progress.schema_name IS 'Schema of the table';
COMMENT ON COLUMN dbguard.partition_progress.table_name IS 'Name of the table';
COMMENT ON COLUMN dbguard.partition_progress.state IS 'running, or abandoned: the session is gone';
COMMENT ON COLUMN dbguard.partition_progress.phase IS 'What it is at';
COMMENT ON COLUMN dbguard.partition_progress.rows_done IS 'Rows done in this phase';
COMMENT ON COLUMN dbguard.partition_progress.rows_total IS 'Rows to do in this phase, estimated';
COMMENT ON COLUMN dbguard.partition_progress.percent IS 'Share of the rows of this phase that are done';
COMMENT ON COLUMN dbguard.partition_progress.started IS 'When the work began';
COMMENT ON COLUMN dbguard.partition_progress.phase_ends IS 'When the phase ends if it goes on as until now';
GRANT SELECT ON dbguard.partition_progress TO PUBLIC;
