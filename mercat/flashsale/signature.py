"""Signatures that anybody can check: Ed25519 (RFC 8032) over JSON in its one canonical form (RFC 8785; what
we sign has no fractions, so sorted keys without spaces are that form)."""

from base64 import b64decode, b64encode
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Signer:
    """Sign for the shop; `key` is the public half, base64."""

    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.key = b64encode(self._private.public_key().public_bytes_raw()).decode()

    def sign(self, body: bytes) -> str:
        """Answer the signature, base64."""
        return b64encode(self._private.sign(body)).decode()


def genuine(key: str, signature: str, body: bytes) -> bool:
    """Answer whether the holder of this key signed this."""
    try:
        Ed25519PublicKey.from_public_bytes(b64decode(key)).verify(b64decode(signature), body)
    except (InvalidSignature, ValueError):
        return False
    return True


def canonical(what: Any) -> bytes:
    """Encode as JSON in its canonical form."""
    return msgspec.json.encode(what, order="sorted")
