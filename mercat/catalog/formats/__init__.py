"""Formats of import files, one a module: which rows it knows, and how it reads one.

A new format is a new module here with a `FORMAT`; it needs no option, for a file is recognised by its fields.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mercat.catalog.columns import Format
from mercat.catalog.formats import plain
from mercat.kit.parts import modules
from mercat.kit.refusals import Invalid

_MODULES = modules(__name__, __path__)
_SPECIAL: list[Format] = [each.FORMAT for each in _MODULES if each is not plain]
FORMATS: dict[str, Format] = {each.__name__.rpartition(".")[2]: each.FORMAT for each in _MODULES}
"""Every format by the name of its module."""


class NoSuchFormat(Invalid):
    """There is no such format of files."""


def recognise(rows: Iterable[Mapping[str, Any]]) -> Format:
    """Answer the format of a file by its first rows: the first that knows one of them, else plain columns."""
    given = list(rows)
    known = (each for each in _SPECIAL if any(each.knows(row) for row in given))
    return next(known, plain.FORMAT)


def named_format(name: str) -> Format:
    """Find a format by its module's name, as in `shopify`; NoSuchFormat says which there are."""
    if name not in FORMATS:
        raise NoSuchFormat(
            f"There is no format {name[:40]}. There are: {', '.join(FORMATS)}.", pointer="/format"
        )
    return FORMATS[name]


__all__ = ["FORMATS", "Format", "NoSuchFormat", "named_format", "recognise"]
