-- Reading the log. The functions read it with its owner's rights, for whoever may SELECT from the view
-- dbguard.audit_log.

CREATE FUNCTION dbguard._audit_relations(relation regclass) RETURNS integer[]
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_relations_wrapper';
COMMENT ON FUNCTION dbguard._audit_relations(regclass) IS
  'The ids in dbguard.audit_relation of all versions of a table, through renames, dump and restore, drop and re-creation';

CREATE FUNCTION dbguard._audit_of_key(relations integer[], wanted_key text, since timestamptz, until timestamptz)
  RETURNS TABLE (id bigint, at timestamptz, xact xid8, context bigint, relation integer, op "char", tenant text,
                 key text, old_key text, old jsonb, new jsonb)
  LANGUAGE plpgsql STABLE ROWS 10
  SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  wanted text COLLATE "C" := $2;
  bound text COLLATE "C" := dbguard._audit_key_order($2);
  first timestamptz := coalesce($3, '-infinity');
  -- no change is made at infinity
  past timestamptz := coalesce($4, 'infinity');
BEGIN
  RETURN QUERY
    SELECT c.id, c.at, c.xact, c.context, c.relation, c.op, c.tenant, c.key, c.old_key, c.old, c.new
    FROM dbguard.audit_change c
    WHERE c.relation = ANY ($1) AND c.key = wanted AND c.at >= first AND c.at < past
    UNION ALL
    SELECT c.id, c.at, c.xact, c.context, c.relation, c.op, c.tenant, c.key, c.old_key, c.old, c.new
    FROM dbguard.audit_change c
    WHERE c.relation = ANY ($1) AND c.old_key = wanted AND c.key <> wanted AND c.at >= first AND c.at < past
    UNION ALL
    SELECT p.id + u.number, p.at, p.xact, p.context, p.relation, u.op, p.tenant, u.key, u.old_key, u.old, u.new
    FROM dbguard.audit_pack p
    CROSS JOIN LATERAL dbguard._audit_unpack(p.data, p.changes, p.lowest_key, p.highest_key) u
    WHERE p.relation = ANY ($1) AND p.lowest_key <= bound AND p.highest_key >= bound AND p.at >= first AND p.at < past
      -- X: a damaged pack, which may have held it
      AND (u.key = wanted OR u.old_key = wanted OR u.op = 'X');
END
$$;
COMMENT ON FUNCTION dbguard._audit_of_key(integer[], text, timestamptz, timestamptz) IS
  'The changes that made or found a row with this key, in no order; reads the log''s tables with the caller''s rights';

CREATE FUNCTION dbguard.audit_history(
  relation regclass,
  key text,
  since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL)
  RETURNS TABLE (id bigint, at timestamptz, op text, actor text, user_name text, old jsonb, new jsonb, xact xid8,
                 tenant text, application_name text, client_addr inet, context jsonb, query text)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_history_wrapper';
COMMENT ON FUNCTION dbguard.audit_history(regclass, text, timestamptz, timestamptz) IS
  'The life of one row, newest last. key: the primary key as text, or a JSON object when it has several columns. since, until: only changes made from then on, and before then';

CREATE FUNCTION dbguard.audit_diff(
  relation regclass,
  key text,
  since timestamptz DEFAULT '-infinity',
  until timestamptz DEFAULT 'infinity')
  RETURNS TABLE (at timestamptz, id bigint, op text, column_name text, old jsonb, new jsonb, actor text, user_name text)
  LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT h.at, h.id, h.op, c.name, c.old, c.new, h.actor, h.user_name
  FROM dbguard.audit_history($1, $2, nullif($3, '-infinity'), nullif($4, 'infinity')) WITH ORDINALITY h
  CROSS JOIN LATERAL (
    SELECT coalesce(o.key, n.key), o.value, n.value
    FROM jsonb_each(h.old) o FULL JOIN jsonb_each(h.new) n ON n.key = o.key) c(name, old, new)
  -- an UPDATE shows in new what it changed; what is redacted looks the same before and after
  WHERE CASE WHEN h.op IN ('UPDATE', 'SOFT DELETE', 'RESTORE') THEN c.new IS NOT NULL AND (c.old IS DISTINCT FROM c.new OR c.new = '"[redacted]"') ELSE true END
  ORDER BY h.ordinality, c.name
