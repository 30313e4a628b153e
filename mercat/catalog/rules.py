"""Slugs and paths: decisions without IO."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count

from mercat.catalog.messages import ImportRow, ImportVariant
from mercat.kit import codec

UNCATEGORISED = "uncategorised"
_OTHER = re.compile(r"[^a-z0-9]+")
_NO_LETTER = re.compile(r"[\W_]+")
_SLUG_MAX = 80


def slug_of(name: str) -> str:
    """Cell Phones & More: cell-phones-more."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", plain).strip("-")[:_SLUG_MAX] or "category"


def alike(name: str) -> str:
    """What names of one category have in common: the letters of any script, without accents and case."""
    plain = (each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return _NO_LETTER.sub("-", "".join(plain).casefold()).strip("-") or name.strip()


def free_slug(path: Sequence[str], taken: Mapping[str, tuple[str, ...]]) -> str:
    """The last name's slug; where another category has it, with its parent's before, and then a number."""
    own = slug_of(path[-1])
    parent = slug_of(path[-2]) if len(path) > 1 else own
    tries = chain([own, f"{parent}-{own}"], (f"{parent}-{own}-{n}" for n in count(2)))
    wanted = tuple(path)
    return next(slug for slug in tries if taken.get(slug, wanted) == wanted)


def content_of(row: ImportRow) -> bytes:
    """A fingerprint of all that a row says: the same row again changes nothing."""
    return blake2b(codec.encode(row), digest_size=16).digest()


def key_of(variant: ImportVariant) -> str:
    """What tells a variant from the others of its product, and finds it again in the next import."""
    return variant.sku or "/".join(f"{name}={value}" for name, value in sorted(variant.options.items()))
