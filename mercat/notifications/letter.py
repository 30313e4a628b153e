"""A kind of letter: the fact that asks for it, whom and what it is about, and how it is put into words."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mercat import money
from mercat.events import Event, OrderPlaced
from mercat.ids import Id, OrderId, number_shown
from mercat.kit import codec
from mercat.kit.signing import link_key, seal
from mercat.settings import Settings

Fact = TypeVar("Fact", bound=Event)


class Letter(NamedTuple):
    subject: str
    body: str


@dataclass(frozen=True)
class LetterKind(Generic[Fact]):
    """What the file of a kind of letter declares; its text is the template of the same name.

    `subject_id`: what it is about, of which there is one letter a kind. `order_id`: whose confirmation has
    the address, where `email` has none. `when`: which facts ask for it. `more`: what else its template shows,
    from the fact and the order's own fact, if that is known."""

    event: type[Fact]
    subject_id: Callable[[Fact], Id]
    order_id: Callable[[Fact], OrderId | None] = lambda fact: None
    email: Callable[[Fact], str] = lambda fact: ""
    when: Callable[[Fact], bool] = lambda fact: True
    more: Callable[[Fact, OrderPlaced | None], Mapping[str, Any]] = lambda fact, order: {}


def one_line(text: str) -> str:
    return " ".join(text.split())


def day(iso: str) -> str:
    """Write 2026-11-27 as "Friday, 27 November"; what is no date is left alone."""
    try:
        when = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when:%A}, {when.day} {when:%B}"


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("letters")),
    autoescape=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_filters: dict[str, Any] = {"words": money.words, "one_line": one_line, "day": day}
cast(Any, _templates).filters.update(_filters)


def _order_link(settings: Settings, order_id: OrderId) -> str:
    """Make the address of an order's page that works anywhere, for whoever has it."""
    return settings.link(f"/orders/{order_id}?key={link_key(settings, order_id)}")


def write(
    settings: Settings, name: str, kind: LetterKind[Any], facts: str, order_facts: str | None
) -> Letter:
    """Write a letter from its fact and the order's own; the template's first line is the subject."""
    fact = codec.decode(facts, kind.event)
    order = codec.decode(order_facts, OrderPlaced) if order_facts else None
    known = {
        "fact": fact,
        "order": order,
        "order_name": (order and number_shown(order.number)) or kind.order_id(fact) or "",
        "order_link": partial(_order_link, settings),
        "link": settings.link,
        "token": partial(seal, settings.key("links")),
        **kind.more(fact, order),
    }
    subject, _, body = _templates.get_template(f"{name}.txt").render(known).partition("\n")
    return Letter(one_line(subject), re.sub(r"\n{3,}", "\n\n", body).strip() + "\n")
