//! Odd names and columns, and the configuration of version 5.

use super::{database, hand_over, set};

#[test]
fn odd_names_and_columns() {
    let Some(mut db) = database() else { return };
    let long = "L".repeat(63);
    for table in ["Odd \"one\"".replace('"', "'"), "order".into(), long] {
        db.exec(&format!(
            "CREATE TABLE public.\"{table}\" (gone int, id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, n int,
               twice int GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
             ALTER TABLE public.\"{table}\" DROP COLUMN gone"
        ));
        let name = format!("public.{}", table.replace('\'', "''"));
        hand_over(&mut db, &name, "1 day", "none");
    }
    let done = db.lines("SELECT state FROM dbguard.partition_import_partman()");
    assert_eq!(done, ["imported"; 3]);
    db.exec("UPDATE dbguard.partition_set SET ahead = 6");
    db.exec("CALL dbguard.partition_maintain()");
    assert_eq!(db.lines("SELECT DISTINCT state, missing FROM dbguard.partition_status()"), ["ok | 0"]);
    db.exec("INSERT INTO public.\"order\" (at, n) VALUES (now() + interval '6 days', 2)");
    assert_eq!(db.value("SELECT twice FROM public.\"order\""), "4");
}

/// Turns the configuration of version 4 into that of 5.5, column by column.
const VERSION_5: &str = "
    ALTER TABLE partman.part_config
      DROP CONSTRAINT part_config_type_check, DROP CONSTRAINT part_config_epoch_check,
      DROP COLUMN optimize_trigger, DROP COLUMN inherit_fk, DROP COLUMN trigger_exception_handling, DROP COLUMN upsert,
      DROP COLUMN trigger_return_null, DROP COLUMN publications, DROP COLUMN subscription_refresh, DROP COLUMN drop_cascade_fk,
      ADD COLUMN time_encoder text, ADD COLUMN time_decoder text, ADD COLUMN date_trunc_interval text,
      ADD COLUMN maintenance_order int, ADD COLUMN retention_keep_publication boolean NOT NULL DEFAULT false,
      ADD COLUMN maintenance_last_run timestamptz, ADD COLUMN detach_before_drop boolean DEFAULT false,
      ADD COLUMN maintenance_role text DEFAULT current_user, ADD COLUMN async_partitioning_in_progress text,
      ADD COLUMN child_table_prefix text NOT NULL DEFAULT '_p';
    UPDATE partman.part_config SET partition_type = 'range'";

#[test]
fn the_configuration_of_version_5() {
    let Some(mut db) = database() else { return };
    if !db.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_partman'").starts_with("4.") {
        return;
    }
    set(&mut db, "t", "timestamptz", "1 day", "none");
    db.exec("CREATE TABLE u (id uuid PRIMARY KEY, v text) PARTITION BY RANGE (id)");
    db.exec(VERSION_5);
    // months of UUIDv7, as its encoder writes them
    db.exec(
        "CREATE FUNCTION encoded(at timestamp) RETURNS uuid LANGUAGE sql RETURN
           rpad(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
         DO $$ DECLARE m timestamp := date_trunc('month', now() AT TIME ZONE 'UTC'); BEGIN
           FOR n IN 0..2 LOOP
             EXECUTE format('CREATE TABLE u_p%s PARTITION OF u FOR VALUES FROM (%L) TO (%L)', n,
                            encoded(m + n * interval '1 month'), encoded(m + (n + 1) * interval '1 month'));
           END LOOP; END $$;
         INSERT INTO partman.part_config (parent_table, control, partition_type, partition_interval, premake, time_encoder, time_decoder)
           VALUES ('public.u', 'id', 'range', '1 mon', 2, 'partman.uuid7_time_encoder', 'partman.uuid7_time_decoder')",
    );
    let rows = db.rows("SELECT table_name, state, message FROM dbguard.partition_import_partman()");
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row[1], "imported", "{row:?}");
        assert!(row[2].contains("missing: 0.") && row[2].contains("not as postgres"), "{}", row[2]);
        assert!(!row[2].contains("not known to this version"), "{}", row[2]);
    }
    db.exec("UPDATE dbguard.partition_set SET ahead = ahead + 2");
    db.exec("CALL dbguard.partition_maintain()");
    let last = "SELECT encoded(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '5 months')";
    let last = db.value(last);
    assert_eq!(db.value("SELECT covered_until FROM dbguard.partition_status() WHERE table_name = 'u'"), last);
}
