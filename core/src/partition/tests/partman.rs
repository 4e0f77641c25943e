use super::*;
use serde_json::json;

/// A row as version 4.7 has it, with some columns changed.
fn v4(changed: Value) -> Value {
    with(
        json!({"parent_table": "public.t", "control": "at", "partition_type": "native", "partition_interval": "1 day",
            "constraint_cols": null, "premake": 4, "optimize_trigger": 4, "optimize_constraint": 30, "epoch": "none",
            "inherit_fk": true, "retention": null, "retention_schema": null, "retention_keep_table": true,
            "retention_keep_index": true, "infinite_time_partitions": true, "datetime_string": "YYYY_MM_DD",
            "automatic_maintenance": "on", "jobmon": false, "sub_partition_set_full": false, "undo_in_progress": false,
            "trigger_exception_handling": false, "upsert": "", "trigger_return_null": true,
            "template_table": "partman.template_public_t", "publications": null, "inherit_privileges": true,
            "constraint_valid": true, "subscription_refresh": null, "drop_cascade_fk": false,
            "ignore_default_data": true}),
        changed,
    )
}

/// As version 5.5 has it.
fn v5(changed: Value) -> Value {
    with(
        json!({"parent_table": "public.t", "control": "at", "time_encoder": null, "time_decoder": null,
            "partition_interval": "1 day", "partition_type": "range", "premake": 4, "automatic_maintenance": "on",
            "template_table": "partman.template_public_t", "retention": null, "retention_schema": null,
            "retention_keep_index": true, "retention_keep_table": true, "epoch": "none", "constraint_cols": null,
            "optimize_constraint": 30, "infinite_time_partitions": true, "datetime_string": "YYYYMMDD", "jobmon": false,
            "sub_partition_set_full": false, "undo_in_progress": false, "inherit_privileges": true,
            "constraint_valid": true, "ignore_default_data": true, "date_trunc_interval": null,
            "maintenance_order": null, "retention_keep_publication": false, "maintenance_last_run": null,
            "detach_before_drop": false, "maintenance_role": null, "async_partitioning_in_progress": null,
            "child_table_prefix": "_p"}),
        changed,
    )
}

fn with(mut row: Value, changed: Value) -> Value {
    let columns = row.as_object_mut().unwrap();
    columns.extend(changed.as_object().unwrap().clone());
    row
}

type Version = fn(Value) -> Value;
const BOTH: [Version; 2] = [v4, v5];

#[test]
fn a_plain_set_of_either_version() {
    for version in BOTH {
        let expected = Config {
            every: "1 day".into(),
            ahead: 4,
            key: Kind::Time,
            retention: None,
            template: Some(("partman".into(), "template_public_t".into())),
            notes: vec![],
        };
        assert_eq!(read(&version(json!({}))), Ok(expected));
        // more columns absent than any version lacks
        let least = json!({"partition_type": "range", "partition_interval": "1 mon", "premake": 2,
            "infinite_time_partitions": true, "inherit_privileges": true});
        assert_eq!(read(&least).unwrap().every, "1 mon");
    }
}

#[test]
fn widths_by_name_and_as_intervals() {
    let names = [
        ("yearly", "1 year"),
        ("quarterly", "3 months"),
        ("monthly", "1 month"),
        ("weekly", "1 week"),
        ("daily", "1 day"),
        ("hourly", "1 hour"),
        ("half-hour", "30 minutes"),
        ("quarter-hour", "15 minutes"),
        ("7 days", "7 days"),
        ("01:00:00", "01:00:00"),
    ];
    for (theirs, ours) in names {
        assert_eq!(read(&v4(json!({"partition_interval": theirs}))).unwrap().every, ours);
    }
}

