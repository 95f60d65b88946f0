"""Several listeners of asyncpg on a pool of one connection: none of them may hold it."""

import asyncio

import asyncpg

from story import URL, tell


async def hear():
    heard = asyncio.Queue()
    note = lambda *arguments: heard.put_nowait(arguments[3])
    listeners = [await asyncpg.connect(URL) for _ in range(3)]
    for listener in listeners:
        await listener.add_listener("news", note)
    speaker = await asyncpg.connect(URL)
    await speaker.execute("NOTIFY news, 'to all'")
    assert [await heard.get() for _ in listeners] == ["to all"] * 3
    # One gives up by a call, one as asyncpg's own pool does when a connection comes back.
    await listeners[0].remove_listener("news", note)
    await listeners[1].reset()
    await speaker.execute("NOTIFY news, 'to the last'")
    assert await heard.get() == "to the last"
    assert heard.empty()
    for connection in (*listeners, speaker):
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


tell({"listeners": lambda: asyncio.run(asyncio.wait_for(hear(), 25))})
