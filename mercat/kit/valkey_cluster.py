"""Several Valkeys as one: each key is in one of 16,384 slots, and each slot on one server.

Our own routing: a command goes straight to the server that has its key's slot, over the one connection that
all commands for it share, so a pipeline is split and put together again as a matter of course. Where a slot
went is learnt from the server that no longer has it.
"""

import asyncio
import random
import re
from binascii import crc_hqx
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog
from valkey.exceptions import ResponseError

from mercat.kit.refusals import Overloaded, Unavailable
from mercat.kit.valkey import PATIENCE_S, Call, Command, Store, ValkeyServer

log = structlog.get_logger("mercat.valkey")
SLOTS = 16_384
_PORT = 6379
_ASKED_WITHIN_S = 1.0
_PAUSE_S = 0.05
"""Before a server is asked again about a slot that is on its way."""
_REST_S = 0.2
"""Between two looks at where the slots are."""
_LOOKED_AT_ONCE = 256
_ANYWHERE = frozenset({"PING", "PUBLISH", "INFO", "CLUSTER"})
_SUMMED = frozenset({"DEL", "UNLINK", "EXISTS"})
_THERE = """#!lua flags=no-writes,allow-cross-slot-keys
local found = {}
for i = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ':{' .. ARGV[i] .. '}') == 1 then table.insert(found, ARGV[i]) end
end
return found
"""
"""ARGV: a name and tags. Answers the tags of which there is a part. It names its keys by itself: they are in
several slots, all on the server that is asked."""


def open_store(addresses: str) -> Store:
    """Make what talks to a Valkey, or to a cluster of which several addresses are given."""
    urls = addresses_in(addresses)
    if len(urls) == 1:
        return ValkeyServer(urls[0])
    tags()  # now, as it would keep the first who puts something into a cart waiting, and all others with them
    return ValkeyCluster(urls)


def addresses_in(addresses: str) -> list[str]:
    """Split addresses at the commas between them: a password may have one."""
    return [each.strip() for each in re.split(r",(?=\s*\w+://)", addresses)]


def slot_of(key: str | bytes) -> int:
    """Return the slot of a key: of what is between its first braces, if there is anything."""
    name = key if isinstance(key, bytes) else key.encode()
    _, opened, rest = name.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return crc_hqx(tag if opened and closed and tag else name, 0) % SLOTS


@cache
def tags() -> list[str]:
    """Return a short name in each slot."""
    found: dict[int, str] = {}
    for number in count():
        found.setdefault(slot_of(name := str(number)), name)
        if len(found) == SLOTS:
            return [found[slot] for slot in range(SLOTS)]
    raise AssertionError


class SlotShare(NamedTuple):
    """A part of the slots, and who has them."""

    slots: list[tuple[int, int]]
    """First and last of each range."""
    nodes: list[dict[str, str]]
    """What the cluster says of each server: endpoint, port, role, health."""

    def primary(self) -> dict[str, str] | None:
        """Return who takes writes: of two that say so, the one that lives."""
        named = [each for each in self.nodes if each["role"] == "master"]
        return min(named, key=lambda each: each["health"] != "online", default=None)

    def replicated(self) -> bool:
        """Say whether another has what the primary has."""
        return any(each["role"] != "master" and each["health"] == "online" for each in self.nodes)


class View(NamedTuple):
    """The cluster, as one of its servers sees it."""

    whole: bool
    epoch: int
    info: dict[str, str]
    shards: list[SlotShare]
    host: str
    """Of the server that says so."""


async def view_of(server: ValkeyServer) -> View:
    """Ask a server how it sees its cluster."""
    async with asyncio.timeout(_ASKED_WITHIN_S):
        about, told = await asyncio.gather(server.do("CLUSTER", "INFO"), server.do("CLUSTER", "SHARDS"))
    info = dict(line.split(":", 1) for line in about.decode().split("\r\n") if ":" in line)
    shards: list[SlotShare] = []
    for each in map(_fields, told):
        bounds = each["slots"]
        ranges = [(bounds[n], bounds[n + 1]) for n in range(0, len(bounds), 2)]
        nodes = [{name: _text(value) for name, value in _fields(node).items()} for node in each["nodes"]]
        shards.append(SlotShare(ranges, nodes))
    whole = info["cluster_state"] == "ok"
    return View(whole, int(info["cluster_current_epoch"]), info, shards, urlsplit(server.url).hostname or "")


