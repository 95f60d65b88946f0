use super::*;

#[test]
fn most_texts_leave_nothing() {
    check(&[
        ("", "0:"),
        ("  ; ;-- nothing\n/* at all */;", "0:"),
        ("SELECT 1", ""),
        ("SELECT 1;", ""),
        ("(SELECT 1) UNION (SELECT 2)", ""),
        ("SELECT 1; SELECT 2", "2:"),
        ("TABLE t", ""),
        ("VALUES (1), (2)", ""),
        ("UPDATE t SET a = 1, b = 2 WHERE id = $1", ""),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", ""),
        ("INSERT INTO temp VALUES (1)", ""),
        ("INSERT INTO temp (a) VALUES (1)", ""),
        ("INSERT INTO temp AS t VALUES (1)", ""),
        ("INSERT INTO temp SELECT 1", ""),
        ("INSERT INTO temp DEFAULT VALUES", ""),
        ("INSERT INTO temp TABLE t", ""),
        ("WITH x AS (SELECT 1) INSERT INTO temp VALUES (1)", ""),
        ("INSERT INTO pg_temp.t VALUES (1)", ""),
        ("WITH x AS (INSERT INTO pg_temp.t VALUES (1)) SELECT 1", ""),
        ("MERGE INTO temp t USING s ON true WHEN MATCHED THEN DELETE", ""),
        ("SELECT 1 INTO temp FROM t", ""),
        ("SELECT 1 INTO t", ""),
        ("ALTER TABLE t SET SCHEMA x", "+DEFINES"),
        ("ALTER ROLE r SET search_path TO x", "+DEFINES"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "+DEFINES"),
        ("ALTER DATABASE d RESET ALL", "+DEFINES"),
        ("CREATE TABLE t (set int, temp text)", "+DEFINES"),
        ("CREATE TABLE temp (a int)", "+DEFINES"),
        ("CREATE UNLOGGED TABLE t (a int)", "+DEFINES"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = x AS 'SELECT 1'", "+DEFINES"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SET x = 1; CREATE TEMP TABLE t() $$",
            "+DEFINES",
        ),
        ("SELECT set, reset, listen FROM discard", ""),
        ("SELECT 'SET x = 1; LISTEN y', \"SET x = 1;\", $$SET x = 1;$$, $q$;SET x = 1;$q$", ""),
        ("SELECT 1 /* ; SET x = 1; /* ; */ SET x = 1; */ -- ; SET x = 1", ""),
        ("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(1)", ""),
        ("SELECT $1::int, a$b$ FROM c$b$", ""),
        ("LOCK TABLE t", ""),
        ("VACUUM; ANALYZE", "2:"),
    ]);
}

