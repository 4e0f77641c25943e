-- What was taken in from other tools' logs.

CREATE SEQUENCE dbguard.audit_import_id_seq
  MINVALUE -9000000000000000000 MAXVALUE -1 START WITH -9000000000000000000 CACHE 1;
COMMENT ON SEQUENCE dbguard.audit_import_id_seq IS 'Ids of imported changes: negative, so that they sort before all that was audited here';

CREATE TABLE dbguard.audit_import (
  source text NOT NULL,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  last_id bigint NOT NULL,
  changes bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (source, schema_name, table_name)
);
COMMENT ON TABLE dbguard.audit_import IS 'How far audit_import has come: a row for each source and table';
COMMENT ON COLUMN dbguard.audit_import.last_id IS 'Entries of the source up to this one have been looked at, and are not again';
COMMENT ON COLUMN dbguard.audit_import.changes IS 'How many became changes of the log';
