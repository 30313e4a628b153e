"""What runs in one process of the shop at a time, however many could: relay, followers, duties.

Who has the lock works, the others wait for it quietly, and one of them goes on within a second when it dies.
A lock is held by a connection to PostgreSQL and goes with it, so that connection belongs to nobody else, and
a pooler that shares connections by transactions must not stand between."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import asyncpg

from mercat.kit import sql
from mercat.kit.db_errors import AWAY

Work = Callable[[], Iterable[Coroutine[Any, Any, None]]]
queries = sql.load("mercat.kit")
GROWN = "mercat_log"
"""The channel on which the relay says how far the log has grown."""
_AGAIN_S = 0.5
_PINGED_EVERY_S = 5.0


class Locks:
    """The locks of a process, on a connection of their own that also hears how far the log has grown."""

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], grown: Callable[[int], None]
    ) -> None:
        self._connect = connect
        self._grown = grown
        self._connection: asyncpg.Connection | None = None
        self._opened, self._lost = asyncio.Event(), asyncio.Event()
        self._asking = asyncio.Lock()

    async def keep(self) -> None:
        """Stay connected for as long as this runs; while there is no connection nothing is held."""
        while True:
            try:
                self._connection = connection = await self._connect()
            except AWAY:
                await asyncio.sleep(_AGAIN_S)
                continue
            self._lost = lost = asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            try:
                await connection.add_listener(GROWN, self._heard)
                self._opened.set()
                await self._until_lost(connection, lost)
            except AWAY:
                continue
            finally:
                self._opened.clear()
                lost.set()
                connection.terminate()

    async def alone(self, name: str, work: Work) -> None:
        """Run `work` whenever this process has the lock of this name, until the lock is lost, for ever.

        Each of its coroutines ends by being cancelled only. The former holder may live a few seconds on where
        the network between it and PostgreSQL broke: what runs here bears being done twice."""
        while True:
            await self._opened.wait()
            lost = self._lost
            if not await self._taken(name):
                await asyncio.sleep(_AGAIN_S)
                continue
            tasks = [asyncio.create_task(each) for each in work()]
            try:
                await lost.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _heard(self, connection: object, process: int, channel: str, payload: object) -> None:
        self._grown(int(str(payload)))

    async def _taken(self, name: str) -> bool:
        # Tried again and again, not waited for: a statement that waits holds a snapshot against VACUUM.
        try:
            return bool(await self._ask(queries.try_lock, f"mercat {name}"))
        except AWAY:
            return False

    async def _until_lost(self, connection: asyncpg.Connection, lost: asyncio.Event) -> None:
        """Ask now and then: a connection whose other end is gone without a word is noticed by that only."""
        while not lost.is_set():
            try:
                async with asyncio.timeout(_PINGED_EVERY_S):
                    await lost.wait()
            except TimeoutError:
                await self._ask(queries.ping)

    async def _ask(self, statement: str, *given: Any) -> Any:
        async with self._asking:
            assert self._connection
            return await self._connection.fetchval(statement, *given, timeout=_PINGED_EVERY_S)
