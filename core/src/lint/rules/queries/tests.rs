use super::*;
use crate::lint::sql::tokens;
use std::cell::OnceCell;

fn of(text: &str) -> Option<(String, bool, bool)> {
    let s =
        Statement { query: text.to_owned(), tokens: OnceCell::from(tokens(text)), ..Statement::default() };
    query(&s).map(|q| (q.sql.raw(q.verb).to_lowercase(), q.limited, q.offset))
}

#[test]
fn shapes() {
    let some = |verb: &str, limited, offset| Some((verb.to_owned(), limited, offset));
    assert_eq!(of("SELECT a FROM t"), some("select", false, false));
    assert_eq!(
        of("WITH x AS (SELECT 1 LIMIT $1) INSERT INTO t SELECT * FROM x"),
        some("insert", false, false)
    );
    assert_eq!(of("select a from (select 1 offset $1) s limit $2"), some("select", true, false));
    assert_eq!(of("SELECT a FROM t OFFSET $1 FETCH FIRST $2 ROWS ONLY"), some("select", true, true));
    assert_eq!(of("/* LIMIT */ SELECT \"limit\", 'OFFSET' FROM t -- LIMIT"), some("select", false, false));
}

#[test]
fn left_out() {
    for text in [
        "",
        "BEGIN",
        "SET search_path = a",
        "COPY t TO STDOUT",
        "DECLARE c CURSOR FOR SELECT 1",
        "VACUUM t",
        "FETCH 10 FROM c",
        "SELECT * FROM pg_stat_activity",
        "SELECT 1 FROM pg_catalog.pg_class c",
        "SELECT count(*) FROM dbguard.lint()",
        "SELECT a FROM t JOIN information_schema.columns c ON true",
        "SELECT pg_advisory_lock($1)",
        "INSERT INTO cron.job VALUES ($1)",
        "SELECT dbguard.verify($1)",
        "WITH x AS (SELECT 1)",
    ] {
        assert_eq!(of(text), None, "{text}");
    }
}
