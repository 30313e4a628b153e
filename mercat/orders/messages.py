"""What orders are asked and what they answer. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mercat.events import AppliedDiscount, GiftCardsBought, OrderLine, SellerCommission
from mercat.ids import (
    CartId,
    CheckoutId,
    ImportedOrderId,
    LineId,
    NoteId,
    OfferId,
    OrderId,
    ProductId,
    SellerId,
    UserId,
)
from mercat.kit.refusals import Conflict, Unavailable
from mercat.kit.text import SEEN_PROSE
from mercat.quantity import Quantity

OrderStatus = Literal["confirmed", "partially_shipped", "shipped", "delivered", "cancelled"]
"""How far an order has come; a row that was refused before it was made is no order."""


OrderNumber = Annotated[str, Meta(min_length=1, max_length=40)]
"""The number of an order as people write it."""


class PartDelivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one seller's part of an order travels, what that costs its shopper, what the shop pays of it
    (`waived`), and its tax; `shop_tax`: that within what the shop pays."""

    seller_id: SellerId
    shipping: int
    shipping_method: str
    estimated_delivery: date | None = None
    waived: int = 0
    tax: int = 0
    shop_tax: int = 0
    pickup_name: str = ""
    """Where its shopper fetches it; nothing where it is brought."""
    pickup_address: str = ""


Channel = Literal["web", "api"]
"""By what an order came: a page of the shop, or a program that asks the API."""


class NewOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as checkout decided it: paid, and nothing left to look up. `parts`: how each seller's part
    travels; where there are none, they share the order's delivery by what they cost."""

    order_id: OrderId
    user_id: UserId
    checkout_id: CheckoutId
    cart_id: CartId
    email: str
    lines: list[OrderLine]
    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    currency: str
    shipping_method: str
    estimated_delivery: date
    address: dict[str, str]
    placed_at: datetime
    parts: list[PartDelivery] = []
    tax_included: bool = False
    discounts: list[AppliedDiscount] = []
    rounding: str = "half_up"
    taxed_by: str = "total"
    tax_note: str = ""
    """Why it has no tax: `rate_unknown`, `reverse_charge` or `exempt`."""
    gift_cards: GiftCardsBought | None = None
    commissions: list[SellerCommission] | None = None
    channel: Channel = "web"


class OrderLineView(Struct, frozen=True, kw_only=True):
    """A line of an order, and how its units went: each is cancelled or shipped, may be delivered, come back
    (`coming_back` until it is there, then `returned`) and be refunded."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    image_url: str
    quantity: int
    shipped: int
    delivered: int
    returned: int
    unit_price: int
    total: int
    cancelled: int = 0
    coming_back: int = 0
    refunded: int = 0
    discount: int = 0
    tax: int = 0

    @property
    def left(self) -> int:
        """How many can still be shipped or cancelled."""
        return self.quantity - self.cancelled - self.shipped


class Part(Struct, frozen=True, kw_only=True):
    """A seller's part of an order: its status follows from its lines, and the order's from all of them."""

    part_id: str
    seller_id: SellerId
    status: OrderStatus
    shipping: int
    shipping_method: str
    estimated_delivery: date | None
    pickup_name: str = ""
    """Where its shopper fetches it; nothing where it is brought."""
    pickup_address: str = ""


class Happening(Struct, frozen=True):
    """Something in the life of an order."""

    what: str
    who: str
    at: datetime
    detail: dict[str, Any] = {}


class Order(Struct, frozen=True, kw_only=True):
    """An order with its lines and what happened to it. `address` has the parts that are not empty; `number`
    is what people say, and none for an order of an earlier release that has not been numbered yet."""

    order_id: OrderId
    number: int | None = None
    user_id: UserId
    status: OrderStatus
    email: str
    subtotal: int
    discount: int
    shipping: int
    tax: int
    total: int
    currency: str
    shipping_method: str
    estimated_delivery: date | None
    address: dict[str, str]
    created_at: datetime
    checkout_id: CheckoutId
    lines: list[OrderLineView]
    history: list[Happening]
    parts: list[Part] = []
    tax_included: bool = False
    discounts: list[AppliedDiscount] = []
    tax_note: str = ""


class OrderSummary(Struct, frozen=True, kw_only=True):
    """An order in a list; title and image are of its first line."""

    order_id: OrderId
    number: int | None = None
    status: OrderStatus
    total: int
    currency: str
    created_at: datetime
    item_count: int = 0
    title: str = ""
    image_url: str = ""


class EndedPart(Struct, frozen=True):
    """A seller's part of an order that nothing more is sent of: it has arrived, or was cancelled."""

    order_id: OrderId
    seller_id: SellerId
    status: Literal["delivered", "cancelled"]


class OrderPage(Struct, frozen=True):
    """A page of a list of orders, how many there are in all, and what asks for the next page."""

    orders: list[OrderSummary]
    total: int
    next_cursor: str | None = None


class LineQuantity(Struct, frozen=True):
    """So many of an order's line."""

    order_line_id: LineId
    quantity: Quantity


MoveKind = Literal["cancel", "ask_return", "drop_return", "receive_return", "refund"]
Actor = Literal["shopper", "seller", "operator", "carrier", "shop"]