$$;
COMMENT ON FUNCTION dbguard.audit_diff(regclass, text, timestamptz, timestamptz) IS
  'What happened to one row, a line for each column that changed, newest last. key, since, until: as in audit_history';

CREATE TYPE dbguard.audit_entry AS (
  id bigint,
  at timestamptz,
  op text,
  schema_name name,
  table_name name,
  key text,
  old_key text,
  old jsonb,
  new jsonb,
  actor text,
  tenant text,
  session_user_name text,
  current_user_name text,
  xact xid8,
  application_name text,
  client_addr inet,
  context jsonb,
  query text
);
COMMENT ON TYPE dbguard.audit_entry IS 'A change as dbguard.audit_log shows it';

CREATE FUNCTION dbguard.audit_transaction(xact xid8)
  RETURNS SETOF dbguard.audit_entry
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_transaction_wrapper';
COMMENT ON FUNCTION dbguard.audit_transaction(xid8) IS
  'All changes of one transaction, to all tables, in the order they were made';

CREATE FUNCTION dbguard.audit_changes(
  relation regclass DEFAULT NULL,
  actor text DEFAULT NULL,
  tenant text DEFAULT NULL,
  since timestamptz DEFAULT NULL,
  until timestamptz DEFAULT NULL)
  RETURNS SETOF dbguard.audit_entry
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_changes_wrapper';
COMMENT ON FUNCTION dbguard.audit_changes(regclass, text, text, timestamptz, timestamptz) IS
  'The changes that fit all that is given, newest last: of a table, by an actor, of a tenant, made from since on, and before until';

CREATE FUNCTION dbguard.audit_as_of("row" anyelement, at timestamptz, key text DEFAULT NULL) RETURNS SETOF anyelement
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_as_of_wrapper';
COMMENT ON FUNCTION dbguard.audit_as_of(anyelement, timestamptz, text) IS
  'A table as it was at a moment, with the columns it has today: SELECT * FROM dbguard.audit_as_of(NULL::orders, ...). key: only the row that had this key then';

CREATE FUNCTION dbguard._audit_rewind(relation regclass, at timestamptz, key text)
  RETURNS TABLE (kind "char", place text, old jsonb)
  LANGUAGE c STABLE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_rewind_wrapper';
COMMENT ON FUNCTION dbguard._audit_rewind(regclass, timestamptz, text) IS
  'The rows that are not as they were: C changed, N new, G gone; place: the key now, or last; old: the values then';

CREATE FUNCTION dbguard._audit_populated(base anyelement, image jsonb) RETURNS anyelement
  LANGUAGE c STABLE
  AS 'MODULE_PATHNAME', 'audit_populated_wrapper';
COMMENT ON FUNCTION dbguard._audit_populated(anyelement, jsonb) IS
  'A row of the table that dbguard.audit_as_of reads, made from its image with the rights of the table''s owner';

CREATE FUNCTION dbguard._audit_shortened(key text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_shortened_wrapper';
COMMENT ON FUNCTION dbguard._audit_shortened(text) IS 'A long key as the log holds it';

CREATE FUNCTION dbguard._audit_matched(relation regclass, rows numeric) RETURNS bigint
  LANGUAGE c STABLE STRICT
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'audit_matched_wrapper';
COMMENT ON FUNCTION dbguard._audit_matched(regclass, numeric) IS 'The number of rows; raises an error if it is less than none';

CREATE FUNCTION dbguard._audit_unreadable(
  "row" anyelement, relation regclass, at timestamptz, key text,
  OUT place text, OUT column_name text, OUT problem text)
  LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  changed record;
  item record;
BEGIN
  FOR changed IN SELECT * FROM dbguard._audit_rewind($2, $3, $4) LOOP
    FOR item IN SELECT * FROM jsonb_each(changed.old) LOOP
      BEGIN
        PERFORM dbguard._audit_populated($1, jsonb_build_object(item.key, item.value));
      EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
        place := coalesce(changed.place, changed.old::text);
        column_name := item.key;
        problem := SQLERRM;
        RETURN;
      END;
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION dbguard._audit_unreadable(anyelement, regclass, timestamptz, text) IS
  'The first value of the past that the table''s columns of today do not take';
