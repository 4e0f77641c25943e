-- Where logged commands go. Made with the log, and no more a member of the extension than it is.

CREATE TABLE dbguard.audit_command (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  xact xid8 NOT NULL,
  context bigint NOT NULL,
  op "char" NOT NULL,
  tag text COLLATE "C" NOT NULL,
  object_type text COLLATE "C",
  schema_name name,
  object text COLLATE "C",
  tenant text COLLATE "C",
  command text
) PARTITION BY RANGE (at);
CREATE INDEX audit_command_object_idx ON dbguard.audit_command (object);
CREATE TABLE dbguard.audit_command_default PARTITION OF dbguard.audit_command DEFAULT;
COMMENT ON TABLE dbguard.audit_command IS 'DDL: a row for each object a command made, changed or dropped; read it through dbguard.audit_events';
COMMENT ON TABLE dbguard.audit_command_default IS 'The net: takes what no monthly partition takes, so that a command never fails for want of one';
COMMENT ON COLUMN dbguard.audit_command.id IS 'From the sequence of audit_change: the two sort together';
COMMENT ON COLUMN dbguard.audit_command.context IS 'Who and why: the row of audit_context';
COMMENT ON COLUMN dbguard.audit_command.op IS 'C (the command worked on the object) or X (the object was dropped)';
COMMENT ON COLUMN dbguard.audit_command.tag IS 'The command: CREATE TABLE, ALTER TABLE, DROP SCHEMA ...';
COMMENT ON COLUMN dbguard.audit_command.schema_name IS 'Where the object lies; NULL for one that lies in no schema';
COMMENT ON COLUMN dbguard.audit_command.object IS 'The object''s identity, quoted as in SQL, under its name after the command; NULL where the command names none (GRANT)';
COMMENT ON COLUMN dbguard.audit_command.command IS 'What the client sent, if audit_ddl_enable asked for it';
