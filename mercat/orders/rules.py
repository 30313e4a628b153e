"""An order's life: which units may be cancelled, shipped, delivered and taken back, what that pays back, and
which status they add up to. Decisions without IO.

What is paid back of a line is what its units cost, with their share of the order's discount and tax; a part's
delivery is paid back with its last unit. All moves together pay back the whole to the cent, whatever their
order, and never more than is left of what a part cost.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mercat import money
from mercat.events import OrderPlaced, PartShipping
from mercat.ids import LineId, OfferId, ProductId, SellerId
from mercat.kit.refusals import Invalid, NotFound
from mercat.orders.messages import (
    ExceedsCaptured,
    Goods,
    LineQuantity,
    NotCancellable,
    NotReturnable,
    NotShippable,
    OrderStatus,
    Owed,
    OwedPart,
    UnitMove,
)


class LineState(NamedTuple):
    """A line of an order, and how its units went so far."""

    offer_id: OfferId
    seller_id: SellerId
    quantity: int
    shipped: int
    delivered: int
    returned: int
    unit_price: int
    cancelled: int = 0
    coming_back: int = 0
    refunded: int = 0
    product_id: ProductId = ProductId(0)
    discount: int = 0
    seller_discount: int = 0
    tax: int | None = None
    shop_tax: int = 0

    @property
    def left(self) -> int:
        """How many can still be shipped or cancelled."""
        return self.quantity - self.cancelled - self.shipped

    def paid_back(self, units: int) -> int:
        """Answer how many are paid back once so many more are; what was paid back before is not again."""
        return min(self.quantity, self.refunded + units)


Lines = dict[LineId, LineState]


class Shares(NamedTuple):
    """Amounts of a part of an order: what it cost, what was paid back of it, or what is owed.

    Price and shipping are without tax, and so is what the shop bears of the discount; `seller_discount`: what
    the seller bears of it."""

    price: int = 0
    discount: int = 0
    tax: int = 0
    shipping: int = 0
    seller_discount: int = 0

    @property
    def amount(self) -> int:
        return self.price - self.discount + self.tax + self.shipping

    def plus(self, more: "Shares") -> "Shares":
        return Shares(
            self.price + more.price,
            self.discount + more.discount,
            self.tax + more.tax,
            self.shipping + more.shipping,
            self.seller_discount + more.seller_discount,
        )

    def minus(self, less: "Shares") -> "Shares":
        return Shares(
            self.price - less.price,
            self.discount - less.discount,
            self.tax - less.tax,
            self.shipping - less.shipping,
            self.seller_discount - less.seller_discount,
        )


BySeller = dict[SellerId, Shares]


class Amounts(NamedTuple):
    """What an order came to. `parts`: what the delivery of each seller's part costs, where checkout said so;
    `tax_included`: whether prices and deliveries have their tax in them."""

    currency: str
    subtotal: int
    discount: int
    tax: int
    shipping: int = 0
    parts: Mapping[SellerId, PartShipping] = {}
    tax_included: bool = False


class OrderState(NamedTuple):
    """What is decided from: an order's lines, what it came to, and what was paid back of it so far."""

    status: OrderStatus
    amounts: Amounts
    lines: Lines
    given: BySeller


class UnitDecision(NamedTuple):
    """The lines as they are from now on, and what that owes."""

    lines: Lines
    owed: Owed


def ship(status: OrderStatus, lines: Lines, seller_id: SellerId, parcel: Iterable[LineQuantity]) -> Lines:
    """Answer the lines once a seller's parcel is handed over. NotFound for what is not theirs; NotShippable
    beyond what was ordered, and for what was cancelled or shipped before."""
    if not any(line.seller_id == seller_id for line in lines.values()):
        raise NotFound("You have no such order.", pointer="/order_id")
    if status == "cancelled":
        raise NotShippable
    after = dict(lines)
    for part in parcel:
        line = after.get(part.order_line_id)
        if line is None or line.seller_id != seller_id:
            raise NotFound("This order has no such line of yours.", pointer="/lines")
        if part.quantity > line.left:
            raise NotShippable("More than was ordered, or cancelled or shipped already.", pointer="/lines")
        after[part.order_line_id] = line._replace(shipped=line.shipped + part.quantity)
    return after


