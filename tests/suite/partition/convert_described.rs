//! A table with all that tables have, and everything the catalogs say of one.

use dbguard_tests::Db;

/// A line for everything that a table is or has, without OIDs. What a partitioned table is otherwise by nature
/// (its kind, its storage options) is left out with `alike`.
pub fn described(db: &mut Db, table: &str, alike: bool) -> Vec<String> {
    let t = format!("'{table}'::regclass");
    let kind = if alike { "''" } else { "concat(c.relkind, c.reloptions::text, c.relispartition)" };
    let acl = |acl: &str| format!("(SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest({acl}) a)");
    db.lines(&format!(
        "SELECT concat_ws(' ', 'class', c.relname, c.relowner::regrole, {}, c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
                          obj_description(c.oid, 'pg_class'), {kind}) FROM pg_class c WHERE c.oid = {t}
         UNION ALL
         SELECT concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                          pg_get_expr(d.adbin, d.adrelid), a.attstorage, a.attcompression, a.attstattarget, {}, a.attcollation,
                          (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(a.attoptions) o WHERE o LIKE 'n_%'),
                          col_description(a.attrelid, a.attnum),
                          CASE WHEN a.attidentity <> '' THEN pg_get_serial_sequence({t}::text, a.attname) END)
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = {t} AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
         SELECT concat_ws(' ', 'constraint', conname, replace(pg_get_constraintdef(oid), 'ONLY ', ''), convalidated, obj_description(oid, 'pg_constraint'))
         FROM pg_constraint WHERE conrelid = {t} AND contype <> 'n'
         UNION ALL
         SELECT concat_ws(' ', 'referrer', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint'))
         FROM pg_constraint WHERE confrelid = {t} AND conparentid = 0
         UNION ALL
         SELECT concat_ws(' ', 'index', replace(pg_get_indexdef(indexrelid), ' ONLY ', ' '), indisvalid, indisprimary, indisreplident, indimmediate, obj_description(indexrelid, 'pg_class'))
         FROM pg_index WHERE indrelid = {t}
         UNION ALL
         SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger'))
         FROM pg_trigger WHERE tgrelid = {t} AND NOT tgisinternal AND tgparentid = 0
         UNION ALL
         SELECT concat_ws(' ', 'policy', polname, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid),
                          obj_description(oid, 'pg_policy')) FROM pg_policy WHERE polrelid = {t}
         UNION ALL
         SELECT concat_ws(' ', 'view', v.oid::regclass, v.relowner::regrole, {}, v.reloptions, pg_get_viewdef(v.oid))
         FROM pg_class v WHERE v.relkind = 'v' AND EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
           WHERE r.ev_class = v.oid AND d.refobjid = {t})
         UNION ALL
         SELECT concat_ws(' ', 'sequence', s.oid::regclass, s.relowner::regrole, {}, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle,
                          a.attname, obj_description(s.oid, 'pg_class'))
         FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = s.oid
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.refobjid = {t}
         UNION ALL
         SELECT concat_ws(' ', 'publication', p.pubname) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = {t}
         ORDER BY 1",
        acl("c.relacl"),
        acl("a.attacl"),
        acl("v.relacl"),
        acl("s.relacl"),
    ))
}

