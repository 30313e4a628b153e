"""The codes of gift cards: made for people to read and type, compared by their hash.

Twenty letters of Crockford's base 32, so 100 bits, in groups of four. Read without regard to case, spaces and
dashes; `O` is 0, `I` and `L` are 1.
"""

import hmac
import secrets
import unicodedata
from hashlib import sha256

from mercat.ids import GiftCardId
from mercat.settings import Settings

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS = 20
_GROUP = 4
_AS_MEANT = str.maketrans("OIL", "011")


def new_code() -> str:
    """Make a code: `7K2M-…`, five groups of four."""
    return _code(secrets.token_bytes(_LETTERS))


def code_once(key: bytes, asked: str) -> str:
    """Make the code of what was asked: the same again, so that asking twice makes one card. Only who has the
    key can make it."""
    return _code(hmac.new(key, asked.encode(), sha256).digest())


def code_of(settings: Settings, gift_card_id: GiftCardId) -> str:
    """Make the code of a card that was bought: it follows from the card and the shop's secret key, so that
    its letter can be written at any time, and nothing that is stored can be spent."""
    return code_once(settings.key("gift cards"), str(gift_card_id))


def _code(random: bytes) -> str:
    letters = "".join(_ALPHABET[each % len(_ALPHABET)] for each in random[:_LETTERS])
    return "-".join(letters[n : n + _GROUP] for n in range(0, _LETTERS, _GROUP))


def hash_of(code: str) -> bytes:
    """Hash a code as somebody typed it."""
    return sha256(_normal(code).encode()).digest()


def last4_of(code: str) -> str:
    """Return the end of a code, by which people tell their cards apart."""
    return _normal(code)[-_GROUP:]


def _normal(code: str) -> str:
    letters = unicodedata.normalize("NFKC", code).upper()
    return "".join(letter for letter in letters if letter.isalnum()).translate(_AS_MEANT)
