"""Traits: what a product says of itself by attributes and by options of its variants, as the index keeps it:
"Display diagonal: 15.6", "Colour: Black".

The engine keeps every trait as a column of its own, so that counting four of them costs four columns,
whatever else products say of themselves."""

import math
import re
from collections.abc import Iterator
from functools import lru_cache

from mercat.events import Document

FIELD, NAMES, SAMPLE = "traits", "trait_names", "in_sample"
NAME_LETTERS, VALUE_LETTERS, A_PRODUCT_MAX = 100, 60, 60
_SAMPLED = 64
_APART = re.compile(r",(?=[^\s\d])")
"""Several values in one: "Black,Grey"; but not "2,5" and not "HP 81, 83"."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
"""What the engine would take for a date, and keep as one."""


def of(product: Document) -> dict[str, list[str]]:
    """A product's traits: values as a filter names them. Prose in attributes is none."""
    found: dict[str, list[str]] = {}
    for name, value in _said(product):
        if 0 < len(name) <= NAME_LETTERS and (name in found or len(found) < A_PRODUCT_MAX):
            for text in [value] if isinstance(value, bool | float | int) else _APART.split(value):
                text = shown(text)
                if 0 < len(text) <= VALUE_LETTERS and not _MOMENT.match(text):
                    values = found.setdefault(name, [])
                    if text not in values:
                        values.append(text)
    return found


def _said(product: Document) -> Iterator[tuple[str, str | float | bool]]:
    yield from product.attributes.items()
    for name, values in product.options.items():
        for value in values:
            yield name, value


def shown(value: str | float | bool) -> str:
    """A value as a filter names it: `true`, `15.6`, `Black` (of "black" too)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        words = " ".join(value.split())
        return words if words in ("true", "false") else words[:1].upper() + words[1:]
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


@lru_cache(1_000)
def key(name: str) -> str:
    """A trait's name as part of a path, where a dot would be a step."""
    return "".join(each if each.isalnum() or each == "_" else f"-{ord(each):x}-" for each in name)


def column(name: str) -> str:
    return f"{FIELD}.{key(name)}"


def in_sample(product: Document) -> bool:
    """One product in so many, whatever it is."""
    return (int(product.product_id) * 0x9E37_79B9 % 2**32 >> 16) % _SAMPLED == 0
