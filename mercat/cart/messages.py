"""What a cart is asked and what it answers. Amounts are integers of minor units."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from mercat.catalog import QuantityRules
from mercat.ids import CartId, GiftCardId, OfferId, ProductId, SellerId, UserId
from mercat.inventory import Line
from mercat.kit.refusals import Conflict
from mercat.payments import GiftCode

LINES_MAX = 500
CODES_MAX = 10
"""Codes that a cart keeps."""
GIFT_CARDS_MAX = 10
NETWORK_MAX = 100


class BasketLine(Struct, frozen=True):
    """A line as it was put in."""

    offer_id: OfferId
    quantity: int
    price_at_add: int


class Basket(Struct, frozen=True):
    """A cart as checkout takes it: no look-ups, no prices of today."""

    cart_id: CartId
    lines: list[BasketLine]
    gift_cards: list[GiftCardId] = []
    """In the order in which they pay."""
    codes: list[str] = []
    """Of promotions, as they were typed."""


class Spent(Struct, frozen=True):
    """What an order bought of a cart."""

    user_id: UserId
    cart_id: CartId
    lines: list[Line]
    gift_cards: list[GiftCardId] = []


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
    seller_id: SellerId = SellerId(0)
    seller_name: str = ""
    added: datetime | None = None
    was_price: int | None = None
    """What one cost before a reduction."""
    quantity_rules: QuantityRules | None = None
    is_gift_card: bool = False
    """It is listed as one: it is money where its seller is of `sellers.issuers`, else goods."""
    is_gift: bool = False
    """It comes along for nothing, and is no line that can be changed."""


class LineProblem(Struct, frozen=True, omit_defaults=True):
    """What stands between this cart and buying: price_changed, sold_out, not_enough, not_for_sale.

    Of rules of quantity: below_minimum, above_maximum, not_in_steps, customer_limit."""

    code: str
    offer_id: OfferId
    detail: str
    available: int | None = None
    price: int | None = None
    quantity_rules: QuantityRules | None = None


class AppliedGiftCard(Struct, frozen=True):
    """A gift card in a cart: what is on it, and what of the goods it pays."""

    gift_card_id: GiftCardId
    last4: str
    balance: int
    applies: int


class TypedGiftCard(Struct, frozen=True):
    """The code of a gift card as somebody typed it, and the network that they are in."""

    code: GiftCode
    network: Annotated[str, Meta(max_length=NETWORK_MAX)] = ""


class CartView(Struct, frozen=True):
    """A cart with today's prices; `item_count` is the sum of its quantities."""

    cart_id: CartId
    items: list[CartLine]
    subtotal: int
    item_count: int
    currency: str
    problems: list[LineProblem]
    gift_cards: list[AppliedGiftCard] = []


class AmbiguousLine(Conflict):
    """The cart has several lines of this product. Say which, by its offer."""


class TooManyCodes(Conflict):
    """A cart keeps 10 codes at most. Take one out first."""


class GiftCardsFull(Conflict):
    """A cart takes ten gift cards at most. Take one out first."""


class CartFull(Conflict):
    """A cart holds 500 different things at most."""
