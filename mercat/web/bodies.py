"""Bodies of requests on their way in: each whole within a deadline, so many of one network at once.

A body is read before anything else is decided, so that a slow one holds nothing but itself, and so that the
answer reaches a client that listens only after it has sent everything.
"""

import asyncio
from collections import Counter
from contextlib import suppress

from starlette.types import Message, Receive

from mercat.kit.http import BODY_BYTES_MAX, DISCARDED_BYTES_MAX, FILE_BYTES_MAX
from mercat.kit.refusals import BadRequest, Overloaded, Refusal, TooManyRequests
from mercat.settings import Settings

_FILES_AT_ONCE = 4
_FILE_PATIENCE = 6
"""A file may take so many times as long as another body."""
_DRAINED_S = 1.0
"""How long a body is read that nobody will read to its end; then its connection is closed."""


class RequestTimeout(Refusal):
    """The request did not arrive in full in time. Nothing was done; send it again."""

    status = 408


class Bodies:
    """The bodies that a process is reading."""

    def __init__(self, settings: Settings) -> None:
        self._within_s = settings.body_s
        self._of_network = settings.bodies_at_once
        self._of_loopback = max(settings.bodies_at_once, settings.requests_at_once)
        self._of_all = 2 * settings.requests_at_once
        self._unfinished: Counter[str] = Counter()
        self._total = 0
        self._files = 0

    async def read(
        self, receive: Receive, network: str, length: bytes, *, loopback: bool, is_file: bool = False
    ) -> bytes | None:
        """Read a body; None is one that is too large. Raise RequestTimeout when it is not whole in time,
        BadRequest when it ends in the middle, and
        TooManyRequests or Overloaded at once where too many are unfinished. `is_file`: it may be large, and
        few of them are read at once."""
        if is_file:
            if self._files >= _FILES_AT_ONCE:
                raise Overloaded("Other files are being received. Send yours again in a moment.")
            self._files += 1
            try:
                return await self._read_whole(receive, network, length, loopback, FILE_BYTES_MAX)
            finally:
                self._files -= 1
        return await self._read_whole(receive, network, length, loopback, BODY_BYTES_MAX)

    async def _read_whole(
        self, receive: Receive, network: str, length: bytes, loopback: bool, most: int
    ) -> bytes | None:
        unfinished = self._unfinished
        if unfinished[network] >= (self._of_loopback if loopback else self._of_network):
            raise TooManyRequests("Your network sends too many requests that are not whole. Wait a moment.")
        if self._total >= self._of_all:
            raise Overloaded
        unfinished[network] += 1
        self._total += 1
        try:
            if length.isdigit() and int(length) > DISCARDED_BYTES_MAX:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DRAINED_S):
                        await _read(receive, most)
                return None
            async with asyncio.timeout(self._within_s * (_FILE_PATIENCE if most > BODY_BYTES_MAX else 1)):
                return await _read(receive, most)
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._total -= 1
            unfinished[network] -= 1
            if not unfinished[network]:
                del unfinished[network]


async def _read(receive: Receive, most: int) -> bytes | None:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole if len(whole) <= most else None
    body = bytearray()
    size = 0
    while True:
        if message["type"] == "http.disconnect":  # who went away does not hear it; who sent nonsense does
            raise BadRequest("The body breaks off, or its chunks are malformed.")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= most:
            body += part
        if not message.get("more_body"):
            return bytes(body) if size <= most else None
        if size > DISCARDED_BYTES_MAX:
            return None
        message = await receive()


def whole(body: bytes | None, receive: Receive) -> Receive:
    """Make what a handler receives: the body that is there already, then what the client does next."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body or b"", "more_body": False}

    return again
