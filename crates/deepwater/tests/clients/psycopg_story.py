"""psycopg 3, on libpq: what its users do, with and without prepared statements, pipelines, COPY and LISTEN."""

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from story import URL, tell


def connect(**options):
    return psycopg.connect(URL, **options)


def queries():
    with connect() as connection:
        row = connection.execute("SELECT %s::int + 1, %s, %s::bytea", (41, "text", b"\x00\xff")).fetchone()
        assert row == (42, "text", b"\x00\xff"), row
        connection.row_factory = dict_row
        assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}
        many = connection.execute("SELECT generate_series(1, 10000)").fetchall()
        assert len(many) == 10000


def binary():
    with connect() as connection:
        cursor = connection.cursor(binary=True)
        value = cursor.execute("SELECT %b::int8, '2020-01-02'::date, ARRAY[1, 2]", (7,)).fetchone()
        assert value[0] == 7 and value[1].year == 2020 and value[2] == [1, 2], value


def prepared():
    # Prepared at once, and again after each of many statements has pushed another out.
    with connect(autocommit=True, prepare_threshold=0) as connection:
        connection.prepared_max = 10
        for number in range(60):
            row = connection.execute(f"SELECT %s::int + {number % 20}", (number,)).fetchone()
            assert row == (number + number % 20,), row


def transactions():
    with connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS accounts (name text PRIMARY KEY, amount int)")
        connection.execute("TRUNCATE accounts")
        connection.commit()
        with connection.transaction():
            connection.execute("INSERT INTO accounts VALUES ('a', 1)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO accounts VALUES ('b', 1)")
                    connection.execute("INSERT INTO accounts VALUES ('a', 2)")
            except psycopg.errors.UniqueViolation as error:
                assert error.diag.constraint_name == "accounts_pkey"
            else:
                raise AssertionError("the name was taken")
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (1,)
        connection.rollback()
        try:
            connection.execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero:
            pass
        try:
            connection.execute("SELECT 1")
        except psycopg.errors.InFailedSqlTransaction:
            pass
        connection.rollback()


def pipelines():
    with connect(autocommit=True) as connection:
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("SELECT %s::int", (n,)) for n in range(200)]
            pipeline.sync()
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(200))
        try:
            with connection.pipeline():
                good = connection.execute("SELECT 1")
                connection.execute("SELECT 1 / 0")
                connection.execute("SELECT 2")
        except psycopg.errors.DivisionByZero:
            assert good.fetchone() == (1,)
        else:
            raise AssertionError("an error was due")
        assert connection.execute("SELECT 3").fetchone() == (3,)


def many():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.executemany("SELECT %s::int * 2", [(n,) for n in range(50)], returning=True)
        values = []
        while True:
            values.append(cursor.fetchone()[0])
            if not cursor.nextset():
                break
        assert values == [n * 2 for n in range(50)]


def copies():
    with connect() as connection:
        connection.execute("CREATE TEMP TABLE t (n int, words text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for n in range(5000):
                copy.write_row((n, f"words {n}" if n % 7 else None))
        assert connection.execute("SELECT count(*), count(words) FROM t").fetchone() == (5000, 4285)
        with connection.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            assert sum(1 for _ in copy.rows()) == 5000
        try:
            with connection.cursor().copy("COPY t FROM STDIN") as copy:
                copy.write_row((1, "one"))
                raise KeyError("changed my mind")
        except KeyError:
            pass
        connection.rollback()


def cursors():
    with connect() as connection:
        with connection.cursor(name="slow") as cursor:
            cursor.execute("SELECT generate_series(1, 1000)")
            cursor.itersize = 10
            assert cursor.fetchmany(5) == [(1,), (2,), (3,), (4,), (5,)]
            assert sum(row[0] for row in cursor) == 500500 - 15


def listening():
    with connect(autocommit=True) as listener, connect(autocommit=True) as other:
        listener.execute("LISTEN news")
        for n in range(3):
            other.execute("SELECT pg_notify('news', %s)", (str(n),))
        heard = [notice.payload for notice in listener.notifies(timeout=20, stop_after=3)]
        assert heard == ["0", "1", "2"], heard
        listener.execute("UNLISTEN news")


def settings():
    with connect(options="-c search_path=pg_catalog -c statement_timeout=12345") as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("pg_catalog",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("12345ms",)
    with connect(application_name="a story", autocommit=True) as connection:
        for _ in range(3):
            assert connection.execute("SHOW application_name").fetchone() == ("a story",)
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        assert connection.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
        assert connection.info.timezone.key == "Asia/Tokyo"


def cancelling():
    import threading

    with connect(autocommit=True) as connection:
        with connect(autocommit=True) as watcher:
            running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(61)' AND state = 'active'"

            def cancel():
                while watcher.execute(running).fetchone()[0] == 0:
                    pass
                connection.cancel_safe()

            thread = threading.Thread(target=cancel)
            thread.start()
            try:
                connection.execute("SELECT pg_sleep(61)")
            except psycopg.errors.QueryCanceled:
                pass
            else:
                raise AssertionError("it was cancelled")
            finally:
                thread.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def identifiers():
    with connect() as connection:
        name = sql.Identifier('odd "name" ; --')
        connection.execute(sql.SQL("CREATE TEMP TABLE {} (n int)").format(name))
        connection.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(name))
        assert connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall() == [(1,)]
        connection.rollback()


tell({
    "queries": queries,
    "binary": binary,
    "prepared": prepared,
    "transactions": transactions,
    "pipelines": pipelines,
    "many": many,
    "copies": copies,
    "cursors": cursors,
    "listening": listening,
    "settings": settings,
    "cancelling": cancelling,
    "identifiers": identifiers,
})
