"""Formats of import files, one a module: which rows it knows, and how it reads one.

A new format is a new module here with a `FORMAT`; it needs no option, for a file is recognised by its fields.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mercat.catalog.columns import Format
from mercat.catalog.formats import plain
from mercat.kit.parts import modules

_SPECIAL: list[Format] = [each.FORMAT for each in modules(__name__, __path__) if each is not plain]


def recognise(rows: Iterable[Mapping[str, Any]]) -> Format:
    """Answer the format of a file by its first rows: the first that knows one of them, else plain columns."""
    given = list(rows)
    known = (each for each in _SPECIAL if any(each.knows(row) for row in given))
    return next(known, plain.FORMAT)


__all__ = ["Format", "recognise"]
