"""Server-sent events: the parts of a page that change, sent whenever they do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress

from starlette.responses import Response, StreamingResponse

from mercat.kit import clock
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Overloaded, Refusal
from mercat.web.rendering import time_of_day

_WATCHED_S = 60
Parts = Callable[[], Awaitable[Mapping[str, str]]]


class Streams:
    """The streams that a worker keeps open at once, for one kind of page."""

    def __init__(self, closing: asyncio.Event, most: int, every_s: float = 1) -> None:
        """Make none yet. `closing`: the worker is about to stop, and streams end."""
        self._closing = closing
        self._most = most
        self._every_s = every_s
        self._watching = 0

    def answer(self, parts: Parts) -> Response:
        """Send what `parts` renders, by name, whenever it changes; refuse where too many watch."""
        if self._watching >= self._most:
            raise Overloaded
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(parts), headers=headers, media_type="text/event-stream")

    async def _told(self, parts: Parts) -> AsyncIterator[bytes]:
        """Yield events for a minute: then the browser asks again, and whether it may is checked anew.

        A beat after each look tells a quiet line from a dead one, and how old the figures are."""
        self._watching += 1
        told: Mapping[str, str] = {}
        try:
            yield b"retry: 1000\n\n"
            for _ in range(max(1, round(_WATCHED_S / self._every_s))):
                with suppress(Refusal, *AWAY):  # without a beat the page says that its figures are old
                    now = await parts()
                    for part, content in now.items():
                        if told.get(part) != content:
                            yield _event(part, content)
                    told = now
                    yield _event("beat", time_of_day(clock.now()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._closing.wait()
                        return
        finally:
            self._watching -= 1


def _event(name: str, content: str) -> bytes:
    """Write a server-sent event (WHATWG HTML, 9.2.6)."""
    lines = "".join(f"data: {line}\n" for line in content.splitlines())
    return f"event: {name}\n{lines}\n".encode()