#[test]
fn settings_are_read() {
    check(&[
        ("SET a TO b", "set a=b"),
        ("set A = 'It''s'", "set a=It's"),
        ("SET \"Work_Mem\" = '1MB'", "set work_mem=1MB"),
        ("SET SESSION a = b;", "set a=b"),
        ("SET LOCAL a = b", ""),
        ("SET myapp.user = 'x'", "set myapp.user=x"),
        ("SET MyApp . \"User\" = 'x'", "set myapp.user=x"),
        ("SET local.x = 1", "set local.x=1"),
        ("SET session.x TO 1", "set session.x=1"),
        ("SET transaction.x TO 1", "set transaction.x=1"),
        ("SET role.x = y", "set role.x=y"),
        ("SET a = b, c", "set a=b, c"),
        (
            "SET search_path TO \"$user\", public, 'My Schema', \"a\"\"b\"",
            "set search_path=\"$user\", public, \"My Schema\", \"a\"\"b\"",
        ),
        ("SET search_path = 'a, b'", "set search_path=\"a, b\""),
        ("SET search_path = ''", "set search_path=\"\""),
        ("SET search_path = PUBLIC", "set search_path=public"),
        ("SET datestyle = 'ISO', DMY", "set datestyle=ISO, dmy"),
        ("SET a = 5", "set a=5"),
        ("SET a = 007", "set a=7"),
        ("SET a = -5", "set a=-5"),
        ("SET a = - 0", "set a=0"),
        ("SET a = + 1.50", "set a=1.50"),
        ("SET a = 1e3", "set a=1e3"),
        ("SET a = .5", "set a=.5"),
        ("SET a = 1_000", "set a?"),
        ("SET a = 99999999999", "set a=99999999999"),
        ("SET a = TRUE", "set a=true"),
        ("SET a = on", "set a=on"),
        ("SET a = \"MiXed\", U&\"b\"", "set a=MiXed, b"),
        ("SET a = NULL", "set a?"),
        ("SET a = DEFAULT", "reset a"),
        ("SET a TO default", "reset a"),
        ("SET a = 'default'", "set a=default"),
        ("SET a FROM CURRENT", "set a?"),
        ("SET LOCAL a FROM CURRENT", ""),
        ("SET LOCAL a = DEFAULT", ""),
        ("SET LOCAL DateStyle = DEFAULT", "+LITERALS"),
        ("DO $$ BEGIN SET LOCAL xmloption = document; END $$", "+LITERALS"),
        ("SET a = E'\\'\\x41\\102\\u0043\\n'", "set a='ABC\n"),
        ("SET a = U&'d\\0061t\\+000061'", "set a=data"),
        ("SET a = U&'d!0061t\\' UESCAPE '!'", "set a=dat\\"),
        ("SET U&\"a!0062\" /* x */ UESCAPE $$!$$ = 1", "set ab=1"),
        ("SET a = $$b'c$$", "set a=b'c"),
        ("SET a = $x$b$$c$x$", "set a=b$$c"),
        ("SET a = 'b'\n  'c'", "set a=bc"),
        ("SET a = 'b' -- comment\n  'c'", "set a=bc"),
        ("SET a = f(x)", "set a?"),
        ("SET TIME ZONE 'Europe/Berlin'", "set timezone=Europe/Berlin"),
        ("SET TIME ZONE utc", "set timezone=utc"),
        ("SET TIME ZONE -8", "set timezone=-8"),
        ("SET SESSION TIME ZONE LOCAL", "reset timezone"),
        ("SET TIME ZONE DEFAULT", "reset timezone"),
        ("SET LOCAL TIME ZONE 'UTC'", "+LITERALS"),
        ("SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "set timezone?"),
        ("SET TimeZone TO 'UTC'", "set timezone=UTC"),
        ("SET NAMES 'utf8'", "set client_encoding=utf8"),
        ("SET NAMES", "reset client_encoding"),
        ("SET NAMES DEFAULT", "reset client_encoding"),
        ("SET SCHEMA 'x'", "set search_path=x"),
        ("SET ROLE app", "set role=app"),
        ("SET ROLE NONE", "set role=none"),
        ("SET ROLE 'App'", "set role=App"),
        ("SET role = app", "set role=app"),
        ("SET LOCAL ROLE app", "+NAMES"),
        ("RESET ROLE", "reset role"),
        ("SET SESSION AUTHORIZATION bob", "set session_authorization=bob"),
        ("SET SESSION AUTHORIZATION DEFAULT", "reset session_authorization"),
        ("SET SESSION SESSION AUTHORIZATION bob", "set session_authorization=bob"),
        ("SET LOCAL SESSION AUTHORIZATION bob", "+NAMES"),
        ("RESET SESSION AUTHORIZATION", "reset session_authorization"),
        ("SET XML OPTION DOCUMENT", "set xmloption=document"),
        ("SET CONSTRAINTS ALL DEFERRED", ""),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", ""),
        ("SET TRANSACTION SNAPSHOT '00000003-0000001B-1'", ""),
        ("SET transaction_isolation = 'serializable'", ""),
        ("SET seed = 0.5", ""),
        ("RESET seed", ""),
        ("SELECT set_config('Seed', '0.5', false)", "+SET_CONFIG"),
        ("SET sort_mem = 1", "set work_mem=1"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE",
            "set default_transaction_isolation=read committed, set default_transaction_read_only=on, \
             set default_transaction_deferrable=off",
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE ISOLATION LEVEL REPEATABLE READ DEFERRABLE",
            "set default_transaction_read_only=off, set default_transaction_isolation=repeatable read, \
             set default_transaction_deferrable=on",
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "set default_transaction_isolation=serializable",
        ),
        ("RESET a", "reset a"),
        ("RESET \"A\".b", "reset a.b"),
        ("RESET ALL", "reset"),
        ("RESET TIME ZONE", "reset timezone"),
        ("RESET TRANSACTION ISOLATION LEVEL", ""),
        ("RESET session.x", "reset session.x"),
        ("RESET session", "reset session"),
    ]);
}

#[test]
fn set_config_is_read_wherever_it_stands() {
    check(&[
        ("SELECT set_config('a', 'b', false)", "touch a +SET_CONFIG"),
        ("SELECT set_config('A.B', $1, $2)", "touch a.b +SET_CONFIG"),
        ("SELECT set_config('a', 'b', true)", "+SET_CONFIG"),
        ("SELECT set_config('a', 'b', TRUE)", "+SET_CONFIG"),
        ("SELECT set_config('a', 'b', 't')", "+SET_CONFIG"),
        ("SELECT set_config('a'::text, 'b'::text, true::bool)", "+SET_CONFIG"),
        ("SELECT set_config($1, $2, true)", "+SET_CONFIG +LITERALS +NAMES"),
        ("SELECT set_config('TimeZone', $2, true)", "+SET_CONFIG +LITERALS"),
        ("SELECT set_config($1, $2, false)", "touch +SET_CONFIG"),
        ("SELECT set_config('a' || 'b', 'c', false)", "touch +SET_CONFIG"),
        ("SELECT set_config('a', 'b', not true)", "touch a +SET_CONFIG"),
        ("SELECT set_config('a', 'b', true and false)", "touch a +SET_CONFIG"),
        ("SELECT pg_catalog.set_config('a', f(1, 2), false)", "touch a +SET_CONFIG"),
        ("SELECT pg_catalog . /* x */ Set_Config -- y\n ( 'a' , (SELECT 'b') , true )", "+SET_CONFIG"),
        ("SELECT \"set_config\"('a', 'b', false)", "touch a +SET_CONFIG"),
        ("SELECT \"Set_config\"('a', 'b', false)", ""),
        ("SELECT U&\"set\\005fconfig\"('a', 'b', false)", "touch a +SET_CONFIG"),
        ("SELECT U&\"set!005fconfig\" UESCAPE '!' ('a', 'b', false)", "touch a +SET_CONFIG"),
        ("SELECT set_config(setting_name => 'a', new_value => 'b', is_local => false)", "touch +SET_CONFIG"),
        ("SELECT set_config('a', set_config('b', 'c', false), true)", "touch b +SET_CONFIG"),
        ("SELECT set_config(set_config('b', 'c', false), 'x', false)", "touch, touch b +SET_CONFIG"),
        ("WITH x AS (SELECT set_config('a', '', false)) SELECT 1 FROM x", "touch a +SET_CONFIG"),
        ("INSERT INTO t SELECT set_config('a', '', false)", "touch a +SET_CONFIG"),
        ("EXPLAIN ANALYZE SELECT set_config('a', '', false)", "touch a +SET_CONFIG"),
        ("COPY (SELECT set_config('a', '', false)) TO STDOUT", "touch a, copy +SET_CONFIG"),
        ("SELECT 'set_config(''a'', ''b'', false)'", ""),
        ("SELECT set_config", "+SET_CONFIG"),
        ("UPDATE pg_settings SET setting = 'b' WHERE name = 'a'", "touch"),
        ("UPDATE pg_catalog.\"pg_settings\" SET setting = 'b'", "touch"),
        ("SELECT * FROM pg_settings FOR UPDATE", ""),
        ("UPDATE t SET a = b; SELECT * FROM pg_settings", "2:"),
        ("SELECT set_config('transaction_read_only', 'on', false)", "+SET_CONFIG"),
    ]);
}

#[test]
fn what_a_session_holds_is_read() {
    check(&[
        ("PREPARE p AS SELECT $1", "prepare p=<SELECT $1>"),
        ("PREPARE P (int, numeric(1, 2)) AS SELECT $1 ; SELECT 2", "2: prepare p=<SELECT $1>"),
        (
            "PREPARE \"P\" AS SELECT pg_advisory_lock(1)",
            "prepare P=<SELECT pg_advisory_lock(1)> +ADVISORY_LOCK",
        ),
        (
            "prepare p as select set_config('a', '', false)",
            "prepare p=<select set_config('a', '', false)>, touch a +SET_CONFIG",
        ),
        ("PREPARE transaction AS SELECT 1", "prepare transaction=<SELECT 1>"),
        ("EXECUTE p", "execute p"),
        ("EXECUTE \"P\" (1, 2)", "execute P"),
        ("EXPLAIN EXECUTE p(1)", "execute p"),
        ("EXPLAIN ANALYZE VERBOSE EXECUTE p", "execute p"),
        ("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p", "execute p"),
        ("CREATE TABLE t AS EXECUTE p(1)", "execute p +DEFINES"),
        ("CREATE TEMP TABLE t (a) ON COMMIT DROP AS EXECUTE p", "execute p +NAMES"),
        ("CREATE TABLE t AS SELECT 1 AS execute FROM x", "+DEFINES"),
        ("EXPLAIN CREATE TABLE t AS EXECUTE p", "execute p +DEFINES"),
        ("DEALLOCATE p", "deallocate p"),
        ("DEALLOCATE PREPARE p", "deallocate p"),
        ("DEALLOCATE prepare", "deallocate prepare"),
        ("DEALLOCATE ALL", "deallocate"),
        ("DEALLOCATE PREPARE ALL", "deallocate"),
        ("DEALLOCATE \"all\"", "deallocate all"),
        ("DISCARD ALL", "discard all"),
        ("DISCARD PLANS", "discard plans"),
        ("DISCARD TEMPORARY", "discard temp"),
        ("DISCARD SEQUENCES", "discard sequences"),
        ("LISTEN a", "listen a"),
        ("LISTEN \"A b\"", "listen A b"),
        ("UNLISTEN A", "unlisten a"),
        ("UNLISTEN *", "unlisten"),
        ("NOTIFY a, 'b'", "+NOTIFY"),
        ("SELECT pg_notify('a', 'b')", "+NOTIFY"),
        ("DECLARE c CURSOR FOR SELECT 1", ""),
        ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", ""),
        ("DECLARE c BINARY NO SCROLL CURSOR WITH HOLD FOR SELECT 1", "hold c"),
        ("DECLARE c CURSOR FOR WITH hold AS (SELECT 1) SELECT 1", ""),
        ("CLOSE c", "close c"),
        ("CLOSE ALL", "close"),
        ("LOAD 'auto_explain'", "load"),
        ("COPY t FROM STDIN", "copy"),
        ("COPY t (a, b) FROM stdin WITH (FORMAT csv)", "copy"),
        ("COPY (SELECT 1 FROM stdin) TO STDOUT", "copy"),
        ("COPY t TO '/tmp/x'", ""),
        ("SELECT pg_advisory_lock(1)", "+ADVISORY_LOCK"),
        ("SELECT pg_catalog.PG_TRY_ADVISORY_LOCK_SHARED (1)", "+ADVISORY_LOCK"),
        ("SELECT \"pg_try_advisory_lock\"(1)", "+ADVISORY_LOCK"),
        ("SELECT pg_advisory_unlock_all()", "+ADVISORY_UNLOCK"),
        ("SELECT dblink_connect('a', '')", "+SESSION_FUNCTION"),
    ]);
}

#[test]
fn temporary_tables_are_seen() {
    check(&[
        ("CREATE TEMP TABLE t (a int)", "temp +NAMES"),
        ("CREATE TEMPORARY TABLE t AS SELECT 1", "temp +NAMES"),
        ("CREATE LOCAL TEMP TABLE t (a int)", "temp +NAMES"),
        ("CREATE GLOBAL TEMPORARY TABLE t (a int) ON COMMIT DELETE ROWS", "temp +NAMES"),
        ("CREATE TEMP TABLE t (a int) ON COMMIT PRESERVE ROWS", "temp +NAMES"),
        ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", "+NAMES"),
        ("CREATE TEMP TABLE t (a text DEFAULT 'ON COMMIT DROP')", "temp +NAMES"),
        ("CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", "+NAMES"),
        ("CREATE TEMP VIEW v AS SELECT 1", "temp +NAMES"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "temp +NAMES"),
        ("CREATE OR REPLACE TEMPORARY RECURSIVE VIEW v (a) AS SELECT 1", "temp +NAMES"),
        ("CREATE TEMP SEQUENCE s", "temp +NAMES"),
        ("CREATE TABLE pg_temp.t (a int)", "temp +NAMES"),
        ("CREATE TABLE \"pg_temp\".t (a int)", "temp +NAMES"),
        ("CREATE TABLE pg_temp_3.t (a int)", "temp +NAMES"),
        ("CREATE TABLE pg_temporal.t (a int)", "+DEFINES"),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "temp +NAMES"),
        ("CREATE TYPE pg_temp.e AS ENUM ()", "temp +NAMES"),
        ("SELECT 1 INTO TEMP t", "temp"),
        ("SELECT 1 INTO TEMPORARY TABLE t", "temp"),
        ("SELECT 1 INTO LOCAL TEMP t FROM x", "temp"),
        ("SELECT 1 INTO pg_temp.t", "temp"),
        ("SELECT 1 INTO UNLOGGED TABLE pg_temp.t", "temp"),
        ("WITH x AS (SELECT 1) SELECT * INTO TEMP \"T\" FROM x", "temp"),
        ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", "temp +NAMES"),
        ("SELECT 1INTO TEMP t", "temp"),
        ("SELECT insert INTO TEMP t", "temp"),
        ("SELECT 1 INTO TEMP values", "temp"),
        ("SELECT 1 INTO TEMP overriding FROM x", "temp"),
        ("SELECT DISTINCT ON (a) insert INTO TEMP t FROM x", "temp"),
        ("SELECT 1 AS merge INTO pg_temp.t", "temp"),
    ]);
}

