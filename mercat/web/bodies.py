"""Bodies of requests on their way in: each whole within a deadline, so many of one network at once.

A body is read before anything else is decided, so that a slow one holds nothing but itself, and so that the
answer reaches a client that listens only after it has sent everything.
"""

import asyncio
from collections import Counter
from contextlib import suppress

from starlette.types import Message, Receive

from mercat.kit.http import BODY_BYTES_MAX, DISCARDED_BYTES_MAX, FILE_BYTES_MAX
from mercat.kit.refusals import Overloaded, Refusal, TooManyRequests
from mercat.media import UPLOAD_BYTES_MAX
from mercat.settings import Settings

_FILES = frozenset({"/api/v1/seller/imports", "/desk/upload"})
_PICTURES = frozenset({"/api/v1/media", "/desk/new"})
_FORMS_WITH_PICTURES = "/desk/products/"
_PICTURE_BYTES_MAX = UPLOAD_BYTES_MAX + BODY_BYTES_MAX
"""A picture, and the form around it."""
_UPLOADS_MAX = 8
"""Long bodies that a process reads at once: each is held in memory."""
_UPLOAD_PATIENCE = 6
"""A long body may take so many times as long as another."""
_DRAINED_S = 1.0
"""How long a body is read that nobody will read to its end; then its connection is closed."""


class RequestTimeout(Refusal):
    """The request did not arrive in full in time. Nothing was done; send it again."""

    status = 408


def body_bytes_max(path: str) -> int:
    """Return how long a body may be: more where pictures are uploaded."""
    if path in _FILES:
        return FILE_BYTES_MAX
    pictures = path in _PICTURES or path.startswith(_FORMS_WITH_PICTURES)
    return _PICTURE_BYTES_MAX if pictures else BODY_BYTES_MAX


class Bodies:
    """The bodies that a process is reading."""

    def __init__(self, settings: Settings) -> None:
        self._within_s = settings.body_s
        self._of_network = settings.bodies_at_once
        self._of_loopback = max(settings.bodies_at_once, settings.requests_at_once)
        self._of_all = 2 * settings.requests_at_once
        self._unfinished: Counter[str] = Counter()
        self._total = 0
        self._long = 0

    async def read(
        self, receive: Receive, network: str, length: bytes, most: int = BODY_BYTES_MAX, *, loopback: bool
    ) -> bytes | None:
        """Read a body; None is one of more than `most` bytes. Raise RequestTimeout when it is not whole in
        time, and TooManyRequests or Overloaded at once where too many are unfinished."""
        unfinished = self._unfinished
        if unfinished[network] >= (self._of_loopback if loopback else self._of_network):
            raise TooManyRequests("Your network sends too many requests that are not whole. Wait a moment.")
        is_upload = most > BODY_BYTES_MAX and not (length.isdigit() and int(length) <= BODY_BYTES_MAX)
        if self._total >= self._of_all:
            raise Overloaded
        if is_upload and self._long >= _UPLOADS_MAX:
            raise Overloaded("Other files are being received. Send yours again in a moment.")
        self._long += is_upload
        unfinished[network] += 1
        self._total += 1
        try:
            if length.isdigit() and int(length) > DISCARDED_BYTES_MAX:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DRAINED_S):
                        await _read(receive, most)
                return None
            async with asyncio.timeout(self._within_s * (_UPLOAD_PATIENCE if is_upload else 1)):
                return await _read(receive, most)
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._total -= 1
            self._long -= is_upload
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
        if message["type"] == "http.disconnect":
            raise RequestTimeout
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