def _fields(flat: Sequence[Any]) -> dict[str, Any]:
    return {_text(flat[n]): flat[n + 1] for n in range(0, len(flat), 2)}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class ValkeyCluster:
    """The servers of a cluster."""

    def __init__(self, urls: Sequence[str]) -> None:
        """`urls`: of some of the servers; the others are learnt from them. User, password and TLS are the
        first one's for all."""
        self._form = urlsplit(urls[0])
        self._named = {place: self._open(*place) for place in map(_place_in, urls)}
        """Those of the settings, which are asked even if they have nothing, by address."""
        self._learnt: dict[tuple[str, int], ValkeyServer] = {}
        """The others that have or had slots."""
        self._owners: list[ValkeyServer | None] = []
        self._looking: asyncio.Task[None] | None = None

    async def do(self, *command: Any) -> Any:
        name, *keys = command
        if name in _ANYWHERE:
            return await self._anywhere(lambda server: server.do(*command))
        if len(keys) > 1 and (name == "MGET" or name in _SUMMED):
            return await self._parted(name, keys)
        return await self._at(slot_of(keys[0]), lambda server: server.do(*command), command)

    async def run(self, script: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        command = ("EVAL", script, len(keys), *keys, *args)
        return await self._at(slot_of(keys[0]), lambda server: server.run(script, keys, args), command)

    async def run_many(self, script: str, calls: list[Call]) -> list[Any]:
        return await _all(self.run(script, *call) for call in calls)

    async def run_each(self, script: str, calls: list[Call]) -> list[Any]:
        return [row for rows in await self.run_many(script, calls) for row in rows or ()]

    def with_slot_of(self, key: str, name: str) -> str:
        return f"{name}:{{{key}}}"

    def part(self, name: str, key: str) -> str:
        return f"{name}:{{{tags()[slot_of(key)]}}}"

    async def find_parts(self, name: str) -> list[str]:
        await self._look_once()
        slots: dict[ValkeyServer | None, list[int]] = {}
        for slot, owner in enumerate(self._owners):
            slots.setdefault(owner, []).append(slot)
        asks = [
            self._there(server, name, owned[start : start + _LOOKED_AT_ONCE])
            for server, owned in slots.items()
            for start in range(0, len(owned), _LOOKED_AT_ONCE)
        ]
        found = await asyncio.gather(*asks, return_exceptions=True)
        there = [some for some in found if isinstance(some, list)]
        if not there:
            raise Unavailable
        return [f"{name}:{{{tag}}}" for some in there for tag in some]

    async def _there(self, server: ValkeyServer | None, name: str, slots: Sequence[int]) -> list[str]:
        """List the tags of which there is a part; one by one, where a slot of them is on its way."""
        wanted = [tags()[slot] for slot in slots]
        try:
            if server:
                return [tag.decode() for tag in await server.run(_THERE, [], [name, *wanted])]
        except Unavailable as away:
            if not _said(away):
                raise
        there = await _all(self.do("EXISTS", f"{name}:{{{tag}}}") for tag in wanted)
        return [tag for tag, found in zip(wanted, there, strict=True) if found]

    async def subscribe(self, channel: str) -> AsyncIterator[str]:
        await self._look()
        if not (servers := await self.servers()):
            raise Unavailable
        async for said in random.choice(servers).subscribe(channel):
            yield said

    async def servers(self) -> list[ValkeyServer]:
        await self._look_once()
        return list({id(owner): owner for owner in self._owners if owner}.values())

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._known()))

    async def _anywhere(self, ask: Callable[[ValkeyServer], Awaitable[Any]]) -> Any:
        """Ask any server that answers; none of them knows more than the others."""
        servers = await self.servers()
        for server in random.sample(servers, len(servers)):
            try:
                return await ask(server)
            except Unavailable:
                self._look_soon()
        raise Unavailable

    async def _parted(self, name: str, keys: Sequence[Any]) -> Any:
        """Run a command for keys of several slots: a command a slot, and the answers as if it had been
        one."""
        slots: dict[int, list[int]] = {}
        for n, key in enumerate(keys):
            slots.setdefault(slot_of(key), []).append(n)
        commands = [(name, *(keys[n] for n in places)) for places in slots.values()]
        answers = await _all(
            self._at(slot, lambda server, command=command: server.do(*command), command)
            for slot, command in zip(slots, commands, strict=True)
        )
        if name in _SUMMED:
            return sum(answers)
        found: list[Any] = [None] * len(keys)
        for places, values in zip(slots.values(), answers, strict=True):
            for n, value in zip(places, values, strict=True):
                found[n] = value
        return found

    async def _at(self, slot: int, ask: Callable[[ValkeyServer], Awaitable[Any]], command: Command) -> Any:
        """Ask the server that has a slot; follow the slot where it went, wait while it is on its way.

        Nobody asks twice where an answer was lost: what was asked may have happened."""
        until = asyncio.get_running_loop().time() + PATIENCE_S
        for tried in count():
            if tried > 1:  # where it went is told once; who is sent on again waits until they agree
                await asyncio.sleep(_PAUSE_S)
            await self._look_once()
            if (server := self._owners[slot]) is None:
                self._look_soon()
                raise Unavailable
            try:
                return await ask(server)
            except Overloaded as away:
                if not (said := self._why_again(away, server, slot)):
                    raise
                if asyncio.get_running_loop().time() > until:
                    raise
            if said.startswith("MOVED "):
                self._owners[slot] = self._named_by(said, server)
                self._look_soon()
            elif said.startswith("ASK "):
                try:
                    return await self._named_by(said, server).asking(command)
                except Unavailable as away:
                    if not _said(away).startswith(("MOVED ", "TRYAGAIN ")):
                        raise
        raise AssertionError

    def _why_again(self, away: Overloaded, server: ValkeyServer, slot: int) -> str:
        """Return what says that nothing was done yet, so that it can be asked again; empty where nothing
        does."""
        if not isinstance(away, Unavailable):  # a queue is full, or closed as the server was let go of
            return "" if server is self._owners[slot] else "GONE"
        said = _said(away)
        if said.startswith(("MOVED ", "ASK ", "TRYAGAIN ")):
            return said
        self._look_soon()
        return ""

    def _named_by(self, said: str, by: ValkeyServer) -> ValkeyServer:
        """Return the server to which one sends: `MOVED 3999 10.0.0.7:6379`."""
        host, _, port = said.split(" ")[2].rpartition(":")
        return self._server(host or urlsplit(by.url).hostname or "", int(port))

    def _server(self, host: str, port: int) -> ValkeyServer:
        known = self._named.get((host, port)) or self._learnt.get((host, port))
        if known is None:
            known = self._learnt[host, port] = self._open(host, port)
        return known

    def _open(self, host: str, port: int) -> ValkeyServer:
        credentials, at, _ = self._form.netloc.rpartition("@")
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return ValkeyServer(self._form._replace(netloc=f"{credentials}{at}{place}").geturl())

    def _known(self) -> list[ValkeyServer]:
        return [*self._learnt.values(), *self._named.values()]

    async def _look_once(self) -> None:
        if not self._owners:
            await self._look()

    async def _look(self) -> None:
        """Learn where the slots are; Unavailable where nobody says."""
        self._look_soon()
        if self._looking:
            await asyncio.shield(self._looking)
        if not self._owners:
            raise Unavailable

    def _look_soon(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._learn())

    async def _learn(self) -> None:
        """Ask all servers, and believe the one that heard of the newest election: one that is cut off from
        the others goes on telling what was."""
        if self._owners:
            await asyncio.sleep(_REST_S * random.random())  # many processes hear of the same death
        asked = self._known()
        told = await asyncio.gather(*map(view_of, asked), return_exceptions=True)
        views = [each for each in told if isinstance(each, View)]
        if not views:
            log.warning("no server of the cluster answers", asked=len(asked))
            return
        newest = max(views, key=lambda each: (each.whole, each.epoch))
        owners: list[ValkeyServer | None] = [None] * SLOTS
        for shard in newest.shards:
            if shard.slots and (primary := shard.primary()):
                server = self._server(*self._place(primary, newest))
                for first, last in shard.slots:
                    owners[first : last + 1] = [server] * (last + 1 - first)
        self._owners = owners
        there = {self._place(node, newest) for shard in newest.shards for node in shard.nodes}
        # All at once: who hears of one of them again while they are closed gets one that is open.
        gone = [self._learnt.pop(place) for place in self._learnt.keys() - there]
        await asyncio.gather(*(server.close() for server in gone))

    def _place(self, node: dict[str, str], view: View) -> tuple[str, int]:
        host = node.get("endpoint", "")
        port = node.get("tls-port" if self._form.scheme in ("valkeys", "rediss") else "port", "0")
        return view.host if host in ("", "?") else host, int(port)


def _place_in(url: str) -> tuple[str, int]:
    named = urlsplit(url)
    return named.hostname or "", named.port or _PORT


async def _all(asks: Iterable[Awaitable[Any]]) -> list[Any]:
    """Await all, whatever becomes of some; then raise the first error."""
    answers = await asyncio.gather(*asks, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def _said(away: Unavailable) -> str:
    """Return what a server said instead of an answer; empty where it said nothing."""
    return str(away.__cause__) if isinstance(away.__cause__, ResponseError) else ""
