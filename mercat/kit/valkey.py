"""Valkey in two roles: `store` keeps what must survive (carts, sessions), `cache` may forget.

Commands of concurrent requests travel in one pipeline: the same idea as the coalescer's, and by it. Each
role is one server, or a cluster (`kit/valkey_cluster`): what both can do is `Store`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ConstantBackoff
from valkey.exceptions import NoScriptError, ValkeyError

from mercat.kit import patches
from mercat.kit.batching import Coalescer
from mercat.kit.db_errors import unavailable

Command = tuple[Any, ...]
Call = tuple[Sequence[Any], Sequence[Any]]
"""Keys and arguments of a script. In a cluster all keys of a call are in one slot (`Store.with_slot_of`)."""
PATIENCE_S = 5.0


class Store(Protocol):
    """Where things are kept. `await store.do("HGETALL", key)`; a script: `await store.run(SCRIPT, keys,
    args)`.

    Each verb raises Unavailable where a server is away, full or still loading; what was asked of it may have
    happened then, or not."""

    async def do(self, *command: Any) -> Any:
        """Run a command."""
        ...

    async def run(self, script: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """Run a Lua script by its hash; load it where the server does not know it (any more)."""
        ...

    async def run_many(self, script: str, calls: list[Call]) -> list[Any]:
        """Run a script for many keys and arguments, in one pipeline a server."""
        ...

    async def run_each(self, script: str, calls: list[Call]) -> list[Any]:
        """Run a script that goes through its keys and answers a row for each, in as few calls as can be: one
        where they are all on one server."""
        ...

    def with_slot_of(self, key: str, name: str) -> str:
        """Name a key that scripts use together with another: in a cluster it is in the same slot."""
        ...

    def part(self, name: str, key: str) -> str:
        """Name the part of something that scripts write together with a key: it is one on one server, and
        one a slot in a cluster."""
        ...

    async def find_parts(self, name: str) -> list[str]:
        """List the parts of something in which there is anything, but those of servers that are away."""
        ...

    def subscribe(self, channel: str) -> AsyncIterator[str]:
        """Yield what is published on a channel from now on, for as long as the connection lasts."""
        ...

    async def servers(self) -> "list[ValkeyServer]":
        """List those that take writes."""
        ...

    async def close(self) -> None:
        """Answer who waits, and let go of all connections."""
        ...


def connect(url: str, **more: Any) -> Valkey:
    """Make a client. Over TLS its server has to be who the address says, which the library does not ask."""
    if url.startswith(("valkeys://", "rediss://")):
        more["ssl_check_hostname"] = True
    return Valkey.from_url(url, **more)


class ValkeyServer:
    """One server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = connect(
            url,
            protocol=2,
            socket_timeout=None,  # one for the pipeline instead of one an answer
            socket_connect_timeout=2,
            retry=Retry(ConstantBackoff(0.05), 2),
            retry_on_error=[ConnectionError],
        )
        patches.pack_commands_in_c(self.client)
        self._together: Coalescer[Command, Any] = Coalescer(
            lambda commands: self._pipeline(commands), batch_max=500, turns=False
        )
        self._hashes: dict[str, str] = {}

    async def do(self, *command: Any) -> Any:
        return await self._together(command)

    async def run(self, script: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        sha = self._hashes.get(script) or await self._load(script)
        try:
            return await self._together(("EVALSHA", sha, len(keys), *keys, *args))
        except NoScriptError:
            sha = await self._load(script)
            return await self._together(("EVALSHA", sha, len(keys), *keys, *args))

    async def run_many(self, script: str, calls: list[Call]) -> list[Any]:
        sha = self._hashes.get(script) or await self._load(script)
        answers = await self._pipeline([("EVALSHA", sha, len(keys), *keys, *args) for keys, args in calls])
        for n, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[n] = await self.run(script, *calls[n])
            elif isinstance(answer, Exception):
                raise answer
        return answers

    async def run_each(self, script: str, calls: list[Call]) -> list[Any]:
        keys = [key for keys, _ in calls for key in keys]
        return await self.run(script, keys, [arg for _, args in calls for arg in args])

    def with_slot_of(self, key: str, name: str) -> str:
        return name

    def part(self, name: str, key: str) -> str:
        return name

    async def find_parts(self, name: str) -> list[str]:
        return [name]

    async def servers(self) -> "list[ValkeyServer]":
        return [self]

    async def asking(self, command: Command) -> Any:
        """Run a command for a key that is on its way to this server."""
        _, answer = await self._pipeline([("ASKING",), command])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _load(self, script: str) -> str:
        sha = await self._together(("SCRIPT", "LOAD", script))
        self._hashes[script] = sha.decode() if isinstance(sha, bytes) else sha
        return self._hashes[script]

    async def _pipeline(self, commands: list[Command]) -> list[Any]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                if len(commands) == 1:
                    return [await self._one(commands[0])]
                async with self.client.pipeline(transaction=False) as opened:
                    pipe: Any = opened  # its methods have no types
                    for command in commands:
                        pipe.execute_command(*command)
                    answers: list[Any] = await pipe.execute(raise_on_error=False)
                return [unavailable(answer) if _refused(answer) else answer for answer in answers]
        except (ValkeyError, OSError) as error:
            return [unavailable(error)] * len(commands)

    async def _one(self, command: Command) -> Any:
        try:
            client: Any = self.client
            return await client.execute_command(*command)
        except NoScriptError as error:
            return error

    async def subscribe(self, channel: str) -> AsyncIterator[str]:
        patient = connect(self.url, protocol=2, socket_timeout=None, socket_connect_timeout=2)
        try:
            async with patient.pubsub() as opened:
                pubsub: Any = opened
                await pubsub.subscribe(channel)
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        yield message["data"].decode()
        finally:
            await patient.aclose()

    async def close(self) -> None:
        await self._together.close()
        await self.client.aclose()


def _refused(answer: Any) -> bool:
    """Say whether the server cannot for now: its disk or memory is full, or it is still loading."""
    return isinstance(answer, ValkeyError) and not isinstance(answer, NoScriptError)
