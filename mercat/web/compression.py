"""Answers on their way out, compressed for who reads that.

What is everybody's is compressed once and kept. What is one person's is compressed only where no other site
can make their browser ask for it: who can, and sees how long the answers are, finds out a secret letter by
letter beside words of their own choice (BREACH, 2013).
"""

import asyncio
import gzip
from collections import OrderedDict
from functools import lru_cache
from typing import Any, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]

from mercat.kit import zstd
from mercat.kit.media_types import weights

BYTES_MIN = 1_000
"""Less fits into one packet whatever is done."""
_IN_LOOP_BYTES_MAX = 100_000
"""More would keep other requests waiting for milliseconds, so a thread does it."""
_KEPT_BYTES_MAX = 32_000_000
_ACCEPT_BYTES_MAX = 200
_CODINGS = ("zstd", "br", "gzip")
"""The one we like best first."""
_TYPES = (
    b"text/html",
    b"text/css",
    b"text/plain",
    b"text/javascript",
    b"text/xml",
    b"text/csv",
    b"image/svg+xml",
)
_APPLICATION = (b"json", b"xml", b"javascript")


def coding_for(accept_encoding: bytes) -> str:
    """Choose the coding of an answer (RFC 9110, 12.5.3); empty: as it is."""
    return _coding_for(accept_encoding) if len(accept_encoding) <= _ACCEPT_BYTES_MAX else ""


@lru_cache(maxsize=500)
def _coding_for(accept_encoding: bytes) -> str:
    given = weights(accept_encoding.decode("latin-1"), unclear=0.0)
    wanted = {name.removeprefix("x-"): weight for name, weight in given.items()}
    if "*" in wanted:
        wanted.setdefault("gzip", wanted["*"])  # whatever it is reads gzip
    best = max(_CODINGS, key=lambda coding: wanted.get(coding, 0.0))
    weight = wanted.get(best, 0.0)
    return best if weight > 0 and weight >= wanted.get("identity", 0.0) else ""


@lru_cache(maxsize=100)
def is_compressible(content_type: bytes) -> bool:
    """Say whether an answer of this type becomes smaller. The types are our own, so they are few."""
    kind = content_type.partition(b";")[0].strip()
    if kind.startswith(b"text/"):
        return kind != b"text/event-stream"
    return kind == b"image/svg+xml" or (kind.startswith(b"application/") and kind.endswith(_APPLICATION))


def compressed(body: bytes, coding: str, *, small: bool = False) -> bytes:
    """Compress; `small`: for a file that is compressed once and sent for ever."""
    if coding == "zstd":
        return zstd.compress(body, 15 if small else 3)
    if coding == "br":
        return cast(bytes, cast(Any, brotli).compress(body, quality=9 if small else 4))
    return gzip.compress(body, 9 if small else 5, mtime=0)


def every_form(content: bytes) -> dict[str, bytes]:
    """Compress a file in every coding; the empty one is the file as it is."""
    return {"": content} | {coding: compressed(content, coding, small=True) for coding in _CODINGS}


class Compressor:
    """Compresses answers, and keeps those that are everybody's: a page for many is compressed once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._bytes = 0

    async def compress(self, body: bytes, coding: str, *, public: bool) -> bytes:
        """Compress an answer; a `public` one is kept by its content."""
        if public and (kept := self._kept.get((coding, body))) is not None:
            self._kept.move_to_end((coding, body))
            return kept
        if len(body) > _IN_LOOP_BYTES_MAX:
            small = await asyncio.to_thread(compressed, body, coding)
        else:
            small = compressed(body, coding)
        if public and (coding, body) not in self._kept:
            self._kept[coding, body] = small
            self._bytes += len(body) + len(small)
            while self._bytes > _KEPT_BYTES_MAX:
                (_, former), its = self._kept.popitem(last=False)
                self._bytes -= len(former) + len(its)
        return small