/// A table of role conv_owner with everything, in schema app, and `rows` rows of the last ten days.
pub fn everything(db: &mut Db, rows: u32) {
    for role in ["conv_owner", "conv_reader", "conv_viewer"] {
        db.connect_as(role);
    }
    db.exec(
        "CREATE SCHEMA app;
         GRANT USAGE, CREATE ON SCHEMA app TO conv_owner, conv_viewer; GRANT USAGE ON SCHEMA app TO PUBLIC;
         SET ROLE conv_owner;
         ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT TRUNCATE ON TABLES TO conv_reader;
         ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT UPDATE ON SEQUENCES TO conv_reader;
         CREATE TABLE app.customer (id int PRIMARY KEY, name text);
         INSERT INTO app.customer SELECT g, 'c' || g FROM generate_series(1, 50) g;
         CREATE TABLE app.\"Orders\" (
           gone int,
           id bigint GENERATED ALWAYS AS IDENTITY (START 1000 INCREMENT 3 CACHE 1),
           at timestamptz NOT NULL,
           customer int NOT NULL CONSTRAINT of_customer REFERENCES app.customer ON DELETE CASCADE,
           dropped text,
           number serial,
           amount numeric DEFAULT 1 CONSTRAINT positive CHECK (amount >= 0),
           twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
           note text COLLATE \"C\",
           changes int NOT NULL DEFAULT 0,
           CONSTRAINT \"Orders key\" PRIMARY KEY (id, at) WITH (fillfactor = 80),
           CONSTRAINT later UNIQUE (at, number) DEFERRABLE INITIALLY DEFERRED);
         ALTER TABLE app.\"Orders\" DROP COLUMN gone, DROP COLUMN dropped;
         REVOKE ALL ON app.\"Orders\" FROM conv_reader;
         CREATE INDEX by_customer ON app.\"Orders\" (customer, at DESC NULLS LAST) INCLUDE (amount) WITH (fillfactor = 70);
         CREATE INDEX by_note ON app.\"Orders\" (lower(note) text_pattern_ops) WHERE amount > 5;
         CREATE INDEX by_note_too ON app.\"Orders\" (lower(note) text_pattern_ops) WHERE amount > 5;
         CREATE UNIQUE INDEX alike ON app.\"Orders\" (id, at);
         CREATE INDEX brin ON app.\"Orders\" USING brin (at) WITH (pages_per_range = 16);
         COMMENT ON TABLE app.\"Orders\" IS 'the orders'; COMMENT ON COLUMN app.\"Orders\".note IS 'a note';
         COMMENT ON INDEX app.by_note IS 'an index'; COMMENT ON CONSTRAINT of_customer ON app.\"Orders\" IS 'a foreign key';
         COMMENT ON CONSTRAINT \"Orders key\" ON app.\"Orders\" IS 'the key'; COMMENT ON CONSTRAINT positive ON app.\"Orders\" IS 'a check';
         COMMENT ON SEQUENCE app.\"Orders_id_seq\" IS 'numbers';
         ALTER TABLE app.\"Orders\" ALTER note SET STATISTICS 500, ALTER note SET STORAGE EXTERNAL, ALTER customer SET (n_distinct = -0.5);
         ALTER TABLE app.\"Orders\" SET (fillfactor = 90, toast.autovacuum_enabled = true);
         ALTER TABLE app.\"Orders\" REPLICA IDENTITY USING INDEX alike;
         CREATE STATISTICS app.related ON customer, amount FROM app.\"Orders\";
         GRANT SELECT, INSERT, UPDATE ON app.\"Orders\" TO conv_reader; GRANT UPDATE (note) ON app.\"Orders\" TO conv_viewer WITH GRANT OPTION;
         GRANT SELECT ON app.\"Orders\" TO conv_viewer; GRANT SELECT ON app.\"Orders\" TO PUBLIC;
         REVOKE ALL ON SEQUENCE app.\"Orders_id_seq\" FROM conv_reader; GRANT USAGE ON SEQUENCE app.\"Orders_id_seq\" TO conv_reader;
         CREATE POLICY mine ON app.\"Orders\" FOR SELECT TO conv_reader USING (customer IN (SELECT c.id FROM app.customer c)) ;
         CREATE POLICY writes ON app.\"Orders\" FOR ALL TO PUBLIC USING (true) WITH CHECK (amount < 1000000);
         COMMENT ON POLICY mine ON app.\"Orders\" IS 'a policy';
         ALTER TABLE app.\"Orders\" ENABLE ROW LEVEL SECURITY;
         GRANT SELECT ON app.customer TO conv_reader, conv_viewer;
         CREATE TABLE app.line (\"order\" bigint, order_at timestamptz, what text,
           CONSTRAINT of_order FOREIGN KEY (\"order\", order_at) REFERENCES app.\"Orders\" (id, at) ON UPDATE CASCADE);
         COMMENT ON CONSTRAINT of_order ON app.line IS 'refers';
         CREATE FUNCTION app.touched() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
         CREATE TABLE app.seen (who text, super boolean, what text);
         GRANT INSERT ON app.seen TO PUBLIC;
         CREATE FUNCTION app.noted() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN INSERT INTO app.seen SELECT current_user, rolsuper, TG_OP FROM pg_roles WHERE rolname = current_user; RETURN NULL; END $$;
         CREATE TRIGGER \"Touch\" BEFORE UPDATE OF note, amount ON app.\"Orders\" FOR EACH ROW WHEN (OLD.note IS DISTINCT FROM NEW.note) EXECUTE FUNCTION app.touched();
         CREATE TRIGGER quiet AFTER DELETE ON app.\"Orders\" FOR EACH ROW EXECUTE FUNCTION app.noted();
         CREATE TRIGGER statement AFTER INSERT ON app.\"Orders\" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION app.noted();
         ALTER TABLE app.\"Orders\" DISABLE TRIGGER quiet; ALTER TABLE app.\"Orders\" ENABLE ALWAYS TRIGGER \"Touch\";
         COMMENT ON TRIGGER quiet ON app.\"Orders\" IS 'a trigger';
         RESET ROLE;
         SET ROLE conv_viewer;
         CREATE VIEW app.\"Big\" WITH (security_barrier = true, check_option = local) AS SELECT id, at, amount, note AS \"Note\" FROM app.\"Orders\" WHERE amount > 5;
         CREATE VIEW app.grouped AS SELECT o.*, count(*) AS n FROM app.\"Orders\" o GROUP BY o.id, o.at;
         CREATE VIEW app.above AS SELECT * FROM app.\"Big\";
         GRANT SELECT ON app.\"Big\" TO conv_reader;
         RESET ROLE;
         CREATE PUBLICATION orders FOR TABLE app.\"Orders\", app.customer WITH (publish_via_partition_root = true)",
    );
    db.exec(&format!(
        "INSERT INTO app.\"Orders\" (at, customer, amount, note)
         SELECT now() - g % 864000 * interval '1 second', 1 + g % 50, g % 100, 'n' || g FROM generate_series(1, {rows}) g;
         INSERT INTO app.line SELECT id, at, 'x' FROM app.\"Orders\" ORDER BY id LIMIT 1000;
         TRUNCATE app.seen; ANALYZE app.\"Orders\""
    ));
}
