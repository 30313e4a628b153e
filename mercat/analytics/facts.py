"""From an order and what was booked of it to facts: decisions without IO.

All amounts are read, none is worked out anew: lines have the shares that the order's own service gives them,
the commission is the journal's, and refunds are what the bank paid. What is of a whole is split among its
lines so that the parts add up to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from mercat import money
from mercat.analytics.engine import Fact, LookRow, ProductNamed
from mercat.catalog import ShelvedProduct
from mercat.events import ProductChanged, ThingsLookedAt
from mercat.ids import LineId, ProductId, SellerId
from mercat.orders import Owed, OwedPart, SoldLine, SoldOrder, UnitsMoved
from mercat.payments import BookedOrder, RefundBooked

_RECEIVED = "/received"
_UNKNOWN = "uncategorised"
_KNOWN_MAX = 50_000
Shelves = Mapping[ProductId, ShelvedProduct]


class KnownShelves:
    """In which categories products stand, as far as asked, and as told since: news of a product comes in
    the same log as its orders."""

    def __init__(self) -> None:
        self._known: dict[ProductId, ShelvedProduct] = {}

    def learn(self, changed: Iterable[ProductChanged]) -> None:
        """Take in news of products; one that is not for sale any more is asked about again."""
        for event in changed:
            document = event.document
            if document is None:
                self._known.pop(event.product_id, None)
            elif event.product_id in self._known:
                name = document.category_names[-1] if document.category_names else document.category
                self._known[event.product_id] = ShelvedProduct(
                    event.product_id, document.title, document.category, name
                )

    def unknown(self, products: Iterable[ProductId]) -> list[ProductId]:
        return [product_id for product_id in products if product_id not in self._known]

    def of(self, products: Iterable[ProductId], asked: Iterable[ShelvedProduct]) -> Shelves:
        """Answer the shelves of products, of which some were just asked about."""
        if len(self._known) > _KNOWN_MAX:
            self._known = {each: self._known[each] for each in products if each in self._known}
        self._known |= {each.product_id: each for each in asked}
        return self._known


class Whose(NamedTuple):
    """A key by which buyers are counted and not known: what it makes of an id cannot be turned back."""

    key: bytes

    def number(self, user_id: int) -> int:
        return _number(user_id.to_bytes(8, "big"), self.key)


def facts_of(order: SoldOrder, booked: BookedOrder | None, shelves: Shelves, whose: Whose) -> list[Fact]:
    """List everything that happened to an order's units and money so far."""
    if not order.lines:
        return []
    buyer = whose.number(order.user_id)
    base = {line.order_line_id: _common(order, line, shelves, buyer) for line in order.lines}
    facts = _sold(order, booked, base)
    for move in order.moves:
        facts += _moved(move, base)
    refunds = booked.refunds if booked else []
    for refund in refunds:
        facts += _refunded(order, refund, base)
    return facts


def _common(order: SoldOrder, line: SoldLine, shelves: Shelves, buyer: int) -> dict[str, Any]:
    shelf = shelves.get(line.product_id)
    return {
        "line": int(line.order_line_id),
        "order_id": int(order.order_id),
        "seller": int(line.seller_id),
        "product": int(line.product_id),
        "offer": int(line.offer_id),
        "category": shelf.category if shelf else _UNKNOWN,
        "country": order.country or "??",
        "channel": order.channel,
        "buyer": buyer,
    }


def _sold(order: SoldOrder, booked: BookedOrder | None, base: dict[LineId, dict[str, Any]]) -> list[Fact]:
    commissions = _commissions(order, booked)
    seen: set[Any] = set()
    facts: list[Fact] = []
    for line in order.lines:
        common = base[line.order_line_id]
        seller, product, category = common["seller"], common["product"], common["category"]
        groups = (0, (1, seller), (2, category), (3, product), (4, seller, category), (5, seller, product))
        firsts = [int(group not in seen) for group in groups]
        seen.update(groups)
        facts.append(
            Fact(
                kind="sold",
                source=int(order.order_id),
                happened=order.placed_at,
                units=line.quantity,
                gross=line.gross,
                discount=line.discount,
                tax=line.tax,
                shipping=line.shipping,
                commission=commissions[line.order_line_id],
                first=firsts[0],
                first_seller=firsts[1],
                first_category=firsts[2],
                first_product=firsts[3],
                first_seller_category=firsts[4],
                first_seller_product=firsts[5],
                **common,
            )
        )
    return facts


def _commissions(order: SoldOrder, booked: BookedOrder | None) -> dict[LineId, int]:
    """Split the commission of an order's capture by seller as it was booked, then by line."""
    if booked is None:
        return {line.order_line_id: 0 for line in order.lines}
    lines_of: dict[SellerId, list[SoldLine]] = {}
    for line in order.lines:
        lines_of.setdefault(line.seller_id, []).append(line)
    kept = [max(0, booked.commissions.get(seller_id, 0)) for seller_id in lines_of]
    if not any(kept):
        kept = [sum(line.gross for line in own) for own in lines_of.values()]
    found: dict[LineId, int] = {}
    for own, commission in zip(lines_of.values(), split(booked.commission, kept), strict=True):
        for line, part in zip(own, split(commission, [line.gross for line in own]), strict=True):
            found[line.order_line_id] = part
    return found


