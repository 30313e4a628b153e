"""Carts, sessions, lines of flash sales: from the shop's own Valkey to a server elsewhere, and back.

Each key is copied whole, with the moment at which it lapses. The server says which keys change meanwhile;
those are copied again, the last of them once it refuses writes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, ClassVar

from valkey.exceptions import ResponseError, ValkeyError

from mercat.cli.moves.parts import OneWriter, PartAway, PlacesDiffer, Say, Way, engines_here, in_order
from mercat.kit.valkey import connect
from mercat.settings import Settings

Server = Any
"""A client of Valkey's, whose methods have no types."""
_NOTE = b"mercat:move"
"""A key of ours in both: whose copies they are, and what is to be set again. It is not copied."""
_SAYS = "mercat:moved"
"""A channel: what is heard there comes after all that was changed before."""
_AT_ONCE = 500
_FEW = 200
_ROUNDS = 50
_SAYS_EVERY_S = 10
_HEARD_WITHIN_S = 10.0
_REFUSED = 1_000_000
"""A server that wants so many replicas for a write refuses all, at once, and is read as ever."""
_KEPT_OUT = {"min-replicas-to-write": _REFUSED, "min-replicas-max-lag": 10}
_HEARD = "KA"


class CartKeys(OneWriter):
    """What the shop's store has. The cache goes along, empty."""

    name: ClassVar[str] = "carts"
    keys: ClassVar[tuple[str, ...]] = ("store_url", "cache_url")

    def __init__(self, told: Settings, here: str = "") -> None:
        """Take `here`, the address of the shop's own, where that is not the one of its folder."""
        self._told = told
        self._own = here
        self._changes: _Changes | None = None

    async def extent(self, way: Way) -> str:
        async with self._connected(way) as (source, _):
            return f"{await source.dbsize():,} keys are copied, some 5,000 a second"

    async def check(self, way: Way) -> None:
        async with self._connected(way) as (_, target):
            if way == "there":
                await _check_keeps(target)

    async def fill(self, way: Way, say: Say) -> None:
        source, target = self._places(way)
        await _check_ours(target, way, self._told.secret("carts"))
        await _let_in(target)
        await target.hset(_NOTE, "of", self._told.secret("carts"))
        if self._changes:
            await self._changes.close()
        self._changes = await _Changes.heard(source)
        copied, said_at = 0, monotonic()
        async for names in _names(source):
            copied += await _copy(source, target, names)
            if monotonic() - said_at > _SAYS_EVERY_S:
                said_at = monotonic()
                say(f"{copied:,} keys are copied.")
        async for names in _names(target):
            await _copy(source, target, names)  # what is not here any more goes there too
        await self._copy_changed(source, target)
        say(f"{copied:,} keys were copied.")
        await _close(target)

    async def verify(self, way: Way) -> str:
        """Compare each key; what differs is looked at again once what changed meanwhile is copied."""
        async with self._connected(way) as (source, target):
            count, different = 0, set[bytes]()
            async for names in _names(source):
                count += len(names)
                different |= await _different(source, target, names)
            for _ in range(_ROUNDS):
                if not different:
                    return f"{count:,} keys are the same in both places, and lapse when they did."
                await self._copy_changed(source, target)
                different = await _different(source, target, different)
            raise PlacesDiffer(f"{len(different):,} of {count:,} keys are not the same there.")

    async def hand_over(self, way: Way, say: Say) -> None:
        if self._changes is None:  # of a command that was killed: nobody has heard what changed since
            await self.let_in(way)
            await self.fill(way, say)
            say(await self.verify(way))
        begun = monotonic()
        async with self._connected(way) as (source, target):
            if way == "there":
                await source.hset(_NOTE, "shut", 1)
            await _keep_out(source)
            await self._copy_changed(source, target, few=0)
            here, there = await source.dbsize(), await target.dbsize()
            if here != there:
                await _drop_lapsed(source, target)
                here, there = await source.dbsize(), await target.dbsize()
            if here != there:
                raise PlacesDiffer(f"{here:,} keys are here, and {there:,} are there.")
            if way == "there":
                await _shut(source)
        say(f"everything is there {monotonic() - begun:.2f} s after the last write.")

    async def let_in(self, way: Way, *, stays: bool = False) -> None:
        async with self._connected(way) as (source, _):
            await _let_in(source)

    async def settle(self, way: Way, say: Say) -> None:
        if self._changes:
            await self._changes.close()
            self._changes = None
        say("the former store takes no writes any more.")

    async def _copy_changed(self, source: Server, target: Server, few: int = _FEW) -> None:
        """Copy what changed until little does, or, where nobody writes any more, all of it."""
        assert self._changes
        for _ in range(_ROUNDS):
            changed = await self._changes.take()
            await _copy(source, target, changed)
            if len(changed) <= few:
                return
        if not few:
            raise PartAway("The store is written still.")

    def _places(self, way: Way) -> tuple[Server, Server]:
        if "," in self._told.store_url:
            raise PlacesDiffer("several servers name their keys otherwise: carts move to one server alone.")
        own = self._own or engines_here(self._told.data).store_url
        here, there = [connect(url, socket_connect_timeout=5) for url in (own, self._told.store_url)]
        return in_order(way, here, there)

    @asynccontextmanager
    async def _connected(self, way: Way) -> AsyncGenerator[tuple[Server, Server]]:
        places = self._places(way)
        try:
            yield places
        finally:
            await _close(*places)


