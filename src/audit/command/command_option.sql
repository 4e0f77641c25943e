CREATE TABLE dbguard.audit_ddl_option (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  command_text boolean NOT NULL,
  schemas text[],
  since timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE dbguard.audit_ddl_option IS 'What audit_ddl_enable was asked for';
COMMENT ON COLUMN dbguard.audit_ddl_option.schemas IS 'Only objects in these schemas are logged, and those in none; NULL: all';
