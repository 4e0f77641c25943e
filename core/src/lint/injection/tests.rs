use super::*;
use crate::lint::sql::tokens;

fn raw(source: &str) -> String {
    let tokens = tokens(source);
    let p = [(1, "p".to_owned()), (2, "q".to_owned())];
    let found = raw_parameters(Sql { source, tokens: &tokens }, "f", &p);
    found
        .iter()
        .map(|r| format!("{}{}", r.parameter, if r.whole { "!" } else { "" }))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn found() {
    assert_eq!(raw("BEGIN EXECUTE 'SELECT ' || p; END"), "p");
    assert_eq!(raw("BEGIN EXECUTE 'SELECT ' || $2 || 'x' INTO a; END"), "q");
    assert_eq!(raw("BEGIN EXECUTE p; END"), "p!");
    assert_eq!(raw("DECLARE s text := 'a' || p; BEGIN EXECUTE s USING p; END"), "");
    assert_eq!(raw("DECLARE s text := 'a' || p; BEGIN EXECUTE s; END"), "p");
    assert_eq!(raw("BEGIN a := 'x' || p; s := a || ' y'; RETURN QUERY EXECUTE s; END"), "p");
    assert_eq!(raw("BEGIN EXECUTE format('SELECT %I FROM %s', p, q); END"), "q");
    assert_eq!(raw("BEGIN EXECUTE format('%2$s %1$I %%s', p, q); END"), "q");
    assert_eq!(raw("BEGIN FOR r IN EXECUTE ('x' || (p)) LOOP END LOOP; END"), "");
    assert_eq!(raw("BEGIN FOR r IN EXECUTE ('x' || p) LOOP END LOOP; END"), "p");
    assert_eq!(raw("BEGIN EXECUTE concat('SELECT ', p, ' FROM ', quote_ident(q)); END"), "p");
    assert_eq!(raw("DECLARE s text := concat_ws(' ', 'SELECT', 'a' || q); BEGIN EXECUTE s; END"), "q");
    assert_eq!(raw("BEGIN s := 'x' || p; EXECUTE concat(s, 'y'); END"), "p");
    assert_eq!(raw("BEGIN EXECUTE format('SELECT %I FROM ' || q || ' WHERE %s', p, p); END"), "p q");
    assert_eq!(raw("BEGIN s := 'a' || p; EXECUTE format(s || ' %L', q); END"), "p");
    assert_eq!(raw("BEGIN EXECUTE format(p, q); END"), "p!");
    assert_eq!(raw("BEGIN EXECUTE 'x' || f.p || format('%s', f.q); END"), "p q");
    assert_eq!(raw("BEGIN EXECUTE f.p; END"), "p!");
    assert_eq!(
        raw("BEGIN IF p = '' OR '' <> f.p OR p IS NULL THEN RETURN; END IF; EXECUTE 'x' || p; END"),
        "p"
    );
    assert_eq!(raw("BEGIN PERFORM 1 FROM t WHERE t.p = 'a'; EXECUTE 'x' || p; END"), "p");
}

#[test]
fn not_found() {
    for source in [
        "BEGIN EXECUTE 'SELECT ' || quote_ident(p); END",
        "BEGIN EXECUTE 'SELECT ' || quote_literal('a' || p || 'b'); END",
        "BEGIN EXECUTE format('SELECT %I %L', p, q); END",
        "BEGIN EXECUTE 'SELECT $1' USING p; END",
        "BEGIN IF p NOT IN ('a', 'b') THEN RAISE 'no'; END IF; EXECUTE 'x' || p; END",
        "BEGIN IF p !~ '^[a-z]+$' THEN RAISE 'no'; END IF; EXECUTE 'x' || p; END",
        "BEGIN p := quote_ident(p); EXECUTE 'x' || p; END",
        "BEGIN PERFORM p::regclass; EXECUTE 'x' || p; END",
        "BEGIN IF f.p <> 'a' THEN RAISE 'no'; END IF; EXECUTE 'x' || p; END",
        "BEGIN IF p <> '' THEN s := s || ' AND a = ' || quote_literal(p); END IF; EXECUTE s; END",
        "BEGIN EXECUTE concat('SELECT ', quote_ident(p), format(' %L', q)); END",
        "BEGIN EXECUTE format('SELECT %I' || quote_ident(p), q); END",
        "BEGIN EXECUTE 'x' || g.p || g.f.p; END",
        "BEGIN RAISE NOTICE '%', concat('a', p); END",
        "BEGIN EXECUTE 'x' || r.p; END",
        "BEGIN RAISE NOTICE 'a' || p; s := 'b' || p; RETURN s; END",
        "BEGIN -- EXECUTE 'x' || p;\n END",
        "BEGIN EXECUTE 'EXECUTE ''x'' || p'; END",
        "BEGIN GRANT EXECUTE ON FUNCTION f TO p; END",
        "BEGIN EXECUTE CASE WHEN a THEN 'x' || b ELSE p END; END",
    ] {
        assert_eq!(raw(source), "", "{source}");
    }
}
