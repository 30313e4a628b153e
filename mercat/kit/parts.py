"""Parts that are found in a folder: a new kind is a new file, and no list to add it to."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def modules(package: str, path: Iterable[str]) -> list[Any]:
    """Import every module of a package (`modules(__name__, __path__)` from within), in the order of names."""
    return [import_module(f"{package}.{found.name}") for found in iter_modules(path)]