#[test]
fn transactions_are_told() {
    check(&[
        ("BEGIN", "begin"),
        ("begin ;", "begin"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", "begin"),
        ("START TRANSACTION READ ONLY", "begin"),
        ("COMMIT", "commit"),
        ("END WORK", "commit"),
        ("COMMIT AND CHAIN", "commit"),
        ("ROLLBACK", "rollback"),
        ("ABORT", "rollback"),
        ("ROLLBACK TRANSACTION", "rollback"),
        ("ROLLBACK TO a", "rollback to"),
        ("ROLLBACK WORK TO SAVEPOINT a", "rollback to"),
        ("SAVEPOINT a", "savepoint"),
        ("RELEASE a", "release"),
        ("PREPARE TRANSACTION 'x'", "prepare transaction"),
        ("COMMIT PREPARED 'x'", "commit prepared"),
        ("ROLLBACK PREPARED 'x'", "rollback prepared"),
        ("BEGIN; SELECT 1", "2: begin"),
        ("BEGIN; SET a = b; COMMIT", "3: begin, set a=b, commit"),
        ("SELECT 1; COMMIT; SELECT 2", "3: commit"),
        (";;BEGIN;;", "begin"),
    ]);
    let verdict = read(b"BEGIN");
    assert_eq!((verdict.transaction, verdict.session.capacity()), (Some(Transaction::Begin), 0));
}

#[test]
fn statements_are_cut_where_postgresql_cuts_them() {
    check(&[
        ("SELECT 'a''; SET x = 1; --'", ""),
        ("SELECT 'a\\'; SET x = 1; --'", "2: set x=1"),
        ("SELECT E'a\\'; SET x = 1; --'", ""),
        ("SELECT e'a\\\\'; SET x = 1; --", "2: set x=1"),
        ("SELECT xe'a\\'; SET x = 1; --", "2: set x=1"),
        ("SELECT E'a'\n'\\'; SET x = 1; --'", ""),
        ("SELECT E'a' '\\'; SET x = 1; --'", "2: set x=1"),
        ("SELECT 'a'\n'\\'; SET x = 1", "2: set x=1"),
        ("SELECT U&'\\'; SET x = 1; --'", "2: set x=1"),
        ("SELECT B'1\\'; SET x = 1", "2: set x=1"),
        ("SELECT N'a\\'; SET x = 1", "2: set x=1"),
        ("SELECT 1e'\\'; SET x = 1; --'", ""),
        ("SELECT \"a\"\"; SET x = 1;\"", ""),
        ("SELECT U&\"a\"\"; SET x = 1;\"", ""),
        ("SELECT $a$ $b$ ; SET x = 1; $b$ $a$; SET y = 1", "2: set y=1"),
        ("SELECT $a$ $a ; SET x = 1; $A$ $a$", ""),
        ("SELECT $a$b$a$; SET x = 1", "2: set x=1"),
        ("SELECT $a$ $ab$a$; SET x = 1", "2: set x=1"),
        ("SELECT a$$; SET x = 1; SELECT $$", "3: set x=1"),
        ("SELECT $1$$; SET x = 1; $$", ""),
        ("SELECT 1e5$$; SET x = 1; $$", ""),
        ("SELECT $é$ ; SET x = 1; $é$", ""),
        ("SELECT 1 -- ; SET x = 1\r; SET y = 1", "2: set y=1"),
        ("SELECT 1 /* /* */ ; SET x = 1; */", ""),
        ("SELECT 1 /*/ ; SET x = 1; */", ""),
        ("SELECT 1 /**/; SET x = 1", "2: set x=1"),
        ("SELECT 1 /***/; SET x = 1", "2: set x=1"),
        ("SELECT 2 */* ; SET x = 1; */ 3", ""),
        ("SELECT 2 @-- ; SET x = 1", ""),
        ("SELECT 2 @-/* ; SET x = 1; */ 3", ""),
        ("SELECT 2 - -3; SET x = 1", "2: set x=1"),
        ("SELECT '/*'; SET x = 1; --*/", "2: set x=1"),
        ("SELECT 1 AS \"--\"; SET x = 1", "2: set x=1"),
        ("SELECT 'a", ""),
        ("SELECT \"a", ""),
        ("SELECT $$a$", ""),
        ("SELECT 1; /* a", "2:"),
        (
            "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b); SET x = 1",
            "2: set x=1 +DEFINES",
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; SET x = 1",
            "2: set x=1 +DEFINES",
        ),
        (
            "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO t SELECT 1 case; END; COMMIT",
            "2: commit +DEFINES",
        ),
        ("CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; SET x = 1", "2: set x=1 +DEFINES"),
        (
            "CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS 'SELECT 1'; SET x = 1",
            "2: set x=1 +DEFINES",
        ),
    ]);
}

#[test]
fn backslashes_escape_where_the_session_says_so() {
    for (text, expected) in [
        ("SELECT 'a\\'; SET x = 1; --'", ""),
        ("SELECT 'a'\n'\\'; SET x = 1; --'", ""),
        ("SELECT B'1\\'; SET x = 1", "2: set x=1"),
        ("SET x = 'a\\'b'", "set x=a'b"),
    ] {
        let verdict = read_with(text.as_bytes(), Strings::Escapes);
        assert_eq!(show(text.as_bytes(), &verdict), expected, "{text}");
    }
}

#[test]
fn blocks_are_looked_into() {
    check(&[
        ("DO $$ BEGIN UPDATE t SET a = 1; END $$", ""),
        ("DO $$ BEGIN PERFORM f(); IF x THEN DELETE FROM t; END IF; COMMIT; END $$ LANGUAGE plpgsql", ""),
        ("DO $$ BEGIN SET LOCAL a = b; PERFORM set_config('a', 'b', true); END $$", "+SET_CONFIG"),
        ("DO $$ BEGIN SET a = b; END $$", "touch a"),
        (
            "DO $$ <<l>> DECLARE x int := 1; BEGIN IF x THEN SET a = b; ELSE RESET c; END IF; END $$",
            "touch a, touch c",
        ),
        ("DO $$ BEGIN FOR x IN SELECT 1 LOOP SET a = b; END LOOP; END $$", "touch a"),
        ("DO 'BEGIN SET a = ''b''; END'", "touch a"),
        ("DO E'BEGIN \\x53ET a = b; END'", "touch a"),
        ("DO LANGUAGE 'plpgsql' $$ BEGIN PERFORM pg_advisory_lock(1); END $$", "+ADVISORY_LOCK"),
        ("DO $$ BEGIN CREATE TEMP TABLE t (a int) ON COMMIT DROP; END $$", "+NAMES"),
        ("DO $$ BEGIN CREATE TEMP TABLE t AS SELECT CASE WHEN a THEN 1 ELSE 2 END; END $$", "temp +NAMES"),
        ("DO $$ BEGIN EXECUTE 'SET a = b'; END $$", "+OPAQUE"),
        ("DO $$ BEGIN FOR x IN EXECUTE y LOOP NULL; END LOOP; END $$", "+OPAQUE"),
        ("DO $$ BEGIN LISTEN a; END $$", "+OPAQUE"),
        ("DO $$ BEGIN RAISE NOTICE 'SET a = b; EXECUTE'; END $$", ""),
        ("DO $$ import os $$ LANGUAGE plpython3u", "+OPAQUE"),
        ("DO LANGUAGE plperl 'x'", "+OPAQUE"),
        ("DO $$ BEGIN 'x $$", "+OPAQUE"),
        ("DO $a$ BEGIN DO $b$ BEGIN SET a = b; END $b$; END $a$", "touch a"),
        ("DO $a$ DO $b$ DO $c$ DO $d$ $d$ $c$ $b$ $a$", "+OPAQUE"),
        ("CALL p(1, 'x')", ""),
        ("CALL p('SET x = 1')", "+OPAQUE"),
        ("CALL p($$ select pg_advisory_lock(1) $$)", "+OPAQUE"),
        ("CALL p(set_config('a', 'b', false))", "touch a +SET_CONFIG"),
    ]);
}

#[test]
fn names_are_kept_as_postgresql_keeps_them() {
    let long = "x".repeat(70);
    let cut = "x".repeat(63);
    check(&[(&format!("LISTEN {long}"), &format!("listen {cut}"))]);
    check(&[(&format!("LISTEN \"{}é\"", "x".repeat(62)), &format!("listen {}", "x".repeat(62)))]);
    check(&[("LISTEN Ünï", "listen Ünï"), ("LISTEN U&\"d\\0061t\\+000061\"", "listen data")]);
    let [one, other] = [read(b"LISTEN \xe9"), read(b"LISTEN \xe8")];
    assert!(one != other && one.session.len() == 1, "{one:?} {other:?}");
    assert_eq!(read(b"SET \xe9 = 1").session, [Statement::TouchUnknown]);
    assert_eq!(read(b"SET a = '\xe9'").session, [Statement::Set { name: "a".to_owned(), value: None }]);
}

#[test]
fn hostile_texts_take_little() {
    let many = "SET a = b;".repeat(super::super::MAX_STATEMENTS * 2);
    let verdict = read(many.as_bytes());
    assert_eq!(verdict.session.len(), super::super::MAX_STATEMENTS);
    assert!(verdict.marks.contains(super::super::Marks::OPAQUE), "{:?}", verdict.marks);
    // Each of these would take hours if the work grew with the square of the length.
    for part in [
        "set_config(",
        "set_config('a',",
        "(",
        "/*",
        "$a$",
        "$a",
        "'a'\n",
        "--\n",
        "\"",
        "DO $$",
        "INTO TEMP ",
        "U&\"a\" ",
    ] {
        let text = part.repeat(100_000);
        let _ = read(text.as_bytes());
        let text = format!("SELECT {text}");
        let _ = read(text.as_bytes());
    }
}