class UnitMove(Struct, frozen=True, kw_only=True):
    """What somebody wants to happen to units of an order; it happens once a reference.

    `lines`: how many of which; without any, a cancellation is of all that is left. `user_ids`: whose order it
    must be, and `seller_id`: whose lines; another's is NotFound."""

    kind: MoveKind
    reference: str
    who: Actor
    lines: list[LineQuantity] | None = None
    missing: list[LineQuantity] = []
    """Of units that were to come back, those that did not: they are not paid, and may be asked for again."""
    user_ids: list[UserId] | None = None
    seller_id: SellerId | None = None
    amount: int | None = None
    """Of a refund that is of no unit."""
    spared: dict[SellerId, int] = {}
    """What of each part a refund of an amount leaves: gift cards are paid back by their units."""
    withheld: int = 0
    """What is kept of the price of units that came back."""
    pays_delivery: bool = False
    """Whether delivery is paid back too, once all of a part came back."""
    reason: str = ""


class Goods(Struct, frozen=True):
    """Some units of a line that moved, and what was paid for them."""

    seller_id: SellerId
    offer_id: OfferId
    quantity: int
    amount: int
    order_line_id: LineId | None = None


class OwedPart(Struct, frozen=True, kw_only=True):
    """What is owed to the shopper of a seller's part: `amount` = price - discount + tax + shipping.

    Price and shipping are without tax, and so is what the shop bears of the discount; `seller_discount`: what
    the seller bears of it."""

    seller_id: SellerId
    price: int = 0
    discount: int = 0
    tax: int = 0
    shipping: int = 0
    seller_discount: int = 0

    @property
    def amount(self) -> int:
        """What is paid back of this part."""
        return self.price - self.discount + self.tax + self.shipping


class Owed(Struct, frozen=True, kw_only=True):
    """What a decision about units came to: the units that moved, and what that pays back by seller."""

    goods: list[Goods] = []
    parts: list[OwedPart] = []
    withheld: int = 0
    reason: str = ""

    @property
    def amount(self) -> int:
        """What is paid back in all."""
        return sum(part.amount for part in self.parts)


class PaidBack(Struct, frozen=True):
    """What was decided, under a reference, to be paid back of an order."""

    reference: str
    owed: Owed


class Bill(Struct, frozen=True):
    """What each seller's part of an order cost, and what was decided to be paid back since."""

    currency: str
    parts: list[OwedPart]
    paid_back: list[PaidBack]


class SoldLine(Struct, frozen=True, kw_only=True):
    """A line of an order as it was sold: what it cost, and its shares of discount, tax and delivery. `tax`:
    all of it, whether it was added to the price or is in it."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    quantity: int
    gross: int
    discount: int = 0
    tax: int = 0
    shipping: int = 0


class UnitsMoved(Struct, frozen=True, kw_only=True):
    """What was decided of units of an order, under a reference: `cancelled`, `returned` or `refunded`."""

    reference: str
    what: str
    at: datetime
    owed: Owed


class SoldOrder(Struct, frozen=True, kw_only=True):
    """An order as reports count it. `country`: where it went; empty where it was forgotten."""

    order_id: OrderId
    user_id: UserId
    currency: str
    country: str
    placed_at: datetime
    channel: str = "web"
    tax_included: bool = False
    lines: list[SoldLine]
    moves: list[UnitsMoved] = []


NOTE_MAX = 2_000
NoteText = Annotated[
    str, Meta(min_length=1, max_length=NOTE_MAX, pattern=SEEN_PROSE, extra={"words": "Write the note."})
]


class NewNote(Struct, frozen=True, kw_only=True):
    """What an operator notes about an order, once a key."""

    user_id: UserId
    who: str
    text: str
    once: str


class OrderNote(Struct, frozen=True):
    """What an operator noted."""

    note_id: NoteId
    who: str
    text: str
    at: datetime


class WhatWasRefused(Struct, frozen=True):
    """What somebody wanted of an order and did not get: the refusal's code and words."""

    at: datetime
    who: str
    what: str
    code: str
    words: str


class Remarks(Struct, frozen=True):
    notes: list[OrderNote]
    refusals: list[WhatWasRefused]


OldNumber = Annotated[str, Meta(min_length=1, max_length=100)]


class OldOrderLine(Struct, frozen=True):
    """A line of an order of a former shop; `total` without what was taken off of the whole order."""

    title: str
    quantity: int
    unit_price: int
    sku: str = ""


class OldOrder(Struct, frozen=True, kw_only=True):
    """An order of a former shop, as its file says. Nothing is reckoned from it."""

    number: OldNumber
    email: str
    placed_at: datetime
    status: str
    currency: str
    subtotal: int = 0
    discount: int = 0
    shipping: int = 0
    tax: int = 0
    total: int
    address: dict[str, str] = {}
    lines: list[OldOrderLine] = []


class ImportedOrder(OldOrder, frozen=True, kw_only=True):
    """One that is kept here, to be read."""

    imported_order_id: ImportedOrderId


class OldOrdersTaken(Struct, frozen=True):
    """How many of a batch are new, say something else now, or are as they were."""

    added: int
    changed: int
    unchanged: int


class NotCancellable(Conflict):
    """Something of this order is on its way already, so it cannot be cancelled. You can return it."""


class ExceedsCaptured(Conflict):
    """That is more than was paid and not yet paid back."""


class NotShippable(Conflict):
    """This cannot be shipped: it was cancelled, or shipped already."""


class NotReturnable(Conflict):
    """Only what has been shipped and not yet returned can be returned."""


class SomeNotPlaced(Unavailable):
    """Some of these orders may not be placed: their database does not answer. Try again shortly."""
