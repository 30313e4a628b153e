"""Who somebody is where it is counted what one person may have: their e-mail address, kept as a keyed hash,
so that nobody finds out whose it is by hashing addresses."""

import hmac
from hashlib import sha256

from mercat.kit.text import normal_code

_BYTES = 16
KEY = "customers"
"""The name of the key in the settings: one, so that all who count mean the same person."""


def hashed_email(key: bytes, email: str) -> bytes:
    """Hash an address as it is compared: in compatible forms (NFKC), without case and blanks around it."""
    return hmac.new(key, normal_code(email).encode(), sha256).digest()[:_BYTES]
