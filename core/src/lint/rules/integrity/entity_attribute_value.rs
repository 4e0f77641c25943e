use crate::lint::catalog::types::{BPCHAR, JSON, JSONB, TEXT, VARCHAR};
use crate::lint::catalog::{Attribute, Catalog, Relation};
use crate::lint::finding::{Finding, Report, Severity};
use crate::lint::names::{folded, words};
use crate::lint::rule::{case, Category, Rollup, Rule};

pub static RULE: Rule = Rule {
    code: "INT026",
    name: "entity_attribute_value",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Table holds attributes of others as names and values",
    why: "Each row says of some thing that its attribute so-and-so has the value such-and-such: no type, no \
          NOT NULL, no foreign key for any of them, and a query for three attributes joins the table three \
          times. Told of tables of 3 to 8 columns: the id of a thing, an attribute, property or field by \
          name or id, and a value. Settings, tags, translations, logs, measurements and the choices that a \
          question or list offers are left alone.",
    bad: "CREATE TABLE product_attributes (product_id int, attribute_name text, value text);",
    good: "ALTER TABLE products ADD COLUMN colour text, ADD COLUMN weight_g int;",
    remedy: "columns with types of their own; for what really differs from row to row, one jsonb column with a CHECK",
    peers: "sqlcheck 1006",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("attributes in an order", "CREATE TABLE products (id int PRIMARY KEY); CREATE TABLE eav_attributes (id int PRIMARY KEY, product_id int, name text, value text, position int)"),
        case("by name", "CREATE TABLE t (product_id int, attribute_name text, value text)"),
        case("by id", "CREATE TABLE t (id int PRIMARY KEY, entity_id int, attribute_id int, value varchar(255))"),
        case("name and value in a table of attributes, quoted", r#"CREATE TABLE "Product.Attributes" (id int PRIMARY KEY, "productId" int, name text, value text)"#),
        case("several values, partitioned", "CREATE TABLE t (entity_id int, field text, value_text text, value_number numeric, value_date date) PARTITION BY LIST (entity_id); CREATE TABLE t1 PARTITION OF t DEFAULT"),
        case("metadata of posts", "CREATE TABLE postmeta (meta_id int, post_id int, meta_key text, meta_value text)"),
    ],
    silent: &[
        case("settings", "CREATE TABLE settings (key text PRIMARY KEY, value text, note text); CREATE TABLE user_settings (user_id int, key text, value text); CREATE TABLE field_translations (field_id int, locale text, value text)"),
        case("tags, measurements", "CREATE TABLE tags (resource_id int, key text, value text); CREATE TABLE measurements (sensor_id int, property text, value numeric)"),
        case("of nothing", "CREATE TABLE t (attribute text, value text, note text)"),
        case("values that an attribute may have", "CREATE TABLE attribute_values (id int PRIMARY KEY, attribute_id int, value text)"),
        case("choices of a question", "CREATE TABLE question_attributes (id int PRIMARY KEY, question_id int, name text, value text); CREATE TABLE field_choices (id int PRIMARY KEY, form_id int, name text, value text); CREATE TABLE property_list (id int PRIMARY KEY, listing_id int, code text, value text, sort_order int)"),
        case("what changed", "CREATE TABLE change_log (order_id int, field_name text, value text); CREATE TABLE t (order_id int, field text, old_value text, new_value text)"),
        case("wide, temporary", "CREATE TABLE t (a_id int, attribute text, value text, b int, c int, d int, e int, f int, g int); CREATE TEMP TABLE u (product_id int, attribute text, value text)"),
    ],
};

/// Words of tables that are lists of names and values on purpose.
const ON_PURPOSE: &[&str] = &[
    "setting",
    "settings",
    "preference",
    "preferences",
    "config",
    "configs",
    "configuration",
    "configurations",
    "option",
    "options",
    "parameter",
    "parameters",
    "param",
    "params",
    "tag",
    "tags",
    "label",
    "labels",
    "translation",
    "translations",
    "i18n",
    "locale",
    "locales",
    "log",
    "logs",
    "history",
    "audit",
    "audits",
    "change",
    "changes",
    "event",
    "events",
    "metric",
    "metrics",
    "measure",
    "measurement",
    "measurements",
    "reading",
    "readings",
    "stat",
    "stats",
    "statistics",
    "error",
    "errors",
    "filter",
    "filters",
    "rule",
    "rules",
    "condition",
    "conditions",
    "cache",
    "header",
    "headers",
    "secret",
    "secrets",
    "variable",
    "variables",
    "env",
    "choice",
    "choices",
    "answer",
    "answers",
    "lookup",
    "lookups",
    "enum",
    "enums",
    "dropdown",
    "dropdowns",
    "selection",
    "selections",
];

