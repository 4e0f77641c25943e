use crate::lint::catalog::types::{BYTEA, OID};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::words;
use crate::lint::rule::{case, Category, Param, Rollup, Rule};
use crate::lint::rules::types::fills_toast_alone;

pub static RULE: Rule = Rule {
    code: "TYP022",
    name: "large_object_or_blob",
    category: Category::Types,
    severity: Severity::Warning,
    title: "Files are kept in the database",
    why: "A large object is only pointed at: deleting the row leaves it behind, no foreign key or row-level \
          security holds it, and logical replication does not carry it (info where a trigger of lo_manage \
          cleans up). Large bytea values make backups, replication and VACUUM slow for the rest of the \
          table. Told of columns of type lo, of oid columns called like a file, and of tables whose one bytea \
          column leaves 64 kB a row and 100 MB in all in TOAST. Icons and signatures are welcome.",
    bad: "CREATE TABLE documents (id bigint PRIMARY KEY, content oid);",
    good: "CREATE TABLE documents (id bigint PRIMARY KEY, object_key text NOT NULL, sha256 bytea NOT NULL);",
    remedy: "object storage and its key in the row; bytea if the values are small; vacuumlo for what was left behind",
    peers: "pg-index-health, SchemaCrawler TooManyLobs, sqlcheck 2003",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[
        Param { name: "kilobytes", default: 64.0, about: "kB of TOAST a row" },
        Param { name: "megabytes", default: 100.0, about: "MB of TOAST of the table" },
    ],
    recommended: true,
    check,
    fires: &[
        case("oid, quoted", r#"CREATE TABLE "T.t" (id int, "FileContent" oid)"#),
        case("lo", "CREATE DOMAIN lo AS oid; CREATE TABLE t (id int, x lo)"),
        case("large bytea", "CREATE TABLE t (id int, scan bytea); UPDATE pg_class SET reltuples = 1000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 20000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
        case("partitioned, told once", "CREATE TABLE t (id int, photo oid) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("an oid of something else", "CREATE TABLE t (relid oid, table_oid oid, file_id int)"),
        case("small bytea", "CREATE TABLE t (id int, icon bytea); UPDATE pg_class SET reltuples = 1000000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 20000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
        case("few of them", "CREATE TABLE t (id int, scan bytea); UPDATE pg_class SET reltuples = 10 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 2000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
        case("something else may be large", "CREATE TABLE t (id int, hash bytea, body text); UPDATE pg_class SET reltuples = 1000 WHERE oid = 't'::regclass; UPDATE pg_class SET relpages = 20000 WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 't'::regclass)"),
        case("a view, temporary", "CREATE TABLE u (id int); CREATE VIEW v AS SELECT 1::oid AS content; CREATE TEMP TABLE t (content oid)"),
    ],
};

const FILES: &[&str] = &[
    "blob",
    "lob",
    "file",
    "content",
    "contents",
    "image",
    "photo",
    "picture",
    "document",
    "attachment",
    "avatar",
    "data",
    "scan",
    "pdf",
    "video",
    "audio",
    "bytes",
    "body",
];

fn check(c: &Catalog, out: &mut Report) {
    let each = c.param(&RULE, "kilobytes") * 1024.0;
    let total = c.param(&RULE, "megabytes") * 1024.0 * 1024.0;
    for (t, a) in c.columns() {
        if a.base_type == OID {
            out.examine(&t.schema);
            if let Some(sure) = is_large_object(a) {
                let column = t.column_object(a);
                let message = format!("column {} points at large objects", column.identity);
                let severity = if cleans_up(c, t) { Severity::Info } else { Severity::Warning };
                out.find(Finding::new(column, message).severity(severity).confidence(sure));
            }
        } else if a.base_type == BYTEA && fills_toast_alone(t, a) {
            out.examine(&t.schema);
            let bytes = t.toast_pages as f64 * 8192.0;
            if t.tuples >= 1.0 && bytes >= total && bytes / t.tuples >= each {
                let column = t.column_object(a);
                let kilobytes = (bytes / t.tuples / 1024.0).round();
                let message = format!("column {} holds about {kilobytes} kB a row", column.identity);
                out.find(Finding::new(column, message).confidence(0.6).evidence("kilobytes", kilobytes));
            }
        }
    }
}

fn is_large_object(a: &Attribute) -> Option<f32> {
    if a.type_oid != OID {
        return (a.type_name == "lo" || a.type_name.ends_with(".lo")).then_some(1.0);
    }
    let file = words(&a.name).last().is_some_and(|w| FILES.contains(&w.as_str()));
    file.then_some(0.7)
}

fn cleans_up(c: &Catalog, t: &Relation) -> bool {
    t.triggers.iter().any(|g| g.enabled && c.function(g.function).is_some_and(|f| f.name == "lo_manage"))
}