class _Changes:
    """The names of the keys that a server changes from now on."""

    def __init__(self, source: Server, pubsub: Any) -> None:
        self._source = source
        self._pubsub = pubsub
        self._names: set[bytes] = set()
        self._said = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def heard(cls, source: Server) -> "_Changes":
        told = await source.config_get("notify-keyspace-events")
        await source.hsetnx(_NOTE, "events", told["notify-keyspace-events"])
        await source.config_set("notify-keyspace-events", _HEARD)
        pubsub: Any = source.pubsub()
        await pubsub.psubscribe("__keyspace@*__:*")
        await pubsub.subscribe(_SAYS)
        return cls(source, pubsub)

    async def take(self) -> set[bytes]:
        """Return what has changed until now."""
        self._said.clear()
        heard = asyncio.create_task(self._said.wait())
        await self._source.publish(_SAYS, "")
        done, _ = await asyncio.wait(
            [heard, self._listening], timeout=_HEARD_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        if heard not in done:
            heard.cancel()
            raise PartAway("The store does not say what changes, or changes more than can be said.")
        names, self._names = self._names, set()
        return names - {_NOTE}

    async def close(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._listening
        await _close(self._source)

    async def _listen(self) -> None:
        async for message in self._pubsub.listen():
            if message["type"] == "pmessage":
                self._names.add(message["channel"].partition(b"__:")[2])
            elif message["type"] == "message":
                self._said.set()


async def _check_ours(target: Server, way: Way, key: str) -> None:
    """Refuse a server that has anything but our own copies; what is here was ours."""
    whose = await target.hget(_NOTE, "of")
    if way == "there" and whose != key.encode() and (count := await target.dbsize()):
        raise PlacesDiffer(f"the store there has {count:,} keys of somebody else's. Empty it first.")


async def _check_keeps(target: Server) -> None:
    """Refuse a server that would forget carts when it is restarted, or full."""
    try:
        told = {**await target.config_get("appendonly"), **await target.config_get("maxmemory-policy")}
    except ResponseError as refused:
        raise PlacesDiffer(f"the store there does not say how it keeps what it has ({refused}).") from None
    for name, wanted in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
        if told.get(name) != wanted:
            raise PlacesDiffer(f"the store there would forget carts: it needs {name} {wanted}.")


async def _keep_out(source: Server) -> None:
    told = await source.config_get("min-replicas-*")
    if int(told["min-replicas-to-write"]) != _REFUSED:
        for name in _KEPT_OUT:
            await source.hset(_NOTE, name, told[name])
    for name, value in [*_KEPT_OUT.items()][::-1]:
        await source.config_set(name, value)


async def _shut(own: Server) -> None:
    """Let nobody read the shop's own any more: who knows it still would sell what was in a cart then."""
    await own.execute_command("ACL", "SETUSER", "default", "resetkeys", "~mercat:*")


async def _let_in(server: Server) -> None:
    """Set again what was set before we kept writers out, and listened."""
    before: dict[bytes, bytes] = await server.hgetall(_NOTE)
    if b"shut" in before:
        await server.execute_command("ACL", "SETUSER", "default", "allkeys")
    for name in _KEPT_OUT:
        if (value := before.get(name.encode())) is not None:
            await server.config_set(name, value)
    if (events := before.get(b"events")) is not None:
        await server.config_set("notify-keyspace-events", events)
    await server.hdel(_NOTE, *_KEPT_OUT, "events", "shut")


async def _names(server: Server) -> AsyncIterator[set[bytes]]:
    at = 0
    while True:
        at, names = await server.scan(at, count=_AT_ONCE)
        if found := {*names} - {_NOTE}:
            yield found
        if at == 0:
            return


async def _read(server: Server, names: list[bytes]) -> list[tuple[bytes | None, int]]:
    """Return what each key has, and when it lapses (milliseconds since 1970; negative: never)."""
    pipe: Any = server.pipeline(transaction=True)
    for name in names:
        pipe.dump(name)
        pipe.pexpiretime(name)
    answers = await pipe.execute()
    return [*zip(answers[::2], answers[1::2], strict=True)]


async def _copy(source: Server, target: Server, names: Iterable[bytes]) -> int:
    """Copy keys as they are now; what is not there any more goes there too. Return how many are here."""
    waiting, copied = [*names], 0
    while waiting:
        some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        pipe: Any = target.pipeline(transaction=False)
        for name, (content, lapses) in zip(some, await _read(source, some), strict=True):
            if content is None:
                pipe.delete(name)
            else:
                copied += 1
                pipe.restore(name, max(lapses, 0), content, replace=True, absttl=True)
        await pipe.execute()
    return copied


async def _different(source: Server, target: Server, names: Iterable[bytes]) -> set[bytes]:
    asked = [*names]
    both = zip(asked, await _read(source, asked), await _read(target, asked), strict=True)
    unlike = [(name, here[1] != there[1]) for name, here, there in both if here != there]
    return {name for name, lapses in unlike if lapses or not await _same(source, target, name)}


async def _same(source: Server, target: Server, name: bytes) -> bool:
    """Whether a key has the same in both, where the two write it down otherwise."""
    return await _content(source, name) == await _content(target, name)


async def _content(server: Server, name: bytes) -> Any:
    match await server.type(name):
        case b"hash":
            return await server.hgetall(name)
        case b"set":
            return await server.smembers(name)
        case b"zset":
            return await server.zrange(name, 0, -1, withscores=True)
        case b"list":
            return await server.lrange(name, 0, -1)
        case b"string":
            return await server.get(name)
        case b"none":
            return None
        case other:
            return await server.dump(name), other


async def _drop_lapsed(source: Server, target: Server) -> None:
    """Read each key: what has lapsed, and was not looked at since, is counted until then."""
    for server in (source, target):
        async for names in _names(server):
            await server.exists(*names)


async def _close(*servers: Server) -> None:
    for server in servers:
        with suppress(ValkeyError, OSError):
            await server.aclose()
