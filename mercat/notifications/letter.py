"""A kind of letter: the fact that asks for it, whom and what it is about, and how it is put into words.

A letter has one template, from which its text and its HTML are made: paragraphs between empty lines, and the
blocks of `layout/blocks.*` (`goods` with `row` and `total`, `address`, `quote`, `button`), which exist for
both. What comes from outside is one line wherever it is shown, and escaped in HTML; so it can make no
paragraph, header or tag."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mercat import addresses, money
from mercat.countries import served
from mercat.events import Event, OrderPlaced
from mercat.gift_codes import code_of
from mercat.ids import Id, OrderId, number_shown
from mercat.kit import codec
from mercat.kit.picture_names import sizes_of
from mercat.kit.signing import link_key, seal
from mercat.kit.text import HIDDEN
from mercat.notifications.lookup import Lookup
from mercat.settings import Settings

Fact = TypeVar("Fact", bound=Event)
_PICTURE_WIDE, _PICTURE_TYPE = 96, "image/jpeg"
"""As a letter has it: of a type that every mail program shows."""
_BLOCKS = ("goods", "address", "quote", "button")


class Letter(NamedTuple):
    """A letter in words; its text and its HTML say the same."""

    subject: str
    body: str
    html: str


class Optional(NamedTuple):
    """Of a kind that one can do without: how preferences call it, and whose it is (empty: everybody's)."""

    words: str
    role: str = ""


@dataclass(frozen=True)
class LetterKind(Generic[Fact]):
    """What the file of a kind of letter declares; its words are the template of the same name.

    `event`: the fact that asks for it; none where notifications do so themselves. `subject_id`: what it is
    about, of which there is one letter a kind. `order_id`: whose confirmation has the address, where `email`
    has none. `when`: which facts ask for it. `more`: what else its template shows, from the fact and the
    order's own fact, if that is known. `optional`: one can do without it. `lookup`: its people are not in the
    fact; then `shown` is what its template has as `fact`."""

    event: type[Fact] | None
    subject_id: Callable[[Fact], Id]
    order_id: Callable[[Fact], OrderId | None] = lambda fact: None
    email: Callable[[Fact], str] = lambda fact: ""
    when: Callable[[Fact], bool] = lambda fact: True
    more: Callable[[Fact, OrderPlaced | None], Mapping[str, Any]] = lambda fact, order: {}
    optional: Optional | None = None
    lookup: Lookup[Any] | None = None
    shown: type[Any] | None = None


def one_line(text: str) -> str:
    """Make one line of a text, without control characters."""
    return re.sub(HIDDEN, "", " ".join(text.split()))


def day(iso: str) -> str:
    """Write 2026-11-27 as "Friday, 27 November"; what is no date is left alone."""
    try:
        when = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when:%A}, {when.day} {when:%B}"


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else one_line(str(value))


def _indented(text: str) -> Markup:
    return Markup("\n".join(f"  {line.strip()}" for line in text.splitlines() if line.strip()))


def _address_lines(parts: Mapping[str, str]) -> list[str]:
    """Write an address with its name and country, in the order of its country."""
    country = parts.get("country", "")
    here = served(country)
    name = here.name if here else addresses.country_name(country)
    lines = [parts.get("name", ""), *addresses.lines(parts), name]
    return [one_line(line) for line in lines if line]


def _block(macro: Callable[..., str]) -> Callable[..., Markup]:
    """Make a macro's block stand by itself, as paragraphs do."""
    return lambda *given, **named: Markup(f"\n\n{macro(*given, **named).strip(chr(10))}\n\n")


def _environment(form: str) -> Environment:
    here = Path(__file__)
    made = Environment(
        loader=FileSystemLoader([here.with_name("letters"), here.with_name("layout")]),
        autoescape=form == "html",
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    cast(Any, made).filters.update(
        words=money.words, day=day, indented=_indented, address_lines=_address_lines
    )
    macros: Any = made.get_template(f"blocks.{form}").module
    cast(Any, made).globals.update(
        {name: _block(getattr(macros, name)) for name in _BLOCKS}, row=macros.row, total=macros.total
    )
    return made


_TEXT, _HTML = _environment("txt"), _environment("html")


def _order_link(settings: Settings, order_id: OrderId) -> str:
    """Make the address of an order's page that works anywhere, for whoever has it."""
    return settings.link(f"/orders/{order_id}?key={link_key(settings, order_id)}")


def _picture(settings: Settings, url: str) -> str:
    """Make the whole address of a small picture of ours; none of one from elsewhere, whose owner would learn
    who reads the letter, nor of a drawn one, which mail programs do not show."""
    sizes = dict(sizes_of(url, _PICTURE_WIDE)).get(_PICTURE_TYPE)
    return settings.link(sizes[-1][1]) if sizes else ""


def write(
    settings: Settings,
    name: str,
    kind: LetterKind[Any],
    facts: str,
    order_facts: str | None,
    unsubscribe: str = "",
) -> Letter:
    """Write a letter from its fact and the order's own; the template's first line is the subject.

    `unsubscribe`: the address that ends letters of this kind, of one that can be done without."""
    fact: Any = codec.decode(facts, cast(type[Any], kind.shown or kind.event))
    order = codec.decode(order_facts, OrderPlaced) if order_facts else None
    known: dict[str, Any] = {
        "fact": fact,
        "order": order,
        "order_name": (order and number_shown(order.number)) or kind.order_id(fact) or "",
        "order_link": partial(_order_link, settings),
        "shop": settings.shop_name,
        "link": settings.link,
        "picture": partial(_picture, settings),
        "token": partial(seal, settings.key("links")),
        "gift_code": partial(code_of, settings),
        **kind.more(fact, order),
    }
    subject, _, text = _TEXT.get_template(f"{name}.txt").render(known).partition("\n")
    marked = _HTML.get_template(f"{name}.txt").render(known).partition("\n")[2]
    frame = {
        "subject": one_line(subject),
        "shop": settings.shop_name,
        "home": settings.link("/"),
        "unsubscribe": unsubscribe,
    }
    body = _TEXT.get_template("letter.txt").render(frame, paragraphs=_paragraphs(text))
    html = _HTML.get_template("letter.html").render(frame, paragraphs=_paragraphs(marked))
    return Letter(frame["subject"], body, html)


def _paragraphs(text: str) -> list[Markup]:
    return [Markup(part.strip("\n")) for part in re.split(r"\n\s*\n", text) if part.strip()]
