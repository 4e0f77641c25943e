-- Where audited changes go. Made at the first audit_enable, owned by the extension's owner, and
-- not members of the extension: pg_dump carries them, and DROP EXTENSION is refused while they exist.

CREATE TABLE dbguard.audit_relation (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lineage integer NOT NULL,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  home text NOT NULL,
  key_columns name[] NOT NULL,
  columns jsonb NOT NULL,
  since timestamptz NOT NULL DEFAULT pg_catalog.now(),
  column_numbers jsonb,
  starts boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE dbguard.audit_relation IS 'Audited tables by name, a row for each version of their name and columns. Two sessions may note the same version at once: both rows are good';
COMMENT ON COLUMN dbguard.audit_relation.lineage IS 'The same for all versions of one table, through renames, dump and restore, drop and re-creation: the id of the first';
COMMENT ON COLUMN dbguard.audit_relation.home IS 'The database and the OID the table had in it';
COMMENT ON COLUMN dbguard.audit_relation.key_columns IS 'The primary key then; empty if the table had none';
COMMENT ON COLUMN dbguard.audit_relation.columns IS 'Names and types of the columns the log knew then: all but the excluded';
COMMENT ON COLUMN dbguard.audit_relation.column_numbers IS 'Their names and numbers, if they were noted: in one home the same number is the same column';
COMMENT ON COLUMN dbguard.audit_relation.starts IS 'Audit was enabled then: earlier changes may be missing from the log';
CREATE INDEX audit_relation_name_idx ON dbguard.audit_relation (schema_name, table_name);
CREATE INDEX audit_relation_lineage_idx ON dbguard.audit_relation (lineage);

CREATE TABLE dbguard.audit_context (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  actor text,
  session_user_name text NOT NULL,
  current_user_name text NOT NULL,
  application_name text,
  client_addr inet,
  context jsonb,
  query text,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE SEQUENCE dbguard.audit_context_id_seq OWNED BY dbguard.audit_context.id;
ALTER TABLE dbguard.audit_context ALTER COLUMN id SET DEFAULT pg_catalog.nextval('dbguard.audit_context_id_seq');
CREATE TABLE dbguard.audit_context_default PARTITION OF dbguard.audit_context DEFAULT;
COMMENT ON TABLE dbguard.audit_context IS 'Who and why: a row when a session first changes something audited, when any of it changes, and again after an hour';
COMMENT ON TABLE dbguard.audit_context_default IS 'The net: takes what no monthly partition takes, so that a write never fails for want of one';
COMMENT ON COLUMN dbguard.audit_context.at IS 'When it was first so. The changes that refer to it are at most an hour younger';
COMMENT ON COLUMN dbguard.audit_context.actor IS 'What the application claimed in dbguard.actor';
COMMENT ON COLUMN dbguard.audit_context.current_user_name IS 'The role whose rights the change was made with';
COMMENT ON COLUMN dbguard.audit_context.query IS 'The statement, or its hash, when dbguard.audit_query asks for it';

CREATE TABLE dbguard.audit_change (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  xact xid8 NOT NULL,
  context bigint NOT NULL,
  relation integer NOT NULL,
  op "char" NOT NULL,
  tenant text COLLATE "C",
  key text COLLATE "C",
  old_key text COLLATE "C",
  old jsonb,
  new jsonb
) PARTITION BY RANGE (at);
-- A draw is good for a thousand changes of one statement, made while their rows are locked: so the
-- changes of one row are in their order, whichever sessions make them. CACHE 1 for the same reason.
CREATE SEQUENCE dbguard.audit_change_id_seq INCREMENT BY 1000 MINVALUE 1000 CACHE 1 OWNED BY dbguard.audit_change.id;
ALTER TABLE dbguard.audit_change ALTER COLUMN id SET DEFAULT pg_catalog.nextval('dbguard.audit_change_id_seq');
CREATE INDEX audit_change_key_idx ON dbguard.audit_change (relation, key);
CREATE INDEX audit_change_old_key_idx ON dbguard.audit_change (relation, old_key) WHERE old_key IS NOT NULL;
CREATE INDEX audit_change_time_idx ON dbguard.audit_change USING brin (id, at, xact dbguard.xid8_minmax_ops);
CREATE TABLE dbguard.audit_change_default PARTITION OF dbguard.audit_change DEFAULT;
COMMENT ON TABLE dbguard.audit_change IS 'One row a change; read it through dbguard.audit_log';
COMMENT ON TABLE dbguard.audit_change_default IS 'The net: takes what no monthly partition takes, so that a write never fails for want of one';
COMMENT ON COLUMN dbguard.audit_change.at IS 'When the change was made: the same for all changes of one statement, growing within a transaction';
COMMENT ON COLUMN dbguard.audit_change.context IS 'Who and why: the row of audit_context';
COMMENT ON COLUMN dbguard.audit_change.relation IS 'The table as it was then: the row of audit_relation';
COMMENT ON COLUMN dbguard.audit_change.op IS 'I, U, D or T (TRUNCATE); S or B: an UPDATE that deletes softly or brings back; P or R: audit was paused or resumed';
COMMENT ON COLUMN dbguard.audit_change.tenant IS 'From the table''s tenant column, or else what the application claimed in dbguard.tenant';
COMMENT ON COLUMN dbguard.audit_change.key IS 'The row''s primary key: the value itself, or a JSON object when there are several columns; NULL without one';
COMMENT ON COLUMN dbguard.audit_change.old_key IS 'The key before, when the change changed it';

CREATE TABLE dbguard.audit_pack (
  id bigint NOT NULL,
  at timestamptz NOT NULL,
  xact xid8 NOT NULL,
  context bigint NOT NULL,
  relation integer NOT NULL,
  changes integer NOT NULL,
  tenant text COLLATE "C",
  lowest_key text COLLATE "C",
  highest_key text COLLATE "C",
  data bytea NOT NULL
) PARTITION BY RANGE (at);
ALTER TABLE dbguard.audit_pack ALTER COLUMN data SET STORAGE PLAIN;
CREATE INDEX audit_pack_key_idx ON dbguard.audit_pack (relation, lowest_key, highest_key);
CREATE INDEX audit_pack_time_idx ON dbguard.audit_pack USING brin (id, at, xact dbguard.xid8_minmax_ops) WITH (pages_per_range = 16);
CREATE TABLE dbguard.audit_pack_default PARTITION OF dbguard.audit_pack DEFAULT;
COMMENT ON TABLE dbguard.audit_pack IS 'Many changes of one statement to one table, packed; read it through dbguard.audit_log';
COMMENT ON TABLE dbguard.audit_pack_default IS 'The net: takes what no monthly partition takes, so that a write never fails for want of one';
COMMENT ON COLUMN dbguard.audit_pack.id IS 'The id of the first change';
COMMENT ON COLUMN dbguard.audit_pack.lowest_key IS 'No key in the pack sorts before it, in the order of dbguard._audit_key_order';
COMMENT ON COLUMN dbguard.audit_pack.highest_key IS 'No key in the pack sorts after it';
COMMENT ON COLUMN dbguard.audit_pack.data IS 'The changes, compressed; dbguard._audit_unpack shows them';

CREATE VIEW dbguard.audit_log AS
SELECT c.id,
       c.at,
       CASE c.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE'
            WHEN 'S' THEN 'SOFT DELETE' WHEN 'B' THEN 'RESTORE' WHEN 'P' THEN 'PAUSE' WHEN 'R' THEN 'RESUME'
            ELSE 'UNREADABLE' END AS op,
       r.schema_name,
       r.table_name,
       c.key,
       c.old_key,
       c.old,
       c.new,
       t.actor,
       c.tenant,
       t.session_user_name,
       t.current_user_name,
       c.xact,
       t.application_name,
       t.client_addr,
       t.context,
       t.query,
       r.lineage,
       r.id AS version
FROM (
  SELECT id, at, xact, context, relation, op, tenant, key, old_key, old, new
  FROM dbguard.audit_change
  UNION ALL
  SELECT p.id + u.number, p.at, p.xact, p.context, p.relation, u.op, p.tenant, u.key, u.old_key, u.old, u.new
  FROM dbguard.audit_pack p
  CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
) c
JOIN dbguard.audit_relation r ON r.id = c.relation
LEFT JOIN dbguard.audit_context t ON t.id = c.context AND t.at <= c.at AND t.at > c.at - interval '1 hour';
COMMENT ON VIEW dbguard.audit_log IS 'Every audited change, in people''s words';

CREATE TABLE dbguard.audit_seal (
  number bigint PRIMARY KEY,
  sealed_at timestamptz NOT NULL,
  home text NOT NULL,
  from_xact xid8 NOT NULL,
  to_xact xid8 NOT NULL,
  next_xact xid8 NOT NULL,
  closed boolean NOT NULL,
  changes bigint NOT NULL,
  first_id bigint,
  last_id bigint,
  contents bytea NOT NULL,
  previous bytea,
  hash bytea NOT NULL
);
COMMENT ON TABLE dbguard.audit_seal IS 'A chain of hashes over the log: each row seals the changes of a stretch of transactions that had all ended';
COMMENT ON COLUMN dbguard.audit_seal.home IS 'The database in which the sealed changes were made: transaction numbers mean something only there';
COMMENT ON COLUMN dbguard.audit_seal.from_xact IS 'The first transaction of the stretch: where the seal of this home before it ended';
COMMENT ON COLUMN dbguard.audit_seal.to_xact IS 'The first transaction after the stretch';
COMMENT ON COLUMN dbguard.audit_seal.next_xact IS 'No transaction had this number or a later one: what such a one changed is later than all that is sealed here';
COMMENT ON COLUMN dbguard.audit_seal.sealed_at IS 'When the transaction that sealed began';
COMMENT ON COLUMN dbguard.audit_seal.closed IS 'True for the last stretch of a log that was moved here from another database';
COMMENT ON COLUMN dbguard.audit_seal.changes IS 'How many changes are sealed';
COMMENT ON COLUMN dbguard.audit_seal.first_id IS 'The lowest id among them';
COMMENT ON COLUMN dbguard.audit_seal.last_id IS 'The highest';
COMMENT ON COLUMN dbguard.audit_seal.contents IS 'SHA-256 of the kinds and hashes of its rows in audit_seal_record';
COMMENT ON COLUMN dbguard.audit_seal.previous IS 'The hash of the seal before; NULL in the first';
COMMENT ON COLUMN dbguard.audit_seal.hash IS 'SHA-256 of the other columns';

CREATE TABLE dbguard.audit_seal_record (
  seal bigint NOT NULL,
  part integer NOT NULL,
  kind "char" NOT NULL,
  hash bytea NOT NULL,
  data bytea,
  PRIMARY KEY (seal, part)
);
-- digests do not get smaller
ALTER TABLE dbguard.audit_seal_record ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE dbguard.audit_seal_record IS 'The digests of what a seal covers, a thousand in a row: they say which record differs';
COMMENT ON COLUMN dbguard.audit_seal_record.kind IS 'R audit_relation, W audit_context (who), E audit_redaction (erased), C changes';
COMMENT ON COLUMN dbguard.audit_seal_record.data IS 'Of each record its id, its time and its digest; docs/audit-evidence.md has the form. NULL once the records went with their partition';
COMMENT ON COLUMN dbguard.audit_seal_record.hash IS 'SHA-256 of data';

CREATE TABLE dbguard.audit_redaction (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  xact xid8 NOT NULL,
  home text NOT NULL,
  session_user_name text NOT NULL,
  current_user_name text NOT NULL,
  lineage integer NOT NULL,
  schema_name name NOT NULL,
  table_name name NOT NULL,
  key text NOT NULL,
  columns text[] NOT NULL,
  reason text NOT NULL,
  ids bigint[] NOT NULL,
  digests_before bytea NOT NULL,
  digests_after bytea NOT NULL
);
COMMENT ON TABLE dbguard.audit_redaction IS 'What dbguard.audit_redact erased, why, and who did it';
COMMENT ON COLUMN dbguard.audit_redaction.home IS 'The database xact is of';
COMMENT ON COLUMN dbguard.audit_redaction.lineage IS 'The table, as audit_relation knows it';
COMMENT ON COLUMN dbguard.audit_redaction.key IS 'The row whose history it was, or the tenant whose changes';
COMMENT ON COLUMN dbguard.audit_redaction.ids IS 'The changes that were rewritten';
COMMENT ON COLUMN dbguard.audit_redaction.digests_before IS 'Their digests before, 16 bytes each';
COMMENT ON COLUMN dbguard.audit_redaction.digests_after IS 'Their digests after';

CREATE VIEW dbguard.audit_record AS
SELECT c.*,
       dbguard._audit_digest(c.relation::text, c.context::text, c.xact::text, extract(epoch FROM c.at)::text, c.op::text,
                             c.tenant, c.key, c.old_key, c.old::text, c.new::text) AS digest
FROM (
  SELECT id, at, xact, context, relation, op, tenant, key, old_key, old, new, NULL::bigint AS pack, NULL::integer AS pack_changes
  FROM dbguard.audit_change
  UNION ALL
  SELECT p.id + u.number, p.at, p.xact, p.context, p.relation, u.op, p.tenant, u.key, u.old_key, u.old, u.new, p.id, p.changes
  FROM dbguard.audit_pack p
  CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
) c;
COMMENT ON VIEW dbguard.audit_record IS 'Every change as it is stored, with its digest as seals hold it: the same in a pack and alone';