def _moved(move: UnitsMoved, base: dict[LineId, dict[str, Any]]) -> list[Fact]:
    """List the units of a decision: those that were cancelled or came back; others moved money alone."""
    if move.what not in ("cancelled", "returned"):
        return []
    units: dict[LineId, int] = {}
    for goods in move.owed.goods:
        line_id = goods.order_line_id or _line_of(goods.offer_id, base)
        if line_id in base:
            units[line_id] = units.get(line_id, 0) + goods.quantity
    source = _number(move.reference.encode())
    if move.what == "cancelled":
        return [
            Fact(kind="cancelled", source=source, happened=move.at, cancelled=count, **base[line_id])
            for line_id, count in units.items()
        ]
    return [
        Fact(kind="returned", source=source, happened=move.at, returned=count, **base[line_id])
        for line_id, count in units.items()
    ]


def _line_of(offer_id: int, base: dict[LineId, dict[str, Any]]) -> LineId:
    """Find the line of an offer: release 0.1.0 wrote no lines."""
    return next((each for each, common in base.items() if common["offer"] == offer_id), LineId(0))


def _refunded(order: SoldOrder, refund: RefundBooked, base: dict[LineId, dict[str, Any]]) -> list[Fact]:
    """List what of a refund is of which line; and take out again what came back from the bank."""
    shares = _refund_shares(order, refund)
    times: list[tuple[Any, datetime, int]] = [("refund", refund.paid_at, refund.amount)]
    if refund.came_back_at:
        times.append(("came_back", refund.came_back_at, -refund.came_back))
    facts: list[Fact] = []
    for kind, happened, amount in times:
        wholes = split(amount, [sum(share) for share in shares])
        for line, (goods, other), whole in zip(order.lines, shares, wholes, strict=True):
            if whole:
                of_goods = goods if goods + other == whole else split(whole, [goods, other])[0]
                fact = Fact(
                    kind=kind,
                    source=int(refund.refund_id),
                    happened=happened,
                    refunds=whole,
                    refunded_goods=of_goods,
                    **base[line.order_line_id],
                )
                facts.append(fact)
    return facts


def _refund_shares(order: SoldOrder, refund: RefundBooked) -> list[tuple[int, int]]:
    """Answer by line what a refund pays for goods (price less discount), and for tax and delivery."""
    owed = _owed(order, refund.reference)
    if owed is None or not owed.amount:
        return [(line.gross - line.discount, _beside(order, line)) for line in order.lines]
    moved: dict[LineId, int] = {}
    for goods in owed.goods:
        if goods.order_line_id is not None:
            moved[goods.order_line_id] = moved.get(goods.order_line_id, 0) + goods.amount
    found: dict[LineId, tuple[int, int]] = {line.order_line_id: (0, 0) for line in order.lines}
    for part in owed.parts:
        own = [line for line in order.lines if line.seller_id == part.seller_id]
        weights = [moved.get(line.order_line_id, 0) for line in own]
        weights = weights if any(weights) else [line.gross for line in own]
        of_goods = _goods_part(order, own, weights, part)
        goods_parts = split(of_goods, weights)
        other_parts = split(part.amount - of_goods, weights)
        for line, goods_part, other in zip(own, goods_parts, other_parts, strict=True):
            found[line.order_line_id] = goods_part, other
    return [found[line.order_line_id] for line in order.lines]


def _goods_part(order: SoldOrder, own: list[SoldLine], weights: list[int], part: OwedPart) -> int:
    """Answer what a refund of a seller's part pays for goods. Where prices have their tax in them, goods do
    too; what the shop paid of the delivery is no discount of goods."""
    delivery = sum(line.shipping for line in own) if part.shipping else 0
    if not order.tax_included:
        return part.price - part.discount + max(0, part.shipping - delivery)
    whole = sum(
        weight - (line.discount * weight // line.gross if line.gross else 0)
        for line, weight in zip(own, weights, strict=True)
    )
    return split(part.amount, [whole, delivery])[0]


def _beside(order: SoldOrder, line: SoldLine) -> int:
    """Answer what a line's buyer paid beside its price."""
    return line.shipping if order.tax_included else line.shipping + line.tax


def _owed(order: SoldOrder, reference: str) -> Owed | None:
    names = (reference, reference + _RECEIVED)
    return next((move.owed for move in order.moves if move.reference in names), None)


def named_by(event: ProductChanged) -> ProductNamed | None:
    """Read how a product is called, and whose it is, of the news that it changed."""
    document = event.document
    if document is None:
        return None
    return ProductNamed(
        product=int(event.product_id),
        title=document.title,
        category=document.category,
        category_name=document.category_names[-1] if document.category_names else document.category,
        seller=int(document.seller_id),
        version=event.version,
    )


def look_rows(event: ThingsLookedAt) -> list[LookRow]:
    """List what visitors did, each with its place in the batch: the key of what comes twice."""
    return [
        LookRow(
            batch=int(event.batch_id),
            number=number,
            happened=datetime.fromtimestamp(look.at, UTC),
            what=look.what,
            visitor=look.visitor,
            device=look.device,
            product=int(look.product_id or 0),
            words=look.words,
            found=look.found,
            shown=[int(product_id) for product_id in look.shown],
        )
        for number, look in enumerate(event.looks)
    ]


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights to the last cent; evenly where all of them are nothing."""
    if not weights:
        return []
    if len(weights) == 1:
        return [amount]
    whole = [max(0, weight) for weight in weights]
    if not any(whole):
        whole = [1] * len(whole)
    if amount < 0:
        return [-part for part in money.allocate(-amount, whole)]
    return money.allocate(amount, whole)


def _number(value: bytes, key: bytes = b"") -> int:
    """Make a number of 63 bits of what is too long for one."""
    return int.from_bytes(blake2b(value, digest_size=8, key=key).digest(), "big") >> 1
