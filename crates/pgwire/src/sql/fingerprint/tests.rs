use super::*;

#[test]
fn values_go_and_the_rest_becomes_regular() {
    let mut wrong = 0;
    for (text, expected) in [
        ("", ""),
        (" ; -- nothing\n ;", ""),
        ("SELECT  1", "select ?"),
        ("Select\n\t'a''b' ; ", "select ?"),
        (
            "SELECT E'\\'', U&'x' UESCAPE '!', B'1', X'ff', $1, $$a$$, $x$a$x$, N'a'",
            "select ?, ?, ?, ?, ?, ?, ?, n ?",
        ),
        ("SELECT 'a'\n 'b'", "select ?"),
        ("SELECT \"Id\", t . Name FROM T AS t WHERE id=5", "select \"Id\", t.name from t as t where id = ?"),
        ("SELECT count ( * ) , max(a) FROM t", "select count(*), max(a) from t"),
        ("SELECT -5, a-5, a - -5, (-5), 3-5", "select ?, a - ?, a - ?, (?), ? - ?"),
        (
            "SELECT a FROM t WHERE x BETWEEN -1 AND +2 LIMIT 10",
            "select a from t where x between ? and ? limit ?",
        ),
        ("SELECT 1 /* x */ + /* /* y */ */ 2 -- z", "select ? + ?"),
        ("SELECT a::int, CAST('1' AS int), '1' :: text", "select a::int, cast(? as int), ?::text"),
        ("SELECT * FROM t WHERE id IN (1,2,3)", "select * from t where id in (...)"),
        ("SELECT * FROM t WHERE id IN ($1)", "select * from t where id in (...)"),
        ("SELECT * FROM t WHERE id NOT IN ('a'::text, NULL, -1)", "select * from t where id not in (...)"),
        ("SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "select * from t where (a, b) in (...)"),
        ("SELECT * FROM t WHERE id IN (SELECT 1)", "select * from t where id in (select ?)"),
        ("SELECT * FROM t WHERE id IN (a, 1)", "select * from t where id in (a, ?)"),
        ("SELECT * FROM t WHERE id = ANY (ARRAY[1, 2])", "select * from t where id = any (array[...])"),
        ("SELECT ARRAY[a, 1], a[1], '{}'::int[]", "select array[a, ?], a[?], ?::int[]"),
        ("INSERT INTO t (a, b) VALUES (1, 'x')", "insert into t(a, b) values (?, ?)"),
        (
            "INSERT INTO t (a, b) VALUES (1, 'x'), (2, now()) , ($3, $4) RETURNING id",
            "insert into t(a, b) values (?, ?) returning id",
        ),
        ("SELECT * FROM (VALUES (f(1)), (2)) AS v (a)", "select * from (values (f(?))) as v(a)"),
        ("BEGIN; SELECT 1;; COMMIT;", "begin; select ?; commit"),
        ("SET x = 'secret'", "set x = ?"),
        ("ALTER ROLE r PASSWORD 'secret'", "alter role r password ?"),
        ("SELECT 'secret", "select ?"),
        ("SELECT /* secret", "select ?"),
        ("SELECT \"secret", "select ?"),
        ("SELECT $a$secret", "select ?"),
        ("SELECT a->>'b' @> c", "select a ->> ? @> c"),
        ("SELECT ÄB", "select Äb"),
        ("SELECT a . in (1)", "select a.in(?)"),
        ("f(a => 1)", "f(a => ?)"),
        ("SELECT {}", "select { }"),
    ] {
        let normal = normalise(text.as_bytes());
        if normal != expected {
            println!("{text}\n  is {normal}\n  not {expected}");
            wrong += 1;
        }
    }
    assert_eq!(wrong, 0);
    assert_eq!(normalise(b"SELECT \xff\"\xfe\""), "select \u{FFFD} \"\u{FFFD}\"");
}
