"""A letter whose people have to be looked up: what a fact notes down, and who is found for it later."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Struct

from mercat.accounts import Contact
from mercat.ids import SellerId, UserId
from mercat.kit.refusals import NotFound
from mercat.notifications.sources import Sources
from mercat.settings import Settings

About = TypeVar("About", bound=Struct)


@dataclass(frozen=True)
class Note(Generic[About]):
    """What a letter is about. `version`: which change of its subject, where there are many."""

    subject_id: int
    about: About
    version: int = 0


@dataclass(frozen=True)
class Addressee:
    email: str
    user_id: UserId


@dataclass(frozen=True)
class Found:
    """Who is written to now, and what their letter shows. `after`: what asks for the next ones."""

    people: list[Addressee]
    shown: Struct
    after: int | None = None


class Asked(Struct, frozen=True):
    """What was noted down: `about` of some of `count` facts, and how far people were written to."""

    about: list[Any]
    count: int
    after: int


@dataclass(frozen=True)
class Lookup(Generic[About]):
    """How the people of a kind of letter are found, some time after its fact.

    `notes`: what a fact notes down, each once. `find`: asks for people and what is shown; none: no letter.
    `delay_s`: how long after the fact. `gathers`: facts of `delay_s` become one letter.
    `first`: only where the letter of this kind about the same fact is new, so that each is counted once."""

    about: type[About]
    find: Callable[[Sources, Asked], Awaitable[Found | None]]
    notes: Callable[[Any], list[Note[About]]] = lambda fact: []
    delay_s: Callable[[Settings], float] = lambda settings: 0
    gathers: bool = False
    first: str = ""


def addressees(contacts: list[Contact]) -> list[Addressee]:
    return [Addressee(contact.email, contact.user_id) for contact in contacts]


async def people_of_seller(ask: Sources, seller_id: SellerId) -> list[Addressee]:
    """Find who is written to for a seller: nobody where it is nobody's yet."""
    try:
        seller = await ask.sellers.seller(seller_id)
    except NotFound:
        return []
    return addressees(await ask.accounts.contacts([seller.user_id])) if seller.user_id else []
