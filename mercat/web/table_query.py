"""Tables on the desks: which rows somebody asks for, and the same rows as a file for spreadsheets."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

CHOICE_MAX = 100
"""Letters of what is asked for: longer ones are cut."""
TableQuery = dict[str, str]
"""What of a table is asked for, by name; what is not asked for is not there."""


def choice(asked: Mapping[str, str] | str, known: Mapping[str, Collection[str]]) -> TableQuery:
    """Read what a query string, or a form's `back`, asks for.

    A value that the table does not know counts as none; where it knows no list of them, any does."""
    asked = dict(parse_qsl(asked)) if isinstance(asked, str) else asked
    found = {name: asked.get(name, "").strip()[:CHOICE_MAX] for name in known}
    return {
        name: value for name, value in found.items() if value and (not known[name] or value in known[name])
    }


def link(path: str, chosen: TableQuery, **more: object) -> str:
    query = urlencode({**chosen, **{name: value for name, value in more.items() if value}})
    return f"{path}?{query}" if query else path


class Tab(NamedTuple):
    """One of several lists that a table shows, and how many are in it where that is known."""

    url: str
    words: str
    number: int | None
    is_shown: bool


def tabs(
    path: str, chosen: TableQuery, name: str, words: Mapping[Any, str], counts: Mapping[str, int]
) -> list[Tab]:
    """Make the tabs of a table, by the values of `name`; the first is shown where none is asked for."""
    others = {each: value for each, value in chosen.items() if each != name}
    first = next(iter(words))
    here = chosen.get(name, first)
    return [
        Tab(
            link(path, others, **{name: value} if value != first else {}),
            said,
            counts.get(value),
            value == here,
        )
        for value, said in words.items()
    ]


def as_csv(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(file.getvalue().encode(), headers=headers, media_type="text/csv; charset=utf-8")


def _cell(value: Any) -> Any:
    """Write text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