/// What has choices: under a bare name, its rows are these and no attributes.
const OFFERS: &[&str] = &[
    "question",
    "poll",
    "survey",
    "quiz",
    "form",
    "list",
    "enum",
    "lookup",
    "dropdown",
    "select",
    "field",
    "attribute",
    "property",
];

/// Columns of rows that somebody is shown in an order.
const ORDERED: &[&str] = &[
    "position",
    "sortorder",
    "displayorder",
    "sortkey",
    "sort",
    "ordinal",
    "rank",
    "seq",
    "sequence",
    "isdefault",
];

/// What names the attribute, folded; the last ones only in a table of attributes.
const ATTRIBUTE: &[&str] = &[
    "attribute",
    "attributename",
    "attributekey",
    "attributecode",
    "attr",
    "attrname",
    "attrkey",
    "property",
    "propertyname",
    "propertykey",
    "field",
    "fieldname",
    "fieldkey",
    "customfield",
    "metakey",
    "metaname",
];
const ATTRIBUTE_IDS: &[&str] = &["attributeid", "attrid", "propertyid", "fieldid", "customfieldid"];
const BARE: &[&str] = &["name", "key", "code"];
const TABLES: &[&str] = &[
    "attribute",
    "attributes",
    "attr",
    "attrs",
    "property",
    "properties",
    "field",
    "fields",
    "eav",
    "meta",
    "metadata",
];

const VALUES: &[&str] = &[
    "value",
    "val",
    "attributevalue",
    "attrvalue",
    "propertyvalue",
    "fieldvalue",
    "metavalue",
    "textvalue",
    "stringvalue",
    "valuetext",
    "valuestring",
    "valuevarchar",
];

fn check(c: &Catalog, out: &mut Report) {
    for t in c.tables() {
        out.examine(&t.schema);
        if let (3..=8, Some((thing, attribute, value))) = (t.attributes.len(), triple(t)) {
            let message = format!(
                "table {} holds attributes of {} as names and values ({}, {})",
                t.sql_name(),
                thing.name,
                attribute.name,
                value.name
            );
            let columns = vec![thing.name.as_str(), &attribute.name, &value.name];
            out.find(Finding::new(t.object(), message).confidence(0.6).evidence("columns", columns));
        }
    }
}

fn triple(t: &Relation) -> Option<(&Attribute, &Attribute, &Attribute)> {
    let name = words(&t.name);
    if name.iter().any(|w| ON_PURPOSE.contains(&w.as_str())) {
        return None;
    }
    let of_attributes = name.iter().any(|w| TABLES.contains(&w.as_str()) || w.ends_with("meta"));
    let text = |a: &Attribute| matches!(a.base_type, TEXT | VARCHAR | BPCHAR);
    let find =
        |what: &dyn Fn(&Attribute, &str) -> bool| t.attributes.iter().find(|a| what(a, &folded(&a.name)));
    let value = find(&|a, n| VALUES.contains(&n) && (text(a) || matches!(a.base_type, JSON | JSONB)))?;
    let attribute = find(&|a, n| text(a) && (ATTRIBUTE.contains(&n) || (of_attributes && BARE.contains(&n))))
        .or_else(|| find(&|_, n| ATTRIBUTE_IDS.contains(&n)))?;
    let own_key = |a: &Attribute| t.primary_key().is_some_and(|k| k.columns == [a.num]);
    let thing = t.attributes.iter().find(|a| {
        let words = words(&a.name);
        words.len() > 1
            && words.last().is_some_and(|w| w == "id")
            && !ATTRIBUTE_IDS.contains(&folded(&a.name).as_str())
            && !own_key(a)
            && folded(&a.name) != "metaid"
    })?;
    let ordered = t.attributes.iter().any(|a| ORDERED.contains(&folded(&a.name).as_str()));
    let named = folded(&attribute.name);
    // attributes may have an order too; codes in an order are a list to choose from
    let choices = BARE.contains(&named.as_str())
        && (words(&thing.name).iter().any(|w| OFFERS.contains(&w.as_str()))
            || (ordered && (!of_attributes || named == "code")));
    (!choices).then_some((thing, attribute, value))
}
