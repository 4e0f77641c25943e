-- Soft delete: a DELETE sets a column instead.

-- For anybody: they change nothing but the row that is being deleted, and what its foreign keys say.
CREATE FUNCTION dbguard.soft_delete() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'soft_delete_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete() IS
  'BEFORE DELETE ROW trigger: sets a column (first argument; deleted_at by default) to now() instead; on a partitioned table BEFORE DELETE OR UPDATE. soft_delete_enable makes it';

CREATE FUNCTION dbguard.soft_delete_children() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'soft_delete_children_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_children() IS
  'AFTER UPDATE ROW trigger: rows that refer to a deleted row by a foreign key ON DELETE CASCADE are deleted and come back with it; NO ACTION and RESTRICT keep it from being deleted. soft_delete_enable makes it';

CREATE FUNCTION dbguard.soft_delete_live() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'soft_delete_live_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_live() IS
  'INSTEAD OF DELETE trigger of a view of live rows: deletes the row from its table. soft_delete_enable makes it';

CREATE FUNCTION dbguard.soft_delete_enable(relation regclass, column_name text DEFAULT NULL, children text DEFAULT NULL,
                                           live_view text DEFAULT NULL)
  RETURNS TABLE ("table" regclass, "column" text, children text, live_view regclass, action text)
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'soft_delete_enable_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_enable(regclass, text, text, text) IS
  'A DELETE from the table sets a column (deleted_at) from now on. children: keep (default), or follow: rows that refer to a deleted one go and come back with it, as their foreign keys say; live_view: a view of the rows that are not deleted. Called again, changes what is given';

CREATE FUNCTION dbguard.soft_delete_plan(relation regclass, column_name text DEFAULT NULL, children text DEFAULT NULL,
                                         live_view text DEFAULT NULL)
  RETURNS TABLE (step integer, "table" regclass, statement text, lock text, why text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'soft_delete_plan_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_plan(regclass, text, text, text) IS
  'The statements that bring a table to soft delete, unique constraints that pass over deleted rows included; changes nothing. Arguments as for soft_delete_enable';

CREATE FUNCTION dbguard.soft_delete_disable(relation regclass) RETURNS boolean
  LANGUAGE c
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'soft_delete_disable_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_disable(regclass) IS
  'A DELETE deletes for good again; what is deleted softly stays so. True if it was enabled';

CREATE FUNCTION dbguard.soft_delete_status()
  RETURNS TABLE ("table" regclass, "column" text, children text, live_view regclass, state text, problem text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'soft_delete_status_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_status() IS 'Tables with soft delete, and what is wrong with it';

-- No SET clause: it updates rows, and their triggers run under the caller's path.
CREATE FUNCTION dbguard.soft_delete_restore(relation regclass, key text, dry_run boolean DEFAULT false)
  RETURNS TABLE ("table" regclass, rows bigint)
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'soft_delete_restore_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_restore(regclass, text, boolean) IS
  'Brings a deleted row back, with what followed it; for whoever may update it. key: the primary key as text, or a JSON object when it has several columns. With dry_run tells what it would do';

-- No SET clause: a procedure that has one cannot commit. It pins the path itself.
CREATE PROCEDURE dbguard.soft_delete_purge(relation regclass DEFAULT NULL, older_than interval DEFAULT '90 days',
                                           batch integer DEFAULT 1000, budget interval DEFAULT '10 minutes')
  LANGUAGE c AS 'MODULE_PATHNAME', 'soft_delete_purge_wrapper';
COMMENT ON PROCEDURE dbguard.soft_delete_purge(regclass, interval, integer, interval) IS
  'Really deletes rows that were deleted longer ago, in transactions of batch rows, until the budget is used up; NULL: of all tables of yours. Rows that others keep referring to are kept back';

CREATE FUNCTION dbguard.soft_delete_purge_plan(relation regclass DEFAULT NULL, older_than interval DEFAULT '90 days')
  RETURNS TABLE ("table" regclass, rows bigint, kept_back bigint, oldest timestamptz)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'soft_delete_purge_plan_wrapper';
COMMENT ON FUNCTION dbguard.soft_delete_purge_plan(regclass, interval) IS
  'How many rows of which tables soft_delete_purge would delete, how many are kept back by rows that refer to them, and when the oldest was deleted';
