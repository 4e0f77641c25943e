use crate::lint::catalog::{Attribute, Catalog, Constraint, Relation, RelationKind};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::idents;

pub static RULE: Rule = Rule {
    code: "INT050",
    name: "join_table_without_unique_pair",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Join table may hold the same pair twice",
    why: "A table that is nothing but a link of two others (two foreign keys, perhaps a key of its own \
          and times or names of who made it) with no unique key over the pair: a double click links \
          twice, and every join counts twice. Tables with any column more say something about the \
          link, and may have reason to say it again; tables that others refer to are more than a \
          link.",
    bad: "CREATE TABLE user_roles (user_id int REFERENCES users, role_id int REFERENCES roles);",
    good: "CREATE TABLE user_roles (user_id int REFERENCES users, role_id int REFERENCES roles, PRIMARY KEY (user_id, role_id));",
    remedy: "a unique index over both columns, after the doubles are gone",
    peers: "",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("bare", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES b)"),
        case("with its own key and times", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE t (id bigint PRIMARY KEY, a int REFERENCES a, b int REFERENCES b, created_at timestamptz, updated_by text)"),
        case("quoted, unique only where alive", r#"CREATE TABLE "A.a" (id int PRIMARY KEY); CREATE TABLE "T.t" ("A" int REFERENCES "A.a", b int REFERENCES "A.a"); CREATE UNIQUE INDEX ON "T.t" ("A", b) WHERE b > 0"#),
        case("63 bytes", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa int REFERENCES a, b int REFERENCES a)"),
    ],
    silent: &[
        case("primary key", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES b, PRIMARY KEY (b, a))"),
        case("unique index", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES a, b int REFERENCES a); CREATE UNIQUE INDEX ON t (a, b)"),
        case("says something more", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES a, quantity int)"),
        case("one of them is unique alone", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int UNIQUE REFERENCES a, b int REFERENCES a)"),
        case("referred to", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES a, b int REFERENCES a); CREATE TABLE u (id int REFERENCES t)"),
        case("history", "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES a, b int REFERENCES a, valid_from date)"),
        case("one key of two columns", "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (x int, y int, FOREIGN KEY (x, y) REFERENCES a)"),
        case("temporary", "CREATE TEMP TABLE a (id int PRIMARY KEY); CREATE TEMP TABLE t (a int REFERENCES a, b int REFERENCES a)"),
    ],
};

/// Columns that say who made a row and when, and nothing of what it links.
const BY_THE_WAY: &[&str] = &[
    "created_at",
    "createdat",
    "created_on",
    "created",
    "inserted_at",
    "updated_at",
    "updatedat",
    "updated_on",
    "updated",
    "modified_at",
    "modified_date",
    "modifieddate",
    "last_update",
    "last_updated",
    "last_modified",
    "created_by",
    "createdby",
    "updated_by",
    "updatedby",
    "rowguid",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        // what others refer to is a thing of its own: the copies of a film that a shop has
        if c.is_referred_to(t.oid) {
            continue;
        }
        let Some([first, second]) = links(t) else { continue };
        out.examine(&t.schema);
        let pair = [first.num, second.num];
        let unique = t.indexes.iter().any(|i| {
            i.unique && i.valid && i.predicate.is_none() && i.keys.iter().all(|k| pair.contains(&k.attnum))
        });
        if !unique {
            let names = [first.name.as_str(), second.name.as_str()];
            let message =
                format!("table {} links {} and may hold a pair twice", t.sql_name(), idents(&names));
            out.find(
                Finding::new(t.object(), message).evidence("columns", names.as_slice()).fix(fix(t, &names)),
            );
        }
    }
}

/// The two columns, if the table is nothing but their link.
pub fn links(t: &Relation) -> Option<[&Attribute; 2]> {
    let keys: Vec<&Constraint> = t.constraints.iter().filter(|k| k.kind == 'f').collect();
    let [first, second] = keys.as_slice() else { return None };
    let ([a], [b]) = (first.columns.as_slice(), second.columns.as_slice()) else { return None };
    let of_key = |n: i16| t.primary_key().is_some_and(|p| p.columns == [n]);
    let else_ = |x: &&Attribute| x.num != *a && x.num != *b && !of_key(x.num);
    let by_the_way = |x: &Attribute| BY_THE_WAY.contains(&x.name.to_ascii_lowercase().as_str());
    if a == b || of_key(*a) || of_key(*b) || !t.attributes.iter().filter(else_).all(by_the_way) {
        return None;
    }
    Some([t.attribute(*a)?, t.attribute(*b)?])
}

fn fix(t: &Relation, columns: &[&str; 2]) -> Option<Fix> {
    if t.kind != RelationKind::Table {
        return None;
    }
    let sql = format!("CREATE UNIQUE INDEX CONCURRENTLY ON {} ({});", t.sql_name(), idents(columns));
    Some(Fix::new(sql, Safety::Online))
}
