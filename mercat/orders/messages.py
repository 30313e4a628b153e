"""What orders are asked and what they answer. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mercat.events import OrderLine
from mercat.ids import CartId, CheckoutId, LineId, NoteId, OfferId, OrderId, ProductId, SellerId, UserId
from mercat.kit.refusals import Conflict
from mercat.quantity import Quantity

OrderStatus = Literal["confirmed", "partially_shipped", "shipped", "delivered", "cancelled"]
"""How far an order has come; a row that was refused before it was made is no order."""


OrderNumber = Annotated[str, Meta(min_length=1, max_length=40)]
"""The number of an order as people write it."""


class PartDelivery(Struct, frozen=True, kw_only=True):
    """How one seller's part of an order travels, and what that costs."""

    seller_id: SellerId
    shipping: int
    shipping_method: str
    estimated_delivery: date | None = None


class NewOrder(Struct, frozen=True, kw_only=True):
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
    """What is owed to the shopper of a seller's part: `amount` = price - discount + tax + shipping."""

    seller_id: SellerId
    price: int = 0
    discount: int = 0
    tax: int = 0
    shipping: int = 0

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


NOTE_MAX = 2_000
NoteText = Annotated[str, Meta(min_length=1, max_length=NOTE_MAX, extra={"words": "Write the note."})]


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


class NotCancellable(Conflict):
    """Something of this order is on its way already, so it cannot be cancelled. You can return it."""


class ExceedsCaptured(Conflict):
    """That is more than was paid and not yet paid back."""


class NotShippable(Conflict):
    """This cannot be shipped: it was cancelled, or shipped already."""


class NotReturnable(Conflict):
    """Only what has been shipped and not yet returned can be returned."""
