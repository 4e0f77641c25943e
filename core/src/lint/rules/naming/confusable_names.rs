use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Object, Report, Severity};
use crate::lint::rule::{case, Category, Rollup, Rule};
use std::collections::HashMap;

pub static RULE: Rule = Rule {
    code: "NAM012",
    name: "confusable_names",
    category: Category::Naming,
    severity: Severity::Warning,
    title: "Two names differ only by case, marks or letters that look alike",
    why: "user_id and userid in one table, \"Orders\" beside orders, a Cyrillic letter among Latin ones: half \
          of the queries use the wrong one, and no error says so. Compared are the columns of a table, and \
          the tables and views of a schema, in small letters, without underscores, blanks and hyphens, with \
          0 for O and 1 for l, and letters of other alphabets that look like Latin ones.",
    bad: "CREATE TABLE orders (user_id int, userid int);",
    good: "CREATE TABLE orders (user_id int);",
    remedy: "drop or rename one of them",
    peers: "db_verifier n1001-n1025",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("an underscore", "CREATE TABLE t (user_id int, userid int)"),
        case("case, quoted", r#"CREATE TABLE "Orders" (id int); CREATE TABLE orders (id int)"#),
        case("a view, three of them", r#"CREATE TABLE order_items (id int); CREATE VIEW orderitems AS SELECT 1 AS a; CREATE TABLE "Order-Items" (id int)"#),
        case("letters that look alike", "CREATE TABLE t (price int, рrice int, total int, tota1 int)"),
        case("like one from a parent, told once", "CREATE TABLE p (user_id int, userid int); CREATE TABLE t (\"userId\" int) INHERITS (p)"),
        case("partitioned, told once", "CREATE TABLE t (is_paid bool, ispaid bool) PARTITION BY LIST (is_paid); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("plainly others", "CREATE TABLE t (user_id int, users_id int, id int, uid int)"),
        case("numbers", "CREATE TABLE t (a1 int, al int, l1 int, ll int, x10 int, x_1_0 int, v1 int, v2 int, p_1 int, p_11 int, p_1_1 int)"),
        case("in different tables and schemas", "CREATE SCHEMA s; CREATE TABLE orders (user_id int); CREATE TABLE items (userid int); CREATE TABLE s.\"Orders\" (id int)"),
        case("partitions", "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("temporary", "CREATE TABLE orders (id int); CREATE TEMP TABLE \"Orders\" (user_id int, userid int)"),
        case("from a parent", "CREATE TABLE p (a int); CREATE TABLE t (b int) INHERITS (p)"),
        case("another alphabet", "CREATE TABLE t (цена int, сумма int, größe int, grosse int)"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut relations: HashMap<&str, Vec<Named>> = HashMap::new();
    for r in c.linted_relations() {
        relations.entry(&r.schema).or_default().push(Named(r, None));
        if r.is_table() {
            compare(r.attributes.iter().map(|a| Named(r, Some(a))).collect(), out);
        }
    }
    relations.into_values().for_each(|names| compare(names, out));
}

/// A relation, or a column of it.
#[derive(Clone, Copy)]
struct Named<'c>(&'c Relation, Option<&'c Attribute>);

impl<'c> Named<'c> {
    fn name(self) -> &'c str {
        self.1.map_or(&self.0.name, |a| &a.name)
    }

    fn inherited(self) -> bool {
        self.1.is_some_and(|a| a.inherited)
    }

    fn object(self) -> Object {
        self.1.map_or_else(|| self.0.object(), |a| self.0.column_object(a))
    }

    fn kind(self) -> &'static str {
        if self.1.is_some() {
            "column"
        } else {
            "relation"
        }
    }
}

/// Names of one scope. Of those alike all but the first are told, inherited ones where they come from.
fn compare(mut names: Vec<Named>, out: &mut Report) {
    names.sort_by_key(|n| (!n.inherited(), n.name()));
    let mut seen: HashMap<String, Named> = HashMap::new();
    for n in names {
        if !n.inherited() {
            out.examine_kind(&n.0.schema, n.kind());
        }
        let Some(other) = seen.insert(look(n.name()), n) else { continue };
        if !n.inherited() {
            let (object, other) = (n.object(), other.object().identity);
            let message = format!("{} {} is easily taken for {other}", object.kind, object.identity);
            out.find(Finding::new(object, message).confidence(0.8).evidence("other", other));
        }
    }
}

/// What is left of a name at a glance.
fn look(name: &str) -> String {
    let chars: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
    let digit = |i: Option<usize>| i.and_then(|i| chars.get(i)).is_some_and(char::is_ascii_digit);
    let mark = |c: char| matches!(c, '_' | ' ' | '-');
    let letters = chars.iter().filter(|c| c.is_alphabetic()).count();
    // one foreign letter among Latin ones is a slip; a foreign word is not
    let latin = chars.iter().any(char::is_ascii_alphabetic);
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        // 1_0 is not 10
        if mark(*c) && !(digit(i.checked_sub(1)) && digit(Some(i + 1))) {
            continue;
        }
        // tota1, o0ps: a single digit in a word of some length
        let among = letters >= 3 && chars.len() >= 4 && !digit(i.checked_sub(1)) && !digit(Some(i + 1));
        out.push(match c {
            '0' if among => 'o',
            '1' if among => 'l',
            c if latin => latin_of(*c),
            c => *c,
        });
    }
    out
}

fn latin_of(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'е' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'х' => 'x',
        'у' => 'y',
        'і' | 'ı' | 'ι' => 'i',
        'ѕ' => 's',
        'ј' => 'j',
        'ԁ' => 'd',
        'κ' | 'к' => 'k',
        'ν' => 'v',
        'м' => 'm',
        'т' => 't',
        'в' => 'b',
        'н' => 'h',
        c => c,
    }
}
