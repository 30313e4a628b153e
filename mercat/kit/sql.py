"""Statements in .sql files, where they can be read, run in psql and checked; Python calls them by name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import asyncpg

from mercat.kit.codec import convert

Row = TypeVar("Row")
_HEADING = re.compile(r"^-- name: (\w+)(?:\(([^)]*)\))?\n", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w\]\)]):([a-z_]\w*)")
_COMMENT = re.compile(r"--[^\n]*")


def load(service: str) -> SimpleNamespace:
    """Load the named statements of a service's queries.sql.

    A heading may name the parameters, in the order in which Python hands them over: after
    `-- name: rename(product_id, title)` the statement says `:product_id` and `:title`. They are compiled to
    `$1` and `$2` here, once; a long heading goes on in the next line of comment. Each statement begins with
    its name as a comment, so that the database's own view of what runs shows it. ValueError where a parameter
    is not declared, or declared and not used."""
    _, *parts = _HEADING.split(_folder(service).joinpath("queries.sql").read_text())
    named = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return SimpleNamespace(
        **{
            name: f"/* {service}.{name} */\n{numbered(name, given, text.strip())}"
            for name, given, text in named
        }
    )


def numbered(name: str, declared: str | None, text: str) -> str:
    """Replace each `:parameter` of a statement by the number of its place in the heading."""
    if declared is None:
        return text
    names = [name.strip() for name in declared.replace("\n--", "").split(",")]
    places = {name: n for n, name in enumerate(names, 1) if name}
    code = _COMMENT.sub("", text)
    used = set(_PARAMETER.findall(code))
    if used != set(places):
        raise ValueError(f"{name}: parameters declared {sorted(places)}, used {sorted(used)}")
    return _PARAMETER.sub(lambda found: f"${places[found[1]]}", code)


def _folder(service: str) -> Path:
    """Find a service's folder without importing it: a migration has no need of its code."""
    return Path(__file__).parents[1].joinpath(*service.split(".")[1:])


def row(kind: type[Row], record: asyncpg.Record | Mapping[str, Any]) -> Row:
    """Make a struct of a row, by the names of its columns."""
    return convert(dict(record), kind)


def rows(kind: type[Row], records: Iterable[asyncpg.Record | Mapping[str, Any]]) -> list[Row]:
    """Make a struct of each row."""
    return [row(kind, record) for record in records]


def columns(asks: Iterable[tuple[Any, ...]], width: int = 0) -> list[list[Any]]:
    """Turn rows into columns, which `unnest($1, $2, …)` takes; `width`: how many where there may be no
    row."""
    return [list(column) for column in zip(*asks, strict=True)] or [[] for _ in range(width)]
