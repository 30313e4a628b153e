"""Product attributes as facets: "Display diagonal: 15.6", "Colour: Black", from a product's attributes and
from the options of its variants.

The engine stores every attribute as a column of its own, so that counting four of them costs four columns,
however many others there are."""

import math
import re
from collections.abc import Iterator
from functools import lru_cache

from mercat.events import Document

FIELD, NAMES, SAMPLE = "attributes", "attribute_names", "in_sample"
_NAME_LETTERS_MAX, _VALUE_LETTERS_MAX, _PER_PRODUCT_MAX = 100, 60, 60
_SAMPLE_RATE = 64
_VALUE_SEPARATOR = re.compile(r",(?=[^\s\d])")
"""Between several values in one: "Black,Grey"; but not "2,5" and not "HP 81, 83"."""
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
"""What the engine would take for a date, and store as one."""


def attributes_of(product: Document) -> dict[str, list[str]]:
    """Return a product's attributes with their values as a filter names them. Long texts are left out."""
    found: dict[str, list[str]] = {}
    for name, value in _given(product):
        if 0 < len(name) <= _NAME_LETTERS_MAX and (name in found or len(found) < _PER_PRODUCT_MAX):
            parts = [value] if isinstance(value, bool | float | int) else _VALUE_SEPARATOR.split(value)
            for text in map(normal_value, parts):
                if 0 < len(text) <= _VALUE_LETTERS_MAX and not _DATE_TIME.match(text):
                    values = found.setdefault(name, [])
                    if text not in values:
                        values.append(text)
    return found


def _given(product: Document) -> Iterator[tuple[str, str | float | bool]]:
    yield from product.attributes.items()
    for name, values in product.options.items():
        for value in values:
            yield name, value


def normal_value(value: str | float | bool) -> str:
    """Write a value as a filter names it: `true`, `15.6`, `Black` (of "black" too)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        words = " ".join(value.split())
        return words if words in ("true", "false") else words[:1].upper() + words[1:]
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


@lru_cache(1_000)
def path_part(name: str) -> str:
    """Escape an attribute's name as part of a path, where a dot would be a step."""
    return "".join(each if each.isalnum() or each == "_" else f"-{ord(each):x}-" for each in name)


def column(name: str) -> str:
    """Return the index field of an attribute."""
    return f"{FIELD}.{path_part(name)}"


def in_sample(product: Document) -> bool:
    """Tell whether a product is in the sample of one in 64 that large shops are counted by."""
    return (int(product.product_id) * 0x9E37_79B9 % 2**32 >> 16) % _SAMPLE_RATE == 0