#[test]
fn keys_that_are_not_times() {
    let units = [("seconds", "s"), ("milliseconds", "ms"), ("microseconds", "us"), ("nanoseconds", "ns")];
    for (theirs, ours) in units {
        for version in BOTH {
            assert_eq!(read(&version(json!({"epoch": theirs}))).unwrap().key.unit(), Some(ours));
        }
    }
    for encoder in
        ["partman.uuid7_time_encoder", "uuid7_time_encoder", "\"P\".\"uuid7_time_encoder\"(timestamptz)"]
    {
        let row = v5(json!({"time_encoder": encoder, "time_decoder": "partman.uuid7_time_decoder"}));
        assert_eq!(read(&row).unwrap().key, Kind::Uuid, "{encoder}");
    }
    for encoder in ["app.encode", "partman.not_uuid7_time_encoder", ""] {
        let refusal = read(&v5(json!({"time_encoder": encoder}))).unwrap_err();
        assert!(refusal.message.contains("encoded by"), "{refusal:?}");
    }
    assert!(read(&v5(json!({"epoch": "fortnights"}))).is_err());
}

#[test]
fn retention() {
    let read = |changed: Value| {
        let Retention { retain, retire, schema } = super::read(&v5(changed)).unwrap().retention.unwrap();
        (retain, retire, schema)
    };
    assert_eq!(read(json!({"retention": "30 days"})), ("30 days".into(), "detach", None));
    assert_eq!(
        read(json!({"retention": "1 year", "retention_keep_table": false})),
        ("1 year".into(), "drop", None)
    );
    // a schema wins
    for keep in [true, false] {
        let moved = json!({"retention": "1 year", "retention_keep_table": keep, "retention_schema": "arch"});
        assert_eq!(read(moved), ("1 year".into(), "move", Some("arch".into())));
    }
}

#[test]
fn what_cannot_be_taken_over() {
    for (changed, word) in [
        (json!({"partition_type": "partman"}), "triggers"),
        (json!({"partition_type": "time-custom"}), "triggers"),
        (json!({"partition_type": "list"}), "list"),
        (json!({"undo_in_progress": true}), "apart"),
        (json!({"sub_partition_set_full": true}), "full"),
        (json!({"async_partitioning_in_progress": "public.moving"}), "moving"),
    ] {
        let refusal = read(&v5(changed)).unwrap_err();
        assert!(refusal.message.contains(word) && refusal.hint.ends_with('.'), "{refusal:?}");
    }
}

#[test]
fn each_setting_without_a_counterpart_is_named() {
    for (changed, name) in [
        (json!({"infinite_time_partitions": false}), "infinite_time_partitions"),
        (json!({"inherit_privileges": false}), "inherit_privileges"),
        (json!({"inherit_privileges": null}), "inherit_privileges"),
        (json!({"ignore_default_data": false}), "ignore_default_data"),
        (json!({"maintenance_order": 1}), "maintenance_order"),
        (json!({"jobmon": true}), "jobmon"),
        (json!({"constraint_cols": ["a", "b"]}), "constraint_cols"),
        (json!({"publications": ["p"]}), "publications"),
        (json!({"subscription_refresh": "s"}), "subscription_refresh"),
        (json!({"retention": "1 day", "retention_keep_index": false}), "retention_keep_index"),
        (json!({"retention": "1 day", "retention_keep_publication": true}), "retention_keep_publication"),
        (json!({"retention": "1 day", "drop_cascade_fk": true}), "drop_cascade_fk"),
        (json!({"maintenance_role": "keeper"}), "maintenance_role"),
        (json!({"invented_later": "x"}), "invented_later"),
    ] {
        for version in BOTH {
            let notes = read(&version(changed.clone())).unwrap().notes;
            assert_eq!(notes.len(), 1, "{notes:?}");
            assert!(notes[0].starts_with(name) && notes[0].ends_with('.'), "{notes:?}");
        }
    }
    // of no consequence without retention, or when tables are dropped
    let quiet =
        json!({"retention_keep_index": false, "retention_keep_publication": true, "drop_cascade_fk": true});
    assert_eq!(read(&v5(quiet)).unwrap().notes, Vec::<String>::new());
    let dropped = json!({"retention": "1 day", "retention_keep_table": false, "retention_keep_index": false});
    assert_eq!(read(&v5(dropped)).unwrap().notes, Vec::<String>::new());
}

#[test]
fn names() {
    assert_eq!(split("public.t"), Some(("public".into(), "t".into())));
    assert_eq!(split("public.a.b"), Some(("public".into(), "a.b".into())));
    assert_eq!(split("t"), None);
}
