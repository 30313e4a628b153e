"""A seller has orders to pack; those that come within a short time are one letter."""

from msgspec import Struct

from mercat.events import OrderPlaced
from mercat.ids import OrderId, SellerId, number_shown
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.lookup import Asked, Found, Lookup, Note, people_of_seller
from mercat.notifications.sources import Sources

_LINES_MAX = 20


class ToPack(Struct, frozen=True):
    """A seller's part of an order: its first lines, and how many units in all."""

    seller_id: SellerId
    order_id: OrderId
    name: str
    lines: list[tuple[int, str]]
    units: int


class OrdersToPack(Struct, frozen=True):
    """Some of the orders, and how many there are."""

    orders: list[ToPack]
    count: int


def parts(fact: OrderPlaced) -> list[Note[ToPack]]:
    """Note down each seller's part of an order."""
    sellers: dict[SellerId, list[tuple[int, str]]] = {}
    for line in fact.lines:
        sellers.setdefault(line.seller_id, []).append((line.quantity, line.title))
    name = number_shown(fact.number) or str(fact.order_id)
    return [
        Note(
            int(seller_id),
            ToPack(seller_id, fact.order_id, name, lines[:_LINES_MAX], sum(many for many, _ in lines)),
        )
        for seller_id, lines in sellers.items()
    ]


async def find(ask: Sources, asked: Asked) -> Found:
    """Find the seller's person."""
    people = await people_of_seller(ask, asked.about[0].seller_id)
    return Found(people, OrdersToPack(asked.about[:20], asked.count))


KIND = LetterKind(
    OrderPlaced,
    subject_id=lambda fact: fact.order_id,
    optional=Optional("Orders to pack", "seller"),
    lookup=Lookup(
        ToPack,
        find,
        notes=parts,
        delay_s=lambda settings: settings.gather_letters_s,
        gathers=True,
        first="order_confirmed",
    ),
    shown=OrdersToPack,
)
