"""Small signed messages: handed out, and known to be unchanged when they come back, without a look-up."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TypeVar

from mercat.ids import Id
from mercat.kit import codec
from mercat.settings import Settings

Kind = TypeVar("Kind")
_SEAL = 16


def link_key(settings: Settings, subject: Id) -> str:
    """Make the key that a link to something carries, for whoever has it: 128 bits of HMAC-SHA-256 of its id,
    in base64url. It is kept nowhere; another secret key of the shop ends them all."""
    tag = hmac.digest(settings.key(f"links to {subject.prefix}"), str(subject).encode(), sha256)
    return _shown(tag[:_SEAL])


def seal(secret: bytes, what: object) -> str:
    """Write `what` as JSON behind a 128-bit HMAC-SHA-256 tag (RFC 2104, truncated), in base64url."""
    body = codec.encode(what)
    tag = hmac.digest(secret, body, sha256)[:_SEAL]
    return _shown(tag + body)


def unseal(secret: bytes, sealed: str, kind: type[Kind]) -> Kind | None:
    """Read what was sealed; None for anything that we did not seal, to the letter: base64 has several ways to
    write the same bytes."""
    try:
        raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        if _shown(raw) != sealed:
            return None
        tag, body = raw[:_SEAL], raw[_SEAL:]
        if hmac.compare_digest(tag, hmac.digest(secret, body, sha256)[:_SEAL]):
            return codec.decode(body, kind)
    except ValueError:
        pass
    return None


def _shown(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
