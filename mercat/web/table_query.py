"""Tables on the desks: which rows somebody asks for, in which order, and the same rows as a file.

A table is asked for by its address: tabs, filters and `sort` by name, and `after`, the key of the last row of
the page before. `sort` is the name of a column, with `-` before it from the largest down; headings link to
it. The file is streamed page by page, so it has every row that the table has."""

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response, StreamingResponse

Row = TypeVar("Row")
CHOICE_MAX = 100
"""Letters of what is asked for: longer ones are cut."""
FILE_PAGE = 500
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Begins what a spreadsheet takes for a formula, however many apostrophes stand before it."""
TableQuery = dict[str, str]
"""What of a table is asked for, by name; what is not asked for is not there."""
AFTER: dict[str, tuple[str, ...]] = {"after": ()}


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


class Heading(NamedTuple):
    """A column's heading; `url` sorts by it, by what is sorted by it the other way round."""

    words: str
    url: str = ""
    sorted: Literal["ascending", "descending", ""] = ""
    is_end: bool = False


def headings(
    path: str, chosen: TableQuery, columns: Sequence[tuple[str, str]], sorts: Sequence[str], ends: str = ""
) -> list[Heading]:
    """Make the headings of a table of `(column, words)`; `sorts` has the first order first, and each column's
    own first. `ends`: the columns of figures."""
    others = {each: value for each, value in chosen.items() if each != "sort"}
    here = chosen.get("sort", sorts[0])
    found: list[Heading] = []
    for column, words in columns:
        own = [sort for sort in sorts if sort.removeprefix("-") == column]
        if not own:
            found.append(Heading(words, is_end=column in ends.split()))
            continue
        other = next((sort for sort in own if sort != here), own[0]) if here in own else own[0]
        way = ("descending" if here.startswith("-") else "ascending") if here in own else ""
        url = link(path, others, sort="" if other == sorts[0] else other)
        found.append(Heading(words, url, way, column in ends.split()))
    return found


async def every(
    ask: Callable[[Row | None, int], Awaitable[Sequence[Row]]], page: int = FILE_PAGE
) -> AsyncIterator[Row]:
    """Yield all rows of a table: `ask` answers so many of those that follow a row, or the first ones."""
    async for rows in every_page(ask, page):
        for row in rows:
            yield row


async def every_page(
    ask: Callable[[Row | None, int], Awaitable[Sequence[Row]]], page: int = FILE_PAGE
) -> AsyncIterator[Sequence[Row]]:
    """Yield them page by page."""
    last: Row | None = None
    while True:
        rows = await ask(last, page)
        yield rows
        if len(rows) < page:
            return
        last = rows[-1]


def as_csv(name: str, head: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> Response:
    """Stream rows as a CSV file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(csv_lines(head, rows), headers=headers, media_type="text/csv; charset=utf-8")


async def csv_lines(head: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    """Write rows as CSV under a heading, some hundred lines at a time."""
    waiting = [_line(head)]
    async for row in rows:
        waiting.append(_line([defused(value) for value in row]))
        if len(waiting) >= FILE_PAGE:
            yield b"".join(waiting)
            waiting.clear()
    yield b"".join(waiting)


def _line(cells: Sequence[Any]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(cells)
    return file.getvalue().encode()


def defused(value: Any) -> Any:
    """Write a text that no spreadsheet takes for a formula, with an apostrophe before it; an import takes
    away just that one."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
