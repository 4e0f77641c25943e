-- Where audited changes go. Made at the first audit_enable, owned by the extension's owner, and
-- not members of the extension: pg_dump carries them, and DROP EXTENSION is refused while they exist.

CREATE TABLE dbguard.audit_relation (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  key_columns name[] NOT NULL,
  columns jsonb NOT NULL,
  since timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE dbguard.audit_relation IS 'Audited tables by name, a row for each version of their columns. Two sessions may note the same version at once: both rows are good';
COMMENT ON COLUMN dbguard.audit_relation.key_columns IS 'The primary key then; empty if the table had none';
COMMENT ON COLUMN dbguard.audit_relation.columns IS 'Column names and types then';
CREATE INDEX audit_relation_name_idx ON dbguard.audit_relation (schema_name, table_name);

CREATE TABLE dbguard.audit_transaction (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  xact xid8 NOT NULL,
  actor text,
  tenant text,
  session_user_name text NOT NULL,
  current_user_name text NOT NULL,
  application_name text,
  client_addr inet,
  context jsonb,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE SEQUENCE dbguard.audit_transaction_id_seq OWNED BY dbguard.audit_transaction.id;
ALTER TABLE dbguard.audit_transaction ALTER COLUMN id SET DEFAULT pg_catalog.nextval('dbguard.audit_transaction_id_seq');
CREATE INDEX audit_transaction_xact_idx ON dbguard.audit_transaction (xact);
CREATE TABLE dbguard.audit_transaction_default PARTITION OF dbguard.audit_transaction DEFAULT;
COMMENT ON TABLE dbguard.audit_transaction IS 'Who and why, once for each transaction that changed something audited (again when the actor changes within it)';
COMMENT ON TABLE dbguard.audit_transaction_default IS 'The net: takes what no monthly partition takes, so that a write never fails for want of one';
COMMENT ON COLUMN dbguard.audit_transaction.actor IS 'What the application claimed in dbguard.actor';
COMMENT ON COLUMN dbguard.audit_transaction.current_user_name IS 'The role whose rights the change was made with';

CREATE TABLE dbguard.audit_change (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  transaction bigint NOT NULL,
  relation integer NOT NULL,
  op "char" NOT NULL,
  key text COLLATE "C",
  old_key text COLLATE "C",
  old jsonb,
  new jsonb,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
-- CACHE 1: ids are drawn while the row is locked, so the changes of one row are in their order.
CREATE SEQUENCE dbguard.audit_change_id_seq CACHE 1 OWNED BY dbguard.audit_change.id;
ALTER TABLE dbguard.audit_change ALTER COLUMN id SET DEFAULT pg_catalog.nextval('dbguard.audit_change_id_seq');
CREATE INDEX audit_change_key_idx ON dbguard.audit_change (relation, key, id);
CREATE INDEX audit_change_old_key_idx ON dbguard.audit_change (relation, old_key) WHERE old_key IS NOT NULL;
CREATE TABLE dbguard.audit_change_default PARTITION OF dbguard.audit_change DEFAULT;
COMMENT ON TABLE dbguard.audit_change IS 'One row a change; read it through dbguard.audit_log';
COMMENT ON TABLE dbguard.audit_change_default IS 'The net: takes what no monthly partition takes, so that a write never fails for want of one';
COMMENT ON COLUMN dbguard.audit_change.at IS 'When the transaction started';
COMMENT ON COLUMN dbguard.audit_change.op IS 'I, U, D or T (TRUNCATE)';
COMMENT ON COLUMN dbguard.audit_change.key IS 'The row''s primary key: the value itself, or a JSON object when there are several columns; NULL without one';
COMMENT ON COLUMN dbguard.audit_change.old_key IS 'The key before, when the change changed it';

CREATE VIEW dbguard.audit_log AS
SELECT c.id,
       c.at,
       CASE c.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' ELSE 'TRUNCATE' END AS op,
       r.schema_name,
       r.table_name,
       c.key,
       c.old_key,
       c.old,
       c.new,
       t.actor,
       t.tenant,
       t.session_user_name,
       t.current_user_name,
       t.xact,
       t.application_name,
       t.client_addr,
       t.context
FROM dbguard.audit_change c
JOIN dbguard.audit_relation r ON r.id = c.relation
LEFT JOIN dbguard.audit_transaction t ON t.id = c.transaction AND t.at = c.at;
COMMENT ON VIEW dbguard.audit_log IS 'Every audited change, in people''s words';
