"""SQL lives in .sql files, so it can be read, run in psql and checked; Python calls it by name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import asyncpg

from mercat.kit.codec import convert

Row = TypeVar("Row")
_HEADING = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(service: str) -> SimpleNamespace:
    """The named statements of a service's queries.sql. Each carries its name, so that the
    database's own view of what is running speaks our language."""
    _, *parts = _HEADING.split(_folder(service).joinpath("queries.sql").read_text())
    named = zip(parts[::2], parts[1::2], strict=True)
    return SimpleNamespace(**{name: f"/* {service}.{name} */\n{text.strip()}" for name, text in named})


def schema(service: str) -> str:
    """The tables of a service; creating them again changes nothing."""
    return _folder(service).joinpath("schema.sql").read_text()


def _folder(service: str) -> Path:
    """Found without importing the service: a migration has no need of its code."""
    return Path(__file__).parents[1] / service.removeprefix("mercat.")


def row(kind: type[Row], record: asyncpg.Record | Mapping[str, Any]) -> Row:
    return convert(dict(record), kind)


def rows(kind: type[Row], records: Iterable[asyncpg.Record | Mapping[str, Any]]) -> list[Row]:
    return [row(kind, record) for record in records]


def columns(asks: Iterable[tuple[Any, ...]], width: int = 0) -> list[list[Any]]:
    """Rows to columns: what `unnest($1, $2, …)` takes. `width` says how many where there may be no row."""
    return [list(column) for column in zip(*asks, strict=True)] or [[] for _ in range(width)]
