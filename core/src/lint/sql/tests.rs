use super::*;

fn raws(source: &str) -> Vec<String> {
    tokens(source).iter().map(|t| source[t.start..t.end].to_owned()).collect()
}

fn from(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let sql = Sql { source, tokens: &tokens };
    let name = |n: Named| n.schema.map_or(n.name.clone(), |s| format!("{s}/{}", n.name));
    sql.from().into_iter().map(name).collect()
}

#[test]
fn cuts() {
    assert_eq!(raws("a||'x''y'--z\n::text"), ["a", "||", "'x''y'", "::", "text"]);
    assert_eq!(raws(r"E'a\'b' 'c\' U&'d' x"), [r"E'a\'b'", r"'c\'", "U&'d'", "x"]);
    assert_eq!(raws("$1+$a$ ; $$ $a$ /* /* */ ; */ \"A\"\"b\""), ["$1", "+", "$a$ ; $$ $a$", "\"A\"\"b\""]);
    assert_eq!(
        raws("count(*) x:=-1 1..2 1.5 <<l>>"),
        ["count", "(", "*", ")", "x", ":=", "-", "1", "1", ".", ".", "2", "1.5", "<<", "l", ">>"]
    );
    assert_eq!(raws("a !~* b ~ c=$2 é"), ["a", "!~*", "b", "~", "c", "=", "$2", "é"]);
    for s in ["'", "\"", "/*", "--", "/* /*", "$$", "$", ":", "E'\\", "$é$", "é'é", "*/", "U&", "$a", "e'"]
    {
        let t = tokens(s);
        let sql = Sql { source: s, tokens: &t };
        for i in 0..3 {
            let _ = (sql.text(i), sql.name(i), sql.line(i), sql.named(i));
        }
        let _ = sql.from();
    }
}

#[test]
fn texts() {
    let s = "'a''b' $x$c$x$ E'd'";
    let t = tokens(s);
    let sql = Sql { source: s, tokens: &t };
    assert_eq!((sql.text(0), sql.text(1), sql.text(2)), (Some("a''b"), Some("c"), Some("d")));
}

#[test]
fn what_is_read() {
    assert_eq!(from("SELECT a FROM ONLY \"S.s\".\"T\" JOIN u ON true, x"), ["S.s/T", "u"]);
    assert_eq!(from("SELECT extract(year FROM a), substring(b FROM c) IS DISTINCT FROM d FROM e"), ["e"]);
    assert_eq!(
        from("WITH a AS (SELECT 1 FROM t), b (x) AS MATERIALIZED (SELECT 2) SELECT * FROM a, b"),
        ["t"]
    );
    assert_eq!(from("BEGIN x := y; FETCH NEXT FROM c INTO r; DELETE FROM t; END"), ["t"]);
    assert_eq!(from("SELECT CASE WHEN a THEN b ELSE c END FROM t WHERE x IN (SELECT 1 FROM u)"), ["t", "u"]);
    assert_eq!(from("SELECT DISTINCT FROM t"), ["t"]);
    assert_eq!(from("PERFORM 'SELECT FROM t' -- FROM t"), Vec::<String>::new());
}
