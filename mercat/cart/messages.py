"""What a cart is asked and what it answers. Amounts are integers of minor units."""

from datetime import datetime

from msgspec import Struct

from mercat.ids import CartId, OfferId, ProductId, UserId
from mercat.inventory import Line
from mercat.kit.refusals import Conflict

LINES_MAX = 500


class BasketLine(Struct, frozen=True):
    """A line as it was put in."""

    offer_id: OfferId
    quantity: int
    price_at_add: int


class Basket(Struct, frozen=True):
    """A cart as checkout takes it: no look-ups, no prices of today."""

    cart_id: CartId
    lines: list[BasketLine]


class Spent(Struct, frozen=True):
    """What an order bought of a cart."""

    user_id: UserId
    cart_id: CartId
    lines: list[Line]


class CartLine(Struct, frozen=True, kw_only=True):
    """A line with today's price, and the price of when it was put in."""

    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    price: int
    price_at_add: int
    line_total: int
    image_url: str
    seller_name: str = ""
    added: datetime | None = None


class LineProblem(Struct, frozen=True, omit_defaults=True):
    """What stands between this cart and buying: price_changed, sold_out, not_enough, not_for_sale."""

    code: str
    offer_id: OfferId
    detail: str
    available: int | None = None
    price: int | None = None


class CartView(Struct, frozen=True):
    """A cart with today's prices; `item_count` is the sum of its quantities."""

    cart_id: CartId
    items: list[CartLine]
    subtotal: int
    item_count: int
    currency: str
    problems: list[LineProblem]


class CartFull(Conflict):
    """A cart holds 500 different things at most."""
