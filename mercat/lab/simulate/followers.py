"""The relay and the followers of a simulated back process: the product's own code, on facts that come from
the slot as they would over a replication connection."""

from collections import deque
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg

from mercat.kit.db_errors import AWAY
from mercat.kit.event_log import Follower, LoggedEvent, Places, Relay, consumers
from mercat.kit.postgres_log import PostgresLog
from mercat.kit.wal import Transactions, open_slot, shown
from mercat.lab.simulate.faults import Crash, FaultyPool, SimulatedProcess

SLOT = "simulation"
_OUTSIDE = ("search", "analytics")  # they write files, not a database
_PEEK = """/* mercat.slot.peek */
select data from pg_logical_slot_peek_binary_changes($1::text::name, null, null,
    'proto_version', '1', 'publication_names', 'relay', 'messages', 'true')"""
_CONFIRM = "/* mercat.slot.confirm */ select pg_replication_slot_advance($1::text::name, $2::text::pg_lsn)"


class DeadFollower(Crash, asyncpg.PostgresConnectionError):
    """A follower that dies takes it as the database being away, and so does nothing more."""


class MortalFollower(Follower):
    """A follower that dies with its process, also where that happens in a neighbour which it asks: it would
    try again for half a second otherwise, and others would be through before."""

    async def _commit(self, rows: Sequence[LoggedEvent], to: Places) -> None:
        try:
            await super()._commit(rows, to)
        except Crash as crash:
            raise DeadFollower from crash


class _Wire:
    """What a replication connection would bring."""

    def __init__(self, messages: list[bytes]) -> None:
        self._messages = deque(messages)

    def read_message(self) -> Any:
        return SimpleNamespace(payload=self._messages.popleft()) if self._messages else None


class BackWorker:
    """The back worker of a process: what it does with facts."""

    def __init__(
        self, process: SimulatedProcess, events: asyncpg.Pool, pools: dict[str, asyncpg.Pool]
    ) -> None:
        self._process = process
        self._events: Any = FaultyPool(events, process, gone=DeadFollower)
        self.shuffled: Callable[[Any], PostgresLog] = PostgresLog
        """Makes the log that followers read."""
        self._pools = {name: FaultyPool(pool, process, gone=DeadFollower) for name, pool in pools.items()}

    @classmethod
    async def of(cls, process: SimulatedProcess) -> "BackWorker":
        """Make the back worker of a process, with its slot."""
        host = process.shop.host
        events = await host.pool("events")
        telling = [name for name, part in host.here.items() if consumers(part) and name not in _OUTSIDE]
        back = cls(process, events, {name: await host.pool(name) for name in telling})
        await open_slot(back._events, SLOT)
        return back

    async def relay(self) -> None:
        """Carry facts from the slot to the log, until nothing is left or something breaks."""
        log = PostgresLog(self._events)
        relay = Relay(self._events, log, {}, SLOT)
        try:
            await log.make_partitions(1)
            reached = await log.reached()
            rows = await self._events.fetch(_PEEK, SLOT)
            reading = Transactions()
            await relay.carry(_Wire([row["data"] for row in rows]), reading, reached)
            if reading.ended:
                await self._events.execute(_CONFIRM, SLOT, shown(reading.ended))
        except (Crash, asyncpg.PostgresError, *AWAY):
            return  # starts again in the next round, as `Relay.run` does at once

    async def follow(self) -> None:
        """Run every follower as far as the log goes."""
        for name, pool in self._pools.items():
            service: Any = self._process.shop.host.here[name]
            log = self.shuffled(self._events)
            follower: Any = MortalFollower(name, service, pool, self._events, log)  # type: ignore[arg-type]
            try:
                while await follower.step():
                    pass
                await follower.rest()
            except (Crash, *AWAY):
                continue
