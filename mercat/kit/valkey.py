"""Valkey in two roles: `store` keeps what must survive (carts, sessions), `cache` may forget.

Commands of concurrent requests travel in one pipeline: the same idea as the coalescer's, and by it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from valkey.asyncio import Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import ConstantBackoff
from valkey.exceptions import NoScriptError, ValkeyError

from mercat.kit import patches
from mercat.kit.batching import Coalescer
from mercat.kit.db_errors import unavailable

Command = tuple[Any, ...]
_PATIENCE_S = 5.0


class Store:
    """A Valkey server. `await store.do("HGETALL", key)`; a script: `await store.run(SCRIPT, keys, args)`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.client: Valkey = Valkey.from_url(
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
        """Run a command. Unavailable when the server is away, full or still loading."""
        return await self._together(command)

    async def run(self, script: str, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """Run a Lua script by its hash; load it where the server does not know it (any more)."""
        sha = self._hashes.get(script) or await self._load(script)
        try:
            return await self._together(("EVALSHA", sha, len(keys), *keys, *args))
        except NoScriptError:
            sha = await self._load(script)
            return await self._together(("EVALSHA", sha, len(keys), *keys, *args))

    async def run_many(self, script: str, calls: list[tuple[Sequence[Any], Sequence[Any]]]) -> list[Any]:
        """Run a script for many keys and arguments, in one pipeline."""
        sha = self._hashes.get(script) or await self._load(script)
        answers = await self._pipeline([("EVALSHA", sha, len(keys), *keys, *args) for keys, args in calls])
        for n, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[n] = await self.run(script, *calls[n])
            elif isinstance(answer, Exception):
                raise answer
        return answers

    async def _load(self, script: str) -> str:
        sha = await self._together(("SCRIPT", "LOAD", script))
        self._hashes[script] = sha.decode() if isinstance(sha, bytes) else sha
        return self._hashes[script]

    async def _pipeline(self, commands: list[Command]) -> list[Any]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
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
        """Yield what is published on a channel from now on, for as long as the connection lasts."""
        patient: Valkey = Valkey.from_url(
            self._url, protocol=2, socket_timeout=None, socket_connect_timeout=2
        )
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
