use crate::lint::catalog::types::{TEXT, VARCHAR};
use crate::lint::catalog::{Catalog, Index, Relation};
use crate::lint::finding::{Finding, Fix, Report, Safety, Severity};
use crate::lint::names::{ends_with, folded, words};
use crate::lint::rule::{case, Category, Rollup, Rule};
use crate::lint::text::{idents, mentions};
use crate::quote::ident;
use std::collections::{HashMap, HashSet};

pub static RULE: Rule = Rule {
    code: "INT017",
    name: "unique_with_nullable_columns",
    category: Category::Integrity,
    severity: Severity::Warning,
    title: "Unique constraint lets duplicates through where a column is NULL",
    why: "NULLs are distinct, so rows that agree in all other columns may be stored twice. Left \
          alone: single columns, NULLS NOT DISTINCT, predicates that speak of the column, keys \
          whose NULL case has a partial unique index of its own, another system's id that not every row \
          has, beside one column that says whose it is, codes and other texts that not every row has, and keys of \
          which there are two for rows that belong to the one thing or to the other.",
    bad: "CREATE TABLE members (team int NOT NULL, person int, UNIQUE (team, person));",
    good: "CREATE TABLE members (team int NOT NULL, person int, UNIQUE NULLS NOT DISTINCT (team, person));",
    remedy: "NULLS NOT DISTINCT, or SET NOT NULL on the columns",
    peers: "pytest-pghealth",
    hides: &[],
    rollup: Rollup::NEVER,
    reads: &[],
    params: &[],
    recommended: true,
    check,
    fires: &[
        case("constraint", "CREATE TABLE t (a int NOT NULL, b int, UNIQUE (a, b))"),
        case("index", "CREATE TABLE t (a int NOT NULL, b int); CREATE UNIQUE INDEX u ON t (b, a)"),
        case("predicate about something else", "CREATE TABLE t (a int NOT NULL, b int, c int); CREATE UNIQUE INDEX u ON t (a, b) WHERE c > 0"),
        case("quoted, referred to by nobody", r#"CREATE TABLE "T.t" ("A" int NOT NULL, "B b" int, CONSTRAINT "U""u" UNIQUE ("A", "B b"))"#),
        case("an id of ours", "CREATE TABLE public.\"App_TeamTable\" (id text PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, day text NOT NULL, team_id text, UNIQUE (day, team_id))"),
        case("partitioned", "CREATE TABLE t (a int NOT NULL, b int, UNIQUE (a, b)) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t DEFAULT"),
    ],
    silent: &[
        case("all not null", "CREATE TABLE t (a int NOT NULL, b int NOT NULL, UNIQUE (a, b))"),
        case("nulls not distinct", "CREATE TABLE t (a int NOT NULL, b int, UNIQUE NULLS NOT DISTINCT (a, b))"),
        case("one column", "CREATE TABLE t (a int UNIQUE)"),
        case("only where not null", "CREATE TABLE t (a int NOT NULL, b int); CREATE UNIQUE INDEX u ON t (a, b) WHERE b IS NOT NULL"),
        case("twin for the null case", "CREATE TABLE t (a int NOT NULL, b int, UNIQUE (a, b)); CREATE UNIQUE INDEX u ON t (a) WHERE b IS NULL"),
        case("another system's id", "CREATE TABLE agents (id int PRIMARY KEY, issuer text NOT NULL, service_principal_id text, UNIQUE (issuer, service_principal_id))"),
        case("a code that not every row has, an account elsewhere", "CREATE TABLE f (id int PRIMARY KEY, charge int NOT NULL, code text, UNIQUE (charge, code)); CREATE TABLE users (id int PRIMARY KEY, auth_provider text, auth_uid text, UNIQUE (auth_provider, auth_uid))"),
        case("of the one or of the other", "CREATE TABLE alerts (id int PRIMARY KEY, kind int NOT NULL, wallet_id int, subscription_id int, UNIQUE (kind, wallet_id), UNIQUE (kind, subscription_id))"),
        case("domain not null", "CREATE DOMAIN d AS int NOT NULL; CREATE TABLE t (a int NOT NULL, b d, UNIQUE (a, b))"),
        case("check not null", "CREATE TABLE t (a int NOT NULL, b int CHECK (b IS NOT NULL), UNIQUE (a, b))"),
    ],
};

fn check(c: &Catalog, out: &mut Report) {
    let mut strangers = HashMap::new();
    for t in c.tables() {
        for i in t.indexes.iter().filter(|i| i.unique && !i.primary && i.valid && i.keys.len() > 1) {
            out.examine(&t.schema);
            let open = open_columns(t, i);
            if i.nulls_not_distinct || open.is_empty() {
                continue;
            }
            if let (2, [one]) = (i.keys.len(), open.as_slice()) {
                if is_optional(t, one) && *strangers.entry(folded(one)).or_insert_with(|| is_stranger(c, one))
                {
                    continue;
                }
            }
            if is_identifier(t, &open) {
                continue;
            }
            let columns: Vec<i16> = i.keys.iter().map(|k| k.attnum).collect();
            let name = i.sql_name();
            let message =
                format!("unique index {name} lets duplicates through where {} is NULL", idents(&open));
            let found = Finding::new(i.object(), message)
                .key(t, &t.names(&columns).join(","))
                .evidence("nullable", open)
                .fix(fix(t, i));
            out.find(found);
        }
    }
}

/// Key columns whose NULL nothing takes care of.
fn open_columns<'t>(t: &'t Relation, i: &Index) -> Vec<&'t str> {
    let keys = i.keys.iter().filter_map(|k| t.attribute(k.attnum)).filter(|a| !t.never_null(a));
    let names = keys.map(|a| a.name.as_str());
    let named = |n: &&str| i.predicate.as_ref().is_some_and(|p| mentions(p, n));
    names.filter(|n| !named(n) && !has_twin(t, i, n) && !is_one_of_two(t, n)).collect()
}

