"""An order's life: what may be shipped, delivered and returned of its lines, what that pays back, and which
status the lines add up to. Decisions without IO."""

from collections.abc import Iterable
from typing import NamedTuple

from mercat import money
from mercat.ids import LineId, OfferId, SellerId
from mercat.kit.refusals import NotFound
from mercat.orders.messages import Goods, LineQuantity, NotReturnable, NotShippable, OrderStatus, Owed


class LineState(NamedTuple):
    """A line of an order, and how many of it were shipped, delivered and returned so far."""

    offer_id: OfferId
    seller_id: SellerId
    quantity: int
    shipped: int
    delivered: int
    returned: int
    unit_price: int


Lines = dict[LineId, LineState]


class Amounts(NamedTuple):
    """What an order came to. `tax`: what was added to its prices."""

    currency: str
    subtotal: int
    discount: int
    tax: int


def ship(status: OrderStatus, lines: Lines, seller_id: SellerId, parcel: Iterable[LineQuantity]) -> Lines:
    """Answer the lines once a seller's parcel is handed over. NotFound for what is not theirs; NotShippable
    beyond what was ordered, and where the order was cancelled or shipped before."""
    if not any(line.seller_id == seller_id for line in lines.values()):
        raise NotFound("You have no such order.", pointer="/order_id")
    if status not in ("confirmed", "partially_shipped"):
        raise NotShippable
    after = dict(lines)
    for part in parcel:
        line = after.get(part.order_line_id)
        if line is None or line.seller_id != seller_id:
            raise NotFound("This order has no such line of yours.", pointer="/lines")
        if line.shipped + part.quantity > line.quantity:
            raise NotShippable("More than was ordered, or shipped already.", pointer="/lines")
        after[part.order_line_id] = line._replace(shipped=line.shipped + part.quantity)
    return after


def deliver(lines: Lines, parcel: Iterable[tuple[LineId, int]]) -> Lines:
    """Answer the lines once a parcel has arrived; never more of a line than was shipped."""
    after = dict(lines)
    for line_id, quantity in parcel:
        if line := after.get(line_id):
            after[line_id] = line._replace(delivered=min(line.shipped, line.delivered + quantity))
    return after


def take_back(
    status: OrderStatus, amounts: Amounts, lines: Lines, goods: Iterable[LineQuantity]
) -> tuple[Lines, Owed]:
    """Answer the lines once goods were returned, and what that pays back: their price, and their share of the
    tax and of the discount. NotReturnable beyond what was shipped, and of a cancelled order."""
    after = dict(lines)
    back: list[Goods] = []
    for part in goods:
        line = after.get(part.order_line_id)
        if line is None:
            raise NotFound("This order has no such line.", pointer="/lines")
        if status == "cancelled" or line.returned + part.quantity > line.shipped:
            raise NotReturnable(pointer="/lines")
        after[part.order_line_id] = line._replace(returned=line.returned + part.quantity)
        back.append(Goods(line.seller_id, line.offer_id, part.quantity, line.unit_price * part.quantity))
    marks = amounts.subtotal, _returned_value(lines), _returned_value(after), money.step(amounts.currency)
    return after, Owed(back, share(amounts.tax, *marks), share(amounts.discount, *marks))


def share(amount: int, of: int, before: int, after: int, step: int = 1) -> int:
    """Answer what of an amount belongs to the part of a whole between two marks, in multiples of `step`.

    All parts together are the amount to the cent, in whatever order they come: the last takes the rest."""
    if not of:
        return 0
    until, since = (amount * mark // of // step * step for mark in (after, before))
    return until - since


def status_of(lines: Iterable[LineState]) -> OrderStatus:
    """Answer what an order is whose lines have come so far, if it was not cancelled."""
    every = list(lines)
    if all(line.delivered == line.quantity for line in every):
        return "delivered"
    if all(line.shipped == line.quantity for line in every):
        return "shipped"
    return "partially_shipped" if any(line.shipped for line in every) else "confirmed"


def _returned_value(lines: Lines) -> int:
    """Add up what the goods that came back were sold for."""
    return sum(line.unit_price * line.returned for line in lines.values())
