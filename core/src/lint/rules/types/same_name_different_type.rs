use crate::lint::catalog::types::{JSON, JSONB, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use std::collections::{BTreeMap, HashMap};

pub static RULE: Rule = Rule {
    code: "TYP021",
    name: "same_name_different_type",
    category: Category::Types,
    severity: Severity::Info,
    title: "Column has another type than its namesakes",
    why: "customer_id is bigint in nine tables and integer in the tenth: joins cast, and the day its \
          values outgrow the narrow one they fail. Told for the few against the many: at least four \
          columns of a name in a schema, three quarters of them of one type. Names that say nothing by \
          themselves (id, value, name, type, data and the like) may have any type; text and varchar are \
          one, and JSON is never held against columns that are none.",
    bad: "CREATE TABLE orders (customer_id bigint); CREATE TABLE notes (customer_id int);",
    good: "CREATE TABLE orders (customer_id bigint); CREATE TABLE notes (customer_id bigint);",
    remedy: "the type that the others have, or a name of its own",
    peers: "pg-index-health, SchemaCrawler ColumnTypes",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("one of four", "CREATE TABLE a (user_ref bigint); CREATE TABLE b (user_ref bigint); CREATE TABLE c (user_ref bigint); CREATE TABLE d (user_ref int)"),
        case("quoted", r#"CREATE TABLE a ("Cust.ref" uuid); CREATE TABLE b ("Cust.ref" uuid); CREATE TABLE c ("Cust.ref" uuid); CREATE TABLE "D.d" ("Cust.ref" text)"#),
    ],
    silent: &[
        case("all alike", "CREATE TABLE a (user_ref int); CREATE TABLE b (user_ref int); CREATE TABLE c (user_ref int); CREATE TABLE d (user_ref int)"),
        case("half and half", "CREATE TABLE a (user_ref int); CREATE TABLE b (user_ref int); CREATE TABLE c (user_ref bigint); CREATE TABLE d (user_ref bigint)"),
        case("too few", "CREATE TABLE a (user_ref int); CREATE TABLE b (user_ref int); CREATE TABLE c (user_ref bigint)"),
        case("says nothing", "CREATE TABLE a (value int); CREATE TABLE b (value int); CREATE TABLE c (value int); CREATE TABLE d (value text)"),
        case("a document of the same", "CREATE TABLE a (models text[]); CREATE TABLE b (models text[]); CREATE TABLE c (models text[]); CREATE TABLE d (models jsonb)"),
        case("text and varchar", "CREATE TABLE a (city text); CREATE TABLE b (city text); CREATE TABLE c (city text); CREATE TABLE d (city varchar(80))"),
        case("another schema", "CREATE SCHEMA s; CREATE TABLE a (user_ref int); CREATE TABLE b (user_ref int); CREATE TABLE c (user_ref int); CREATE TABLE s.d (user_ref bigint)"),
        case("partitions are one", "CREATE TABLE a (user_ref int); CREATE TABLE t (user_ref bigint) PARTITION BY LIST (user_ref); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3)"),
        case("temporary", "CREATE TABLE a (user_ref int); CREATE TABLE b (user_ref int); CREATE TABLE c (user_ref int); CREATE TEMP TABLE d (user_ref bigint)"),
    ],
};

const SAYS_NOTHING: &[&str] = &[
    "id",
    "value",
    "values",
    "name",
    "type",
    "kind",
    "data",
    "key",
    "code",
    "status",
    "state",
    "metadata",
    "details",
    "content",
    "body",
    "description",
    "comment",
    "note",
    "notes",
    "number",
    "amount",
    "count",
    "size",
    "level",
    "result",
    "options",
    "config",
    "settings",
    "payload",
    "version",
    "position",
    "from",
    "to",
    "start",
    "end",
    "date",
    "time",
    "default",
    "parameters",
    "params",
    "args",
    "tags",
    "source",
    "target",
    "score",
    "weight",
    "title",
    "label",
    "url",
    "reference",
    "duration",
    "period",
    "unit",
    "format",
    "mode",
    "priority",
    "category",
    "language",
    "length",
];

fn check(c: &Catalog, out: &mut Report) {
    let mut namesakes: BTreeMap<(&str, &str), Vec<(&Relation, &Attribute)>> = BTreeMap::new();
    for (t, a) in c.columns().filter(|(_, a)| !SAYS_NOTHING.contains(&a.name.to_ascii_lowercase().as_str())) {
        namesakes.entry((&t.schema, &a.name)).or_default().push((t, a));
    }
    for ((schema, _), columns) in namesakes.into_iter().filter(|(_, columns)| columns.len() >= 4) {
        columns.iter().for_each(|_| out.examine(schema));
        let mut types: HashMap<u32, usize> = HashMap::new();
        for (_, a) in &columns {
            *types.entry(kind(a)).or_default() += 1;
        }
        let Some((usual, count)) = types.into_iter().max_by_key(|(_, count)| *count) else { continue };
        if count * 4 < columns.len() * 3 {
            continue;
        }
        let Some((_, like)) = columns.iter().find(|(_, a)| kind(a) == usual) else { continue };
        // a document is not compared with values, but json and jsonb with each other are
        let json = |a: &Attribute| matches!(a.base_type, JSON | JSONB);
        for (t, a) in columns.iter().filter(|(_, a)| kind(a) != usual && json(a) == json(like)) {
            let column = t.column_object(a);
            let message = format!(
                "column {} is {}; {count} others of the name are {}",
                column.identity, a.type_name, like.type_name
            );
            out.find(
                Finding::new(column, message).confidence(0.8).evidence("usual_type", like.type_name.as_str()),
            );
        }
    }
}

fn kind(a: &Attribute) -> u32 {
    if a.base_type == VARCHAR {
        TEXT
    } else {
        a.base_type
    }
}
