"""What is made once: who sends the same request again under the same key means the same thing."""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

from mercat.kit import codec

OnceKey = Annotated[str, Meta(max_length=300)]
"""Of a form or a program, with where it comes from: `form/…`, `api/…`. Empty: each time is another."""


def once_of(key: str, *asked: object) -> bytes | None:
    """Reduce a key and what was asked under it to what a unique index compares: what is asked otherwise is
    another. None without a key."""
    return blake2b(codec.encode([key, *asked]), digest_size=16).digest() if key else None
