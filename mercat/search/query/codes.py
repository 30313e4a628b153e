"""Codes: SKUs, GTINs, part numbers and ids of other shops, by which a product is named exactly.

A code is compared by its letters and digits alone, so `TEE-S-RED` is `tee s red`; a number of a barcode's
length also without leading zeros, which spreadsheets cut off; an ISBN of ten digits also as its barcode."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mercat.events import Document
from mercat.search.engine import Clause, IndexSearcher
from mercat.search.query.analyze import normal, stems

FIELD = "codes"
_CODE_LETTERS_MAX = 200
_BARCODE_DIGITS_MIN = 8
_NUMBER_DIGITS_MIN = 6
_TITLES_MAX = 10
"""What more titles say is a word: who asks for a "laptop" does not mean the one product with this SKU."""
_ISBN_10 = re.compile(r"[0-9]{9}[0-9x]", re.ASCII)
_SEPARATOR = re.compile(r"(?<=\w)[^\w\s]+(?=\w)")
_CODE_NAME = re.compile(
    r"(gtin|ean|upc|isbn)(8|10|12|13|14|code)?|barcode|jan|sku|mpn|(manufacturer)?partnumber"
)
"""Attributes that are codes, by the letters and digits of their names."""


class NamedCodes(NamedTuple):
    """The products whose codes a query names. `first`: they come before what has the words."""

    clause: Clause
    first: bool
    keys: tuple[str, ...]


def code_keys(code: str) -> Iterator[str]:
    """Yield the forms in which a code is compared."""
    key = "".join(each for each in normal(code) if each.isalnum())[:_CODE_LETTERS_MAX]
    if key:
        yield key
    if len(key) >= _BARCODE_DIGITS_MIN and key.isdigit() and key[0] == "0" and (number := key.lstrip("0")):
        yield number
    if barcode := _barcode_of_isbn(key):
        yield barcode


def _barcode_of_isbn(key: str) -> str:
    """Write an ISBN of ten digits as its book's barcode; "" for what is none (ISO 2108, mod 11)."""
    if not _ISBN_10.fullmatch(key):
        return ""
    if sum((10 - n) * (10 if each == "x" else int(each)) for n, each in enumerate(key)) % 11:
        return ""
    digits = f"978{key[:9]}"
    return digits + str(-sum(int(each) * (3 if n % 2 else 1) for n, each in enumerate(digits)) % 10)


def codes_of(product: Document) -> list[str]:
    """List the codes by which a product is found, as they are compared."""
    given = [product.external_id or "", *product.codes]
    given += [
        value if isinstance(value, str) else f"{value:.0f}"
        for name, value in product.attributes.items()
        if _is_code(name)
    ]
    return list(dict.fromkeys(key for code in given for key in code_keys(code)))


@lru_cache(10_000)
def _is_code(attribute: str) -> bool:
    return _CODE_NAME.fullmatch(next(code_keys(attribute), "")) is not None


def named_codes(searcher: IndexSearcher, q: str) -> NamedCodes | None:
    """Find the codes that a query is, or that it has among other words; None where it names none."""
    words = q.split()
    asked = dict.fromkeys(code_keys(q), q)
    if len(words) > 1:
        asked |= {key: word for word in words if _looks_like_code(word) for key in code_keys(word)}
    counts = searcher.doc_freqs([(FIELD, key) for key in asked])
    known = [key for key, count in zip(asked, counts, strict=True) if count]
    said = {key: _is_word(searcher, asked[key]) for key in known}
    kept = [key for key in known if not said[key]] or [key for key in known if asked[key] is q]
    if not kept:
        return None
    return NamedCodes(_having(kept), not all(said[key] for key in kept), tuple(kept))


def _having(keys: Iterable[str]) -> Clause:
    return Clause.constant_score(Clause.any_of([Clause.term(FIELD, key) for key in keys]), 0.0)


def _looks_like_code(word: str) -> bool:
    """Tell a code from a word or a measure beside it: 1000 pieces are no id."""
    separators = len(_SEPARATOR.findall(word))
    digits = sum(each.isdigit() for each in word)
    if digits == sum(each.isalnum() for each in word):
        return digits >= _NUMBER_DIGITS_MIN
    return digits > 0 or separators > 1


def _is_word(searcher: IndexSearcher, written: str) -> bool:
    return (
        searcher.count(Clause.all_of([Clause.term("title", stem) for stem in stems(written)])) > _TITLES_MAX
    )
