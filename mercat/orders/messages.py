"""What orders are asked and what they answer. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

from mercat.events import OrderLine
from mercat.ids import CartId, CheckoutId, LineId, OfferId, OrderId, ProductId, SellerId, UserId
from mercat.kit.refusals import Conflict
from mercat.quantity import Quantity

OrderStatus = Literal["confirmed", "partially_shipped", "shipped", "delivered", "cancelled"]
"""How far an order has come; a row that was refused before it was made is no order."""


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order as checkout decided it: paid, and nothing left to look up."""

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


class OrderLineView(Struct, frozen=True, kw_only=True):
    """A line of an order, and how many of it were shipped, delivered and returned."""

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


class Happening(Struct, frozen=True):
    """Something in the life of an order."""

    what: str
    who: str
    at: datetime
    detail: dict[str, Any] = {}


class Order(Struct, frozen=True, kw_only=True):
    """An order with its lines and what happened to it. `address` has the parts that are not empty."""

    order_id: OrderId
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


class OrderSummary(Struct, frozen=True, kw_only=True):
    """An order in a list; title and image are of its first line."""

    order_id: OrderId
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


class Goods(Struct, frozen=True):
    """Some units of a line that come back, and what was paid for them."""

    seller_id: SellerId
    offer_id: OfferId
    quantity: int
    amount: int


class Owed(Struct, frozen=True):
    """What a return gives back: goods, and their share of the tax and of the discount."""

    goods: list[Goods]
    tax: int
    discount: int = 0

    @property
    def amount(self) -> int:
        """What is paid back in all."""
        return sum(part.amount for part in self.goods) + self.tax - self.discount


class NotCancellable(Conflict):
    """Something of this order is on its way already, so it cannot be cancelled. You can return it."""


class NotShippable(Conflict):
    """This cannot be shipped: it was cancelled, or shipped already."""


class NotReturnable(Conflict):
    """Only what has been shipped and not yet returned can be returned."""
