"""asyncpg, which speaks the protocol itself: it prepares everything, in binary, and asks for types on its own."""

import asyncio

import asyncpg

from story import URL, tell


def alone(step):
    """A step with a connection of its own."""

    def run():
        async def main():
            connection = await asyncpg.connect(URL)
            try:
                await step(connection)
            finally:
                await connection.close()

        asyncio.run(asyncio.wait_for(main(), 25))

    return run


async def queries(connection):
    assert await connection.fetchval("SELECT $1::int + 1", 41) == 42
    row = await connection.fetchrow("SELECT $1::text AS words, $2::bytea AS bytes", "text", b"\x00\xff")
    assert dict(row) == {"words": "text", "bytes": b"\x00\xff"}
    assert len(await connection.fetch("SELECT generate_series(1, 10000)")) == 10000
    assert await connection.execute("SELECT 1; SELECT 2") == "SELECT 1"


async def the_cache_of_statements(connection):
    for number in range(300):
        assert await connection.fetchval(f"SELECT $1::int + {number % 120}", number) == number + number % 120


async def statements(connection):
    statement = await connection.prepare("SELECT $1::int * 2 AS double")
    assert [attribute.name for attribute in statement.get_attributes()] == ["double"]
    for number in range(20):
        assert await statement.fetchval(number) == number * 2


async def types_are_looked_up(connection):
    await connection.execute("DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'happy')")
    assert await connection.fetchval("SELECT ARRAY['happy', 'sad']::mood[]") == ["happy", "sad"]
    await connection.execute("DROP TYPE mood")


async def transactions(connection):
    try:
        async with connection.transaction(isolation="serializable"):
            assert await connection.fetchval("SHOW transaction_isolation") == "serializable"
            await connection.execute("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError:
        pass
    else:
        raise AssertionError("an error was due")
    async with connection.transaction():
        async with connection.transaction():
            assert await connection.fetchval("SELECT 1") == 1


async def cursors(connection):
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("SELECT generate_series(1, 1000)", prefetch=10):
            total += row[0]
        assert total == 500500
        cursor = await connection.cursor("SELECT generate_series(1, 10)")
        assert await cursor.forward(3) == 3
        assert (await cursor.fetchrow())[0] == 4


async def copies(connection):
    async with connection.transaction():
        await connection.execute("CREATE TEMP TABLE t (n int, words text)")
        rows = [(n, f"words {n}") for n in range(5000)]
        assert await connection.copy_records_to_table("t", records=rows) == "COPY 5000"
        size = 0

        async def count(data):
            nonlocal size
            size += len(data)

        assert await connection.copy_from_query("SELECT * FROM t", output=count) == "COPY 5000"
        assert size > 50000
        await connection.execute("DROP TABLE t")


async def many(connection):
    async with connection.transaction():
        await connection.execute("CREATE TEMP TABLE t (n int)")
        await connection.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(1000)])
        assert await connection.fetchval("SELECT sum(n) FROM t") == 499500
        await connection.execute("DROP TABLE t")


async def listening(connection):
    heard = asyncio.Queue()
    await connection.add_listener("news", lambda *arguments: heard.put_nowait(arguments[3]))
    other = await asyncpg.connect(URL)
    for number in range(3):
        await other.execute(f"NOTIFY news, '{number}'")
    assert [await heard.get() for _ in range(3)] == ["0", "1", "2"]
    await other.close()


async def cancelling(connection):
    try:
        await connection.fetch("SELECT pg_sleep(62)", timeout=0.2)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("it was cancelled")
    assert await connection.fetchval("SELECT 1") == 1


async def settings(connection):
    other = await asyncpg.connect(URL, server_settings={"application_name": "a story", "search_path": "pg_catalog"})
    assert await other.fetchval("SHOW application_name") == "a story"
    assert await other.fetchval("SHOW search_path") == "pg_catalog"
    assert await connection.fetchval("SHOW search_path") != "pg_catalog"
    await other.close()


async def a_pool_of_its_own(connection):
    async with asyncpg.create_pool(URL, min_size=2, max_size=8) as pool:

        async def work(number):
            async with pool.acquire() as held:
                return await held.fetchval("SELECT $1::int", number)

        assert sorted(await asyncio.gather(*(work(n) for n in range(100)))) == list(range(100))


tell({
    step.__name__: alone(step)
    for step in [
        queries,
        the_cache_of_statements,
        statements,
        types_are_looked_up,
        transactions,
        cursors,
        copies,
        many,
        listening,
        cancelling,
        settings,
        a_pool_of_its_own,
    ]
})
