"""docs/events.md, from the docstrings of `mercat.events`, the SQL that tells and the methods that follow."""

import inspect
import re
from functools import cache
from pathlib import Path
from typing import get_args

import msgspec

import mercat
from mercat import events
from mercat.lab.docs.source import fields_of
from mercat.shop import SERVICES

_PACKAGE = Path(mercat.__file__).parent
_WRITTEN = "This page is written by `python -m mercat.lab.docs` from `mercat/events.py` and the services."
_PARTS = (events.Document, events.OrderLine, events.ShipmentLine)


def markdown() -> str:
    """Make the page: every event with who tells it, who follows it, and its fields."""
    first, *more = (inspect.getdoc(events) or "").split("\n\n")
    parts = ["# Events", "", first, "", *[line for paragraph in more for line in (paragraph, "")], _WRITTEN]
    for kind in get_args(events.AnyEvent):
        followers = [name for name in SERVICES if f"@on({kind.__name__}" in _source(name, "py")]
        tellers, followed = ", ".join(_tellers(kind.__name__)), ", ".join(followers) or "nobody"
        parts += ["", f"## {kind.__name__}", "", _sentence(kind), ""]
        parts += [f"Told by {tellers}; followed by {followed}. Its key is `{kind.key}`.", "", *_fields(kind)]
    parts += ["", "## What they are made of"]
    for kind in _PARTS:
        parts += ["", f"### {kind.__name__}", "", _sentence(kind), "", *_fields(kind)]
    return "\n".join(parts) + "\n"


def _sentence(kind: type[msgspec.Struct]) -> str:
    return (inspect.getdoc(kind) or "").replace("\n", " ")


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    rows = [
        f"| `{field.name}` | `{field.annotation.replace('|', chr(92) + '|')}` | {field.text} |"
        for field in fields_of(kind)
    ]
    return ["| field | type | meaning |", "| --- | --- | --- |", *rows]


def _tellers(event: str) -> list[str]:
    """List the services whose SQL names the event; else those that make it, and tell a list of such."""
    made = re.compile(rf"\b{event}\(")
    return [name for name in SERVICES if f"'{event}'" in _source(name, "sql")] or [
        name for name in SERVICES if made.search(_source(name, "py"))
    ]


@cache
def _source(service: str, suffix: str) -> str:
    files = [
        *(_PACKAGE / service).rglob(f"*.{suffix}"),
        *(_PACKAGE / "migrations" / service).glob(f"*.{suffix}"),
    ]
    return "\n".join(file.read_text() for file in files)
