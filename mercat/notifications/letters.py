"""Facts put into words. No IO here but reading the templates."""

import re
from datetime import date
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from mercat import money
from mercat.events import AccountOpened, Event, OrderCancelled, OrderPlaced, ParcelMoved
from mercat.kit import codec
from mercat.settings import Settings

KINDS: dict[str, type[Event]] = {
    "order_confirmed": OrderPlaced,
    "order_cancelled": OrderCancelled,
    "parcel_shipped": ParcelMoved,
    "parcel_delivered": ParcelMoved,
    "welcome": AccountOpened,
}


class Letter(NamedTuple):
    subject: str
    body: str


def one_line(text: str) -> str:
    return " ".join(text.split())


def day(iso: str) -> str:
    """2026-11-27 is "Friday, 27 November"; what is no date is left alone."""
    try:
        when = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when:%A}, {when.day} {when:%B}"


_words = Environment(
    loader=PackageLoader("mercat.notifications"),
    autoescape=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_filters: dict[str, Any] = {"words": money.words, "one_line": one_line, "day": day}
_words.filters.update(_filters)


def write(settings: Settings, kind: str, facts: str, order: str | None) -> Letter:
    """The letter a fact asks for. A template's first line is the subject; `order` is the order's own fact."""
    fact = codec.decode(facts, KINDS[kind])
    placed = codec.decode(order, OrderPlaced) if order else None
    known: dict[str, Any] = {"fact": fact, "order": placed, "link": settings.link}
    if isinstance(fact, ParcelMoved):
        known["inside"] = _inside(fact, placed)
    subject, _, body = _words.get_template(f"{kind}.txt").render(known).partition("\n")
    return Letter(one_line(subject), re.sub(r"\n{3,}", "\n\n", body).strip() + "\n")


def _inside(parcel: ParcelMoved, order: OrderPlaced | None) -> list[tuple[int, str]]:
    """How many of what are in a parcel."""
    titles = {line.order_line_id: line.title for line in order.lines} if order else {}
    return [
        (line.quantity, titles[line.order_line_id]) for line in parcel.lines if line.order_line_id in titles
    ]