/// What is told apart by a text that some rows have, and all that is open are such texts: a code, an account elsewhere.
fn is_identifier(t: &Relation, open: &[&str]) -> bool {
    const ENDS: &[&str] = &[
        "code",
        "uid",
        "slug",
        "email",
        "number",
        "sku",
        "token",
        "handle",
        "reference",
        "identifier",
        "login",
        "username",
        "phone",
    ];
    let named = |column: &&str| words(column).last().is_some_and(|w| ENDS.contains(&w.as_str()));
    open.iter().all(|column| is_optional(t, column)) && open.iter().any(named)
}

/// Of two unique indexes the one has it where the other has another nullable column: a row belongs to the one thing or
/// to the other.
fn is_one_of_two(t: &Relation, column: &str) -> bool {
    let Some(here) = t.column(column).map(|a| a.num) else { return false };
    let keys = |i: &Index| i.keys.iter().map(|k| k.attnum).collect::<HashSet<i16>>();
    let unique: Vec<HashSet<i16>> = t.indexes.iter().filter(|i| i.unique && i.valid).map(keys).collect();
    unique.iter().filter(|mine| mine.contains(&here)).any(|mine| {
        unique.iter().filter(|other| other.len() == mine.len()).any(|other| {
            let instead: Vec<i16> = other.difference(mine).copied().collect();
            mine.difference(other).eq([&here])
                && matches!(instead.as_slice(), [n] if t.attribute(*n).is_some_and(|a| !t.never_null(a)))
        })
    })
}

/// A text that refers to nothing, in a table that has a key.
fn is_optional(t: &Relation, column: &str) -> bool {
    let refers = |num| t.constraints.iter().any(|k| k.kind == 'f' && k.columns.contains(&num));
    let text = t.column(column).is_some_and(|a| matches!(a.base_type, TEXT | VARCHAR) && !refers(a.num));
    text && t.primary_key().is_some()
}

/// Named like the id of something that no table here is about.
fn is_stranger(c: &Catalog, column: &str) -> bool {
    let name = folded(column);
    let thing = name.strip_suffix("id").filter(|thing| thing.len() > 2);
    thing
        .is_some_and(|thing| ends_with(column, "_id") && !c.tables().any(|t| folded(&t.name).contains(thing)))
}

/// Another unique index over no more than the other columns, for `column IS NULL`.
fn has_twin(t: &Relation, i: &Index, column: &str) -> bool {
    let is_null = format!("{} IS NULL", ident(column));
    t.indexes.iter().any(|o| {
        o.unique
            && o.valid
            && o.oid != i.oid
            && o.predicate.as_ref().is_some_and(|p| p.contains(&is_null) && mentions(p, column))
            && o.keys.iter().all(|k| i.keys.iter().any(|m| m.attnum == k.attnum))
    })
}

fn fix(t: &Relation, i: &Index) -> Option<Fix> {
    let expressions = i.keys.iter().any(|k| k.attnum == 0 || k.option != 0);
    if i.referenced
        || i.replica_identity
        || i.special_opclass
        || i.special_storage
        || i.deferrable
        || !t.plain_collations(i)
        || expressions
    {
        return None;
    }
    let named = |nums: &[i16]| idents(&t.names(nums));
    let columns = named(&i.keys.iter().map(|k| k.attnum).collect::<Vec<_>>());
    let include =
        if i.include.is_empty() { String::new() } else { format!(" INCLUDE ({})", named(&i.include)) };
    let (table, name) = (t.sql_name(), ident(&i.name));
    let sql = match &i.constraint {
        Some(con) => {
            let con = ident(con);
            format!("ALTER TABLE {table} DROP CONSTRAINT {con}, ADD CONSTRAINT {con} UNIQUE NULLS NOT DISTINCT ({columns}){include};")
        }
        None => {
            let only = i.predicate.as_ref().map(|p| format!(" WHERE {p}")).unwrap_or_default();
            format!("DROP INDEX {};\nCREATE UNIQUE INDEX {name} ON {table} ({columns}){include} NULLS NOT DISTINCT{only};", i.sql_name())
        }
    };
    Some(Fix::new(sql, Safety::Rewrite))
}