def deliver(lines: Lines, parcel: Iterable[tuple[LineId, int]]) -> Lines:
    """Answer the lines once a parcel has arrived; never more of a line than was shipped."""
    after = dict(lines)
    for line_id, quantity in parcel:
        if line := after.get(line_id):
            after[line_id] = line._replace(delivered=min(line.shipped, line.delivered + quantity))
    return after


def move(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Decide a move of units."""
    return _MOVES[asked.kind](state, asked)


def _cancel(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Cancel units that have not shipped, and pay them back; a part of which nothing will ship, with its
    delivery. NotCancellable, with what can be, for units that are on their way."""
    own, wanted = _asked_lines(state.lines, asked), asked.lines
    if wanted is None:
        if shipped := [line_id for line_id, line in own.items() if line.shipped]:
            raise NotCancellable(lines=[_cancellable(own, line_id) for line_id in shipped])
        wanted = [LineQuantity(line_id, line.left) for line_id, line in own.items() if line.left]
    after = dict(state.lines)
    for part in wanted:
        line = after[part.order_line_id]
        if part.quantity > line.left:
            raise NotCancellable(
                "" if line.shipped else f"Only {line.left} of this can still be cancelled.",
                pointer="/lines",
                lines=[_cancellable(state.lines, each.order_line_id) for each in wanted],
            )
        after[part.order_line_id] = line._replace(
            cancelled=line.cancelled + part.quantity, refunded=line.paid_back(part.quantity)
        )
    return _owing(state, after, wanted, delivery=_all_cancelled(after) - _all_cancelled(state.lines))


def _ask_return(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Announce units that come back; NotReturnable beyond what was delivered and stays. Owes nothing."""
    after = _asked_lines(state.lines, asked)
    for part in asked.lines or []:
        line = after[part.order_line_id]
        if line.coming_back + line.returned + part.quantity > line.delivered:
            raise NotReturnable(pointer="/lines")
        after[part.order_line_id] = line._replace(coming_back=line.coming_back + part.quantity)
    return UnitDecision(state.lines | after, Owed(goods=_goods(state.lines, asked.lines or [])))


def _drop_return(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Take the announcement back: refused, withdrawn, or nothing came. Owes nothing."""
    after = _come_back(_asked_lines(state.lines, asked), asked.lines or [])
    return UnitDecision(state.lines | after, Owed(goods=_goods(state.lines, asked.lines or [])))


def _receive_return(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Take back units that were announced, and pay them back, less what is withheld; those that are missing
    stay where they are. Delivery, where it is paid, goes with the part's last unit."""
    after = state.lines | _come_back(_asked_lines(state.lines, asked), [*(asked.lines or []), *asked.missing])
    for part in asked.lines or []:
        line = after[part.order_line_id]
        after[part.order_line_id] = line._replace(
            returned=line.returned + part.quantity, refunded=line.paid_back(part.quantity)
        )
    return _owing(
        state,
        after,
        asked.lines or [],
        delivery=_all_back(after) - _all_back(state.lines) if asked.pays_delivery else set(),
        withheld=asked.withheld,
    )


def _refund(state: OrderState, asked: UnitMove) -> UnitDecision:
    """Pay back units that stay where they are, or an amount that is of no unit, unless it is the last of a
    part: then all its units are paid back. ExceedsCaptured beyond what is left: of the order, or of a
    seller's part where the seller asks."""
    left = _left(state)
    if asked.seller_id is not None:
        left = {seller_id: part for seller_id, part in left.items() if seller_id == asked.seller_id}
    if not left:
        raise NotFound("You have no such order.")
    if asked.amount is not None:
        most = [max(0, part.amount - asked.spared.get(each, 0)) for each, part in left.items()]
        whole = sum(most)
        if asked.amount > whole:
            words = "Gift cards are paid back by their units, which takes them." if asked.spared else ""
            raise ExceedsCaptured(words, pointer="/amount", left=whole)
        amounts = money.allocate(asked.amount, most)
        owed = {
            seller_id: part_of(part, amount)
            for (seller_id, part), amount in zip(left.items(), amounts, strict=True)
            if amount or (asked.amount == whole and not part.amount)
        }
        paid_whole = {seller_id for seller_id, part in owed.items() if part == left[seller_id]}
        units = [
            LineQuantity(n, line.quantity - line.refunded)
            for n, line in state.lines.items()
            if line.seller_id in paid_whole and line.refunded < line.quantity
        ]
        after = state.lines | {
            each.order_line_id: state.lines[each.order_line_id]._replace(
                refunded=state.lines[each.order_line_id].quantity
            )
            for each in units
        }
        return UnitDecision(after, Owed(goods=_goods(state.lines, units), parts=_owed_parts(owed)))
    if not asked.lines:
        raise Invalid("Say which units, or how much.", pointer="/amount")
    after = _asked_lines(state.lines, asked)
    for part in asked.lines:
        line = after[part.order_line_id]
        if line.refunded + part.quantity > line.quantity:
            raise ExceedsCaptured(pointer="/lines")
        after[part.order_line_id] = line._replace(refunded=line.refunded + part.quantity)
    due = _due(state, state.lines | after)
    if any(part.amount > left[seller_id].amount for seller_id, part in due.items()):
        raise ExceedsCaptured(pointer="/lines")
    return _owing(state, state.lines | after, asked.lines)


_MOVES = {
    "cancel": _cancel,
    "ask_return": _ask_return,
    "drop_return": _drop_return,
    "receive_return": _receive_return,
    "refund": _refund,
}
REFUSED = {
    "cancel": NotCancellable,
    "ask_return": NotReturnable,
    "drop_return": NotReturnable,
    "receive_return": NotReturnable,
    "refund": ExceedsCaptured,
}
"""How a move is refused that was given up before it was decided."""


def take_back(
    status: OrderStatus, amounts: Amounts, lines: Lines, goods: Sequence[LineQuantity], given: BySeller
) -> UnitDecision:
    """Take back units that nobody announced, and pay them back. NotReturnable beyond what was shipped, and of
    a cancelled order."""
    after = dict(lines)
    for part in goods:
        line = after.get(part.order_line_id)
        if line is None:
            raise NotFound("This order has no such line.", pointer="/lines")
        if status == "cancelled" or line.coming_back + line.returned + part.quantity > line.shipped:
            raise NotReturnable(pointer="/lines")
        after[part.order_line_id] = line._replace(
            returned=line.returned + part.quantity, refunded=line.paid_back(part.quantity)
        )
    return _owing(OrderState(status, amounts, lines, given), after, goods)


def share(amount: int, of: int, before: int, after: int, step: int = 1) -> int:
    """Answer what of an amount belongs to the part of a whole between two marks, in multiples of `step`.

    All parts together are the amount to the cent, in whatever order they come: the last takes the rest."""
    if not of:
        return 0
    until, since = (amount * mark // of // step * step for mark in (after, before))
    return until - since


def paid(amounts: Amounts, lines: Lines) -> BySeller:
    """Part what an order came to by seller, in the order of their first lines."""
    parts = _goods_of(amounts, lines)
    return {seller_id: parts[seller_id].plus(each) for seller_id, each in deliveries(amounts, parts).items()}


def deliveries(amounts: Amounts, goods: BySeller) -> BySeller:
    """Answer what the delivery of each seller's part costs; what the shop pays of it is a discount."""
    if set(amounts.parts) != set(goods):  # of release 0.1.0
        shares = _allocate(amounts.shipping, [part.price for part in goods.values()], amounts.currency)
        return {seller_id: Shares(shipping=share) for seller_id, share in zip(goods, shares, strict=True)}
    return {
        seller_id: Shares(
            discount=part.waived - part.shop_tax,
            tax=part.tax,
            shipping=part.amount + part.waived - part.shop_tax - (part.tax if amounts.tax_included else 0),
        )
        for seller_id in goods
        if (part := amounts.parts[seller_id])
    }


def shipping_by_part(amounts: Amounts, lines: Lines) -> dict[SellerId, int]:
    """Answer what the shopper paid for the delivery of each seller's part."""
    costs_of = deliveries(amounts, _goods_of(amounts, lines))
    return {
        seller_id: amounts.parts[seller_id].amount if seller_id in amounts.parts else cost.shipping
        for seller_id, cost in costs_of.items()
    }


def _goods_of(amounts: Amounts, lines: Lines) -> BySeller:
    parts: BySeller = {}
    for line, part in zip(lines.values(), _by_line(amounts, lines).values(), strict=True):
        before = parts.get(line.seller_id)
        parts[line.seller_id] = before.plus(part) if before else part
    return parts


def sold_lines(amounts: Amounts, lines: Lines) -> dict[LineId, Shares]:
    """Part what an order says of itself by line: its subtotal, discount, tax and delivery as the shopper paid
    them, whether the tax is in the prices or not. Together the lines are the order."""
    prices = {line_id: line.unit_price * line.quantity for line_id, line in lines.items()}
    goods = _by_line(amounts, lines)
    told = {line.seller_id for line in lines.values()} <= set(amounts.parts)
    parts: Mapping[SellerId, PartShipping] = amounts.parts if told else {}
    taxes, shippings = {n: part.tax for n, part in goods.items()}, dict.fromkeys(lines, 0)
    for seller_id, part in parts.items():
        own = [line_id for line_id, line in lines.items() if line.seller_id == seller_id]
        for amount, into in ((part.tax, taxes), (part.amount, shippings)):
            _spread(amount, own, prices, into)
    discounts = {n: part.discount + lines[n].shop_tax for n, part in goods.items()}
    wholes = ((amounts.discount, discounts), (amounts.tax, taxes), (amounts.shipping, shippings))
    for whole, into in wholes:  # what no line says is everybody's
        _spread(whole - sum(into.values()), list(lines), prices, into)
    return {n: Shares(prices[n], discounts[n], taxes[n], shippings[n]) for n in lines}


def _spread(
    amount: int, among: Sequence[LineId], prices: Mapping[LineId, int], into: dict[LineId, int]
) -> None:
    """Add an amount to lines by what they cost; evenly where they cost nothing."""
    if not amount:
        return
    if len(among) == 1:
        into[among[0]] += amount
        return
    weights = [prices[line_id] for line_id in among]
    shares = money.allocate(abs(amount), weights if any(weights) else [1] * len(weights))
    for line_id, share_ in zip(among, shares, strict=True):
        into[line_id] += share_ if amount >= 0 else -share_


def costs(amounts: Amounts, lines: Lines) -> list[OwedPart]:
    """List what each seller's part of an order cost, in the order of their first lines."""
    return [_as_owed(seller_id, part) for seller_id, part in paid(amounts, lines).items()]


def costs_as_placed(placed: OrderPlaced) -> list[OwedPart]:
    """List what each seller's part cost of an order that was just placed; the same as its rows say."""
    return costs(*as_placed(placed))


def as_placed(placed: OrderPlaced) -> tuple[Amounts, Lines]:
    """Answer what an order that was just placed came to, and its lines; the same as its rows say."""
    amounts = Amounts(
        placed.currency,
        placed.subtotal,
        placed.discount,
        placed.tax,
        placed.shipping,
        {part.seller_id: part for part in placed.part_shipping or []},
        placed.tax_included,
    )
    lines = {
        line.order_line_id: LineState(
            line.offer_id,
            line.seller_id,
            line.quantity,
            0,
            0,
            0,
            line.unit_price,
            product_id=line.product_id,
            discount=line.discount,
            seller_discount=line.seller_discount,
            tax=line.tax,
            shop_tax=line.shop_tax,
        )
        for line in sorted(placed.lines, key=lambda line: line.order_line_id)
    }
    return amounts, lines


def part_of(whole: Shares, amount: int) -> Shares:
    """Answer an amount of a whole by share of each of its accounts; all of it where that much is asked."""
    if amount == whole.amount:
        return whole
    discount = whole.discount * amount // whole.amount
    price, tax, shipping = money.allocate(amount + discount, [whole.price, whole.tax, whole.shipping])
    return Shares(price, discount, tax, shipping, _borne(whole, discount))


def _borne(whole: Shares, discount: int, step: int = 1) -> int:
    """Answer what the seller bears of so much of a discount."""
    if not whole.discount:
        return 0
    return discount * whole.seller_discount // whole.discount // step * step


def owed_of(parts: Iterable[OwedPart]) -> BySeller:
    """Add up by seller what decisions came to."""
    given: BySeller = {}
    for part in parts:
        more = Shares(part.price, part.discount, part.tax, part.shipping, part.seller_discount)
        given[part.seller_id] = given.get(part.seller_id, Shares()).plus(more)
    return given


def everything(amounts: Amounts, lines: Lines) -> Owed:
    """Answer all of an order, as it was owed by a cancellation of release 0.1.0."""
    whole = [LineQuantity(line_id, line.quantity) for line_id, line in lines.items()]
    return Owed(goods=_goods(lines, whole), parts=_owed_parts(paid(amounts, lines)))


def of_old_return(goods: list[Goods], tax: int, discount: int) -> Owed:
    """Answer what a return of release 0.1.0 came to, which said tax and discount of all sellers together."""
    prices: dict[SellerId, int] = {}
    for each in goods:
        prices[each.seller_id] = prices.get(each.seller_id, 0) + each.amount
    weights = list(prices.values())
    shares = zip(prices, money.allocate(tax, weights), money.allocate(discount, weights), strict=True)
    parts = [
        OwedPart(seller_id=seller_id, price=prices[seller_id], discount=less, tax=more)
        for seller_id, more, less in shares
    ]
    return Owed(goods=goods, parts=parts)


def status_of(lines: Iterable[LineState]) -> OrderStatus:
    """Answer what an order, or a part of it, is whose lines have come so far: what is cancelled is not waited
    for."""
    every = list(lines)
    if all(line.cancelled == line.quantity for line in every):
        return "cancelled"
    if all(line.delivered == line.quantity - line.cancelled for line in every):
        return "delivered"
    if all(line.left == 0 for line in every):
        return "shipped"
    return "partially_shipped" if any(line.shipped for line in every) else "confirmed"


def statuses(lines: Lines) -> dict[SellerId, OrderStatus]:
    """Answer the status of each seller's part, in the order of their first lines."""
    return {seller_id: status_of(own) for seller_id, own in _by_seller(lines).items()}


def arrived_products(lines: Lines) -> set[ProductId]:
    """Answer the products of which units were delivered."""
    return {line.product_id for line in lines.values() if line.delivered}


def refunded_products(lines: Lines) -> set[ProductId]:
    """Answer the products of which every unit was paid back."""
    kept = {line.product_id for line in lines.values() if line.refunded < line.quantity}
    return {line.product_id for line in lines.values()} - kept


def _by_seller(lines: Lines) -> dict[SellerId, list[LineState]]:
    parts: dict[SellerId, list[LineState]] = {}
    for line in lines.values():
        parts.setdefault(line.seller_id, []).append(line)
    return parts


def _asked_lines(lines: Lines, asked: UnitMove) -> Lines:
    """Answer the lines that may move: those of the seller who asks; NotFound where others are named."""
    own = {n: line for n, line in lines.items() if asked.seller_id in (None, line.seller_id)}
    if not own:
        raise NotFound("You have no such order.")
    for part in [*(asked.lines or []), *asked.missing]:
        if part.order_line_id not in own:
            raise NotFound("This order has no such line.", pointer="/lines")
    return own


def _cancellable(lines: Lines, line_id: LineId) -> dict[str, Any]:
    line = lines[line_id]
    return {"order_line_id": line_id, "shipped": line.shipped, "cancellable": line.left}


def _come_back(lines: Lines, arrived: Iterable[LineQuantity]) -> Lines:
    after = dict(lines)
    for part in arrived:
        line = after[part.order_line_id]
        if part.quantity > line.coming_back:
            raise NotReturnable("More than was to come back.", pointer="/lines")
        after[part.order_line_id] = line._replace(coming_back=line.coming_back - part.quantity)
    return after


def _all_cancelled(lines: Lines) -> set[SellerId]:
    return {seller_id for seller_id, status in statuses(lines).items() if status == "cancelled"}


def _all_back(lines: Lines) -> set[SellerId]:
    """Answer the sellers of whose part nothing is out: what was sent came back, the rest was cancelled."""
    return {
        seller_id
        for seller_id, own in _by_seller(lines).items()
        if all(line.cancelled + line.returned == line.quantity for line in own)
    }


def _by_line(amounts: Amounts, lines: Lines) -> dict[LineId, Shares]:
    """Answer what each line cost; where it does not say, with its share of the order's discount and tax."""
    prices = [line.unit_price * line.quantity for line in lines.values()]
    if all(line.tax is not None for line in lines.values()):
        return {
            line_id: Shares(
                price - line.shop_tax - ((line.tax or 0) if amounts.tax_included else 0),
                line.discount - line.shop_tax,
                line.tax or 0,
                seller_discount=line.seller_discount,
            )
            for (line_id, line), price in zip(lines.items(), prices, strict=True)
        }
    discounts = _allocate(amounts.discount, prices, amounts.currency)
    taxes = _allocate(amounts.tax, prices, amounts.currency)
    return {
        line_id: Shares(price, discount, tax)
        for line_id, price, discount, tax in zip(lines, prices, discounts, taxes, strict=True)
    }


def _allocate(amount: int, weights: Sequence[int], currency: str) -> list[int]:
    step = money.step(currency)
    return [part * step for part in money.allocate(amount // step, weights)]


def _due(state: OrderState, after: Lines) -> BySeller:
    """Answer by seller what units cost that are paid back now and were not before."""
    step = money.step(state.amounts.currency)
    due: BySeller = {}
    for line_id, whole in _by_line(state.amounts, state.lines).items():
        line, before = after[line_id], state.lines[line_id].refunded
        if line.refunded == before:
            continue
        marks = line.quantity, before, line.refunded, step
        tax, discount = share(whole.tax, *marks), share(whole.discount, *marks)
        until, since = (
            share(whole.discount, line.quantity, 0, mark, step) for mark in (line.refunded, before)
        )
        price = line.unit_price * (line.refunded - before) - share(line.shop_tax, *marks)
        units = Shares(
            price - tax if state.amounts.tax_included else price,
            discount,
            tax,
            seller_discount=_borne(whole, until, step) - _borne(whole, since, step),
        )
        due[line.seller_id] = due.get(line.seller_id, Shares()).plus(units)
    return due


def _left(state: OrderState) -> BySeller:
    """Answer by seller what was paid and not paid back."""
    return {
        seller_id: part.minus(state.given.get(seller_id, Shares()))
        for seller_id, part in paid(state.amounts, state.lines).items()
    }


def _owing(
    state: OrderState,
    after: Lines,
    goods: Sequence[LineQuantity],
    delivery: Iterable[SellerId] = (),
    withheld: int = 0,
) -> UnitDecision:
    """Answer what a move owes: what its units cost, and these parts' delivery; never more than is left."""
    due, left = _due(state, after), _left(state)
    if delivery := set(delivery):
        cost = deliveries(state.amounts, _goods_of(state.amounts, state.lines))
        for seller_id in delivery:
            due[seller_id] = due.get(seller_id, Shares()).plus(cost[seller_id])
    owed = {seller_id: _still_there(part, left[seller_id]) for seller_id, part in due.items()}
    if withheld:
        whole = sum(part.amount for part in owed.values())
        if withheld > whole:
            raise Invalid("More than these goods are worth.", pointer="/withheld/amount")
        amounts = money.allocate(whole - withheld, [part.amount for part in owed.values()])
        owed = {
            seller_id: part_of(part, amount)
            for (seller_id, part), amount in zip(owed.items(), amounts, strict=True)
        }
    moved = Owed(goods=_goods(state.lines, goods), parts=_owed_parts(owed), withheld=withheld)
    return UnitDecision(after, moved)


def _still_there(due: Shares, left: Shares) -> Shares:
    """Answer what of an amount that is due was not paid back by other ways: as it is due where each account
    has that much, else by share."""
    amount = max(0, min(due.amount, left.amount))  # what was rounded up before is due less than nothing
    if amount == due.amount and all(0 <= part <= whole for part, whole in zip(due, left, strict=True)):
        return due
    return part_of(left, amount)


def _goods(lines: Lines, units: Iterable[LineQuantity]) -> list[Goods]:
    return [
        Goods(
            line.seller_id,
            line.offer_id,
            part.quantity,
            line.unit_price * part.quantity,
            part.order_line_id,
        )
        for part in units
        if (line := lines[part.order_line_id])
    ]


def _owed_parts(by_seller: BySeller) -> list[OwedPart]:
    return [_as_owed(seller_id, part) for seller_id, part in by_seller.items() if any(part)]


def _as_owed(seller_id: SellerId, part: Shares) -> OwedPart:
    return OwedPart(
        seller_id=seller_id,
        price=part.price,
        discount=part.discount,
        tax=part.tax,
        shipping=part.shipping,
        seller_discount=part.seller_discount,
    )
