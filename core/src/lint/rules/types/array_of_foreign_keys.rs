use crate::lint::catalog::types::ARRAYS_OF_KEYS;
use crate::lint::catalog::Catalog;
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "TYP025",
    name: "array_of_foreign_keys",
    category: Category::Types,
    severity: Severity::Info,
    title: "Array holds keys of other rows",
    why: "No foreign key watches over its elements: rows that are deleted stay named in it, joins need \
          unnest, and two sessions that add an element each overwrite one another. Told by the name \
          (..._ids) and an element type that keys have; arrays that only cache what another table \
          says are fine: ignore those with the reason.",
    bad: "CREATE TABLE posts (id bigint PRIMARY KEY, tag_ids bigint[]);",
    good: "CREATE TABLE post_tags (post_id bigint REFERENCES posts, tag_id bigint REFERENCES tags, PRIMARY KEY (post_id, tag_id));",
    remedy: "a table of pairs with two foreign keys",
    peers: "sqlcheck 1001",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("bigint", "CREATE TABLE t (tag_ids bigint[])"),
        case("uuid, quoted", r#"CREATE TABLE "T.t" ("userIds" uuid[])"#),
        case("63 bytes", "CREATE TABLE t (ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt_ids int[])"),
    ],
    silent: &[
        case("other elements", "CREATE TABLE t (tag_ids text[], ids_ text[])"),
        case("another name", "CREATE TABLE t (scores int[], kids int[])"),
        case("no array", "CREATE TABLE t (tag_ids bigint)"),
        case("a view's column", "CREATE VIEW v AS SELECT ARRAY[1] AS tag_ids"),
        case("temporary", "CREATE TEMP TABLE t (tag_ids int[])"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    for (t, a) in c.columns() {
        out.examine(&t.schema);
        if ARRAYS_OF_KEYS.contains(&a.base_type)
            && (a.name.to_ascii_lowercase().ends_with("_ids") || a.name.ends_with("Ids"))
        {
            let column = t.column_object(a);
            let message =
                format!("column {} is {}: nothing checks the keys in it", column.identity, a.type_name);
            out.find(Finding::new(column, message).confidence(0.7));
        }
    }
}
